"""A set of keys with hours, against a dictionary that does the same; and what it weighs, in memory and on the disk."""

import resource
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.errors import NorenError
from dataflow.operators.seen import Seen, Words, first_of_each

BATCHES = st.lists(st.tuples(st.lists(st.integers(0, 200), max_size=80), st.integers(0, 5), st.integers(0, 4)))


def keys(numbers: list[int]) -> Words:
    """Of a few numbers, spread over the parts and colliding within them."""
    return np.array([(number % 7, ((number % 3) << 62) | (number // 7)) for number in numbers], np.uint64).reshape(
        -1, 2
    )


def digests(seed: int, count: int) -> Words:
    return np.random.default_rng(seed).integers(0, 1 << 64, (count, 2), dtype=np.uint64)


def check(seen: Seen, batches: list[tuple[list[int], int, int]]) -> None:
    """Does the same to the set and to a dictionary."""
    model = dict[int, int]()
    for numbers, hour, oldest in batches:
        seen.add(keys(numbers), np.full(len(numbers), hour, np.int32))
        for number in numbers:
            # a key that was forgotten comes back with the hour of now
            model[number] = max(model.get(number, hour), hour)
        seen.oldest = max(seen.oldest, oldest)
        asked = list(range(0, 210, 3))
        held = {number for number, at in model.items() if at >= seen.oldest}
        assert seen.contains(keys(asked)).tolist() == [number in held for number in asked]


@settings(deadline=None)  # compiles at first
@given(BATCHES)
def test_it_holds_what_was_added_and_is_not_older_than_oldest(batches: list[tuple[list[int], int, int]]) -> None:
    check(Seen(), batches)


@settings(deadline=None)  # compiles at first
@given(BATCHES, st.integers(1, 60))
def test_it_holds_the_same_where_most_of_it_is_on_the_disk(
    batches: list[tuple[list[int], int, int]], most: int
) -> None:
    with TemporaryDirectory() as directory:
        seen = Seen(Path(directory), most)
        check(seen, batches)
        seen.close()


def test_memory_holds_the_latest_and_three_bytes_of_each_other(tmp_path: Path) -> None:
    seen = Seen(tmp_path, most=20_000)
    for batch in range(100):
        seen.add(digests(batch, 2_000), np.zeros(2_000, np.int32))
    seen.wait()
    assert seen.used == 200_000
    assert seen.disk_bytes == 180_000 * 24
    assert seen.bytes <= 20_000 * 42 + 180_000 * 3
    assert all(seen.contains(digests(batch, 2_000)).all() for batch in range(100))
    assert not seen.contains(digests(1_000, 100_000)).any()
    seen.close()


def test_the_hour_of_a_key_on_the_disk_is_renewed(tmp_path: Path) -> None:
    seen = Seen(tmp_path, most=1)
    seen.add(keys([1, 2]), np.full(2, 5, np.int32))
    seen.add(keys([1]), np.full(1, 9, np.int32))
    seen.oldest = 6
    assert seen.contains(keys([1, 2])).tolist() == [True, False]
    seen.close()


def test_a_full_disk_loses_no_key(tmp_path: Path) -> None:
    seen = Seen(tmp_path, most=1_000)
    seen.add(digests(1, 1_000), np.zeros(1_000, np.int32))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(NorenError, match="cannot be written: File too large"):
            seen.add(digests(2, 1_000), np.zeros(1_000, np.int32))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert seen.contains(digests(1, 1_000)).all()
    seen.close()


def test_what_is_forgotten_gives_its_room_back() -> None:
    seen = Seen()
    rng = np.random.default_rng(1)
    for hour in range(50):
        seen.add(rng.integers(0, 1 << 63, (2_000, 2)).astype(np.uint64) * np.uint64(2), np.full(2_000, hour, np.int32))
        seen.oldest = hour - 4
    assert seen.bytes < 10_000 * 20 * 4


def test_a_hundred_thousand_keys_take_forty_bytes_each_at_most() -> None:
    seen = Seen()
    rng = np.random.default_rng(1)
    for _ in range(100):
        seen.add(rng.integers(0, 1 << 64, (1_000, 2), dtype=np.uint64), np.zeros(1_000, np.int32))
    assert 20 / 0.75 <= seen.bytes / seen.used <= 42


@settings(deadline=None)  # compiles at first
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=30))
def test_the_first_wanted_row_of_each_key(rows: list[tuple[int, bool]]) -> None:
    first = first_of_each(keys([number for number, _ in rows]), np.array([wanted for _, wanted in rows], np.bool_))
    met: set[int] = set()
    expected = []
    for number, wanted in rows:
        expected.append(wanted and number not in met)
        if wanted:
            met.add(number)
    assert first.tolist() == expected
