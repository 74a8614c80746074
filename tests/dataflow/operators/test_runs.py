"""Sorted runs on the disk: what is found, with how many reads, and what is left of them."""

import errno
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from dataflow.errors import NorenError
from dataflow.operators.runs import FAN, MOST_RUNS, Run, Runs, Words, write

EVER = 0


def records(keys: list[tuple[int, int]], hour: int = 7) -> Words:
    """Sorted by the second word, as a run has them."""
    return np.array([(*key, hour) for key in sorted(keys, key=lambda key: key[1])], np.uint64).reshape(-1, 3)


def digests(seed: int, count: int) -> Words:
    return np.random.default_rng(seed).integers(0, 1 << 64, (count, 2), dtype=np.uint64)


def of_digests(keys: Words, hour: int = 7) -> Words:
    rows = np.column_stack((keys, np.full(len(keys), hour, np.uint64)))
    return rows[np.argsort(rows[:, 1])]


def found(run: Run | Runs, keys: Words, oldest: int = EVER) -> list[bool]:
    marks = np.zeros(len(keys), np.bool_)
    run.contains(keys, oldest, marks)
    return marks.tolist()


def test_keys_are_told_apart_by_both_words(tmp_path: Path) -> None:
    run = write([records([(1, 5), (2, 5), (1, 1 << 63)])], 3, 0, tmp_path)
    asked = np.array([(1, 5), (3, 5), (2, 5), (1, 1 << 63), (2, 1 << 63), (1, 6)], np.uint64)
    assert found(run, asked) == [True, False, True, True, False, False]
    run.close()


def test_a_key_of_an_hour_before_the_oldest_is_not_found(tmp_path: Path) -> None:
    run = write([records([(1, 5)], hour=7)], 1, 0, tmp_path)
    assert found(run, np.array([(1, 5)], np.uint64), oldest=7) == [True]
    assert found(run, np.array([(1, 5)], np.uint64), oldest=8) == [False]
    run.close()


def test_a_key_that_is_not_there_is_seldom_read_for(tmp_path: Path) -> None:
    run = write([of_digests(digests(1, 50_000))], 50_000, 0, tmp_path)
    with mock.patch.object(os, "preadv", wraps=os.preadv) as read:
        assert not any(found(run, digests(2, 100_000)))
    assert 0 < read.call_count < 100  # 64 keys a bucket at most, 65,536 fingerprints
    run.close()


def test_a_key_that_is_there_is_found_with_one_read(tmp_path: Path) -> None:
    keys = digests(1, 50_000)
    run = write([of_digests(keys)], 50_000, 0, tmp_path)
    with mock.patch.object(os, "preadv", wraps=os.preadv) as read:
        assert all(found(run, keys[:1_000]))
    assert read.call_count == 1_000
    run.close()


def test_a_run_takes_little_more_than_two_bytes_a_key(tmp_path: Path) -> None:
    run = write([of_digests(digests(1, 50_000))], 50_000, 0, tmp_path)
    assert run.bytes <= 2.25 * 50_000 + 4
    run.close()


def test_a_run_has_room_for_fewer_keys_than_were_announced(tmp_path: Path) -> None:
    keys = digests(1, 100)
    run = write([of_digests(keys)], 50_000, 0, tmp_path)
    assert len(run) == 100
    assert all(found(run, keys))
    run.close()


def test_an_empty_run_holds_nothing(tmp_path: Path) -> None:
    run = write([], 0, 0, tmp_path)
    assert found(run, digests(1, 3)) == [False] * 3
    run.close()


def test_runs_of_a_level_become_one_of_the_next_and_hold_the_same(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    for seed in range(FAN * FAN):
        runs.add([of_digests(digests(seed, 20_000))], 20_000, EVER)
        runs.wait(EVER)
    assert runs.keys == FAN * FAN * 20_000
    assert runs.bytes <= 2.25 * runs.keys + 4
    assert len(open_files(tmp_path)) == 1
    assert all(all(found(runs, digests(seed, 20_000))) for seed in (0, FAN, FAN * FAN - 1))
    assert not any(found(runs, digests(1_000, 20_000)))
    runs.close()


def test_a_merge_leaves_out_what_is_too_old(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    for seed in range(FAN):
        runs.add([of_digests(np.vstack((digests(seed, 10), digests(100 + seed, 10))), hour=seed)], 20, oldest=0)
    runs.wait(EVER)
    for seed in range(FAN):
        runs.add([of_digests(digests(200 + seed, 10), hour=20)], 10, oldest=FAN - 1)
    runs.wait(EVER)
    assert runs.keys == FAN * 20 + FAN * 10  # the merged one has an hour that is young enough
    runs.add([of_digests(digests(300, 10), hour=20)], 10, oldest=20)
    assert runs.keys == FAN * 10 + 10
    assert not any(found(runs, digests(0, 10), oldest=20))
    assert all(found(runs, digests(200, 10), oldest=20))
    runs.close()


def test_runs_have_no_names(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.add([of_digests(digests(1, 10))], 10, EVER)
    assert list(tmp_path.iterdir()) == []
    assert len(open_files(tmp_path)) == 1
    runs.close()
    assert open_files(tmp_path) == []


def test_closing_stops_a_merge(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    for seed in range(FAN):
        runs.add([of_digests(digests(seed, 200_000))], 200_000, EVER)
    runs.close()
    assert open_files(tmp_path) == []


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(NorenError, match="cannot be written: File too large; make room, start again"):
            write([of_digests(digests(1, 1_000))], 1_000, 0, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert open_files(tmp_path) == []


def test_a_merge_that_failed_is_told(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    for seed in range(FAN - 1):
        runs.add([of_digests(digests(seed, 10))], 10, EVER)
    with mock.patch.object(os, "preadv", side_effect=OSError(errno.EIO, os.strerror(errno.EIO))):
        runs.add([of_digests(digests(99, 10))], 10, EVER)
        with pytest.raises(NorenError, match="cannot be read from the disk: Input/output error; start again"):
            runs.wait(EVER)
    runs.close()
    assert open_files(tmp_path) == []


def test_a_disk_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    keys = digests(1, 10)
    run = write([of_digests(keys)], 10, 0, tmp_path)
    with (
        mock.patch.object(os, "preadv", side_effect=OSError(errno.EIO, os.strerror(errno.EIO))),
        pytest.raises(NorenError, match="cannot be read from the disk: Input/output error; start again"),
    ):
        found(run, keys)
    run.close()


def test_runs_that_come_faster_than_merges_go_wait_for_them(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    with mock.patch.object(os, "preadv", side_effect=slow_reads(os.preadv)):
        for seed in range(2 * MOST_RUNS):
            runs.add([of_digests(digests(seed, 100))], 100, EVER)
            assert len(open_files(tmp_path)) <= MOST_RUNS + 1  # and one that a merge writes
    runs.wait(EVER)
    assert all(all(found(runs, digests(seed, 100))) for seed in range(2 * MOST_RUNS))
    runs.close()


def test_a_run_of_few_keys_among_large_ones_is_merged_with_them(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    sizes = [1, 100_000, 3, 0, 100_000, 10, 100, 1_000]
    for seed, size in enumerate(sizes):
        runs.add([of_digests(digests(seed, size))], size, EVER)
    runs.wait(EVER)
    assert runs.keys == sum(sizes)
    assert len(open_files(tmp_path)) == 1
    assert all(all(found(runs, digests(seed, size))) for seed, size in enumerate(sizes))
    runs.close()


def slow_reads(read: Callable[..., int]) -> Callable[..., int]:
    def slow(*arguments: Any) -> int:
        time.sleep(0.01)
        return read(*arguments)

    return slow


def open_files(directory: Path) -> list[str]:
    """Of this process, below the directory."""
    links = Path("/proc/self/fd")
    if not links.is_dir():
        pytest.skip("only Linux says which files a process has open.")
    names = [str(link.readlink()) for link in links.iterdir() if link.is_symlink()]
    return [name for name in names if name.startswith(str(directory))]
