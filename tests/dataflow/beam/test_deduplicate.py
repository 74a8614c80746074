"""Deduplication over Beam state: small items in a ring of days, and what a process may remember."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from apache_beam.pvalue import TaggedOutput

from dataflow.beam.coders import CandidatesCoder
from dataflow.beam.deduplicate import BAGS, DeduplicateFn
from dataflow.beam.settings import Settings
from dataflow.beam.state import DAYS, DayBags
from dataflow.candidates import Candidates, Preparer
from dataflow.operators.deduplicate import HORIZON, HOUR, Index
from dataflow.operators.keys import keys_of
from tests.dataflow.cases import RECEIVED, encoded
from tests.dataflow.deliveries import EVERY_CASE, message

DAY = 24 * HOUR


@dataclass
class Value:
    """A ReadModifyWrite state."""

    held: bytes | None = None

    def read(self) -> bytes | None:
        return self.held

    def write(self, value: bytes) -> None:
        self.held = value


@dataclass
class Bag:
    """A bag state. reads: how often it was read."""

    items: list[bytes] = field(default_factory=list)
    reads: int = 0

    def read(self) -> Iterator[bytes]:
        self.reads += 1
        return iter(list(self.items))

    def add(self, item: bytes) -> None:
        self.items.append(item)

    def clear(self) -> None:
        self.items.clear()


@dataclass
class Shard:
    """A shard's state as a runner keeps it."""

    head: Value = field(default_factory=Value)
    bags: list[Bag] = field(default_factory=lambda: [Bag() for _ in range(DAYS)])

    def copy(self) -> "Shard":
        return Shard(Value(self.head.held), [Bag(list(bag.items)) for bag in self.bags])

    def opened(self) -> DayBags:
        return DayBags(self.head, self.bags)

    def add(self, index: Index) -> None:
        self.opened().add(index, uuid.uuid4().hex)

    @property
    def reads(self) -> int:
        return sum(bag.reads for bag in self.bags)


def accepted(token: str, received: int) -> Index:
    return Index.of(accepted=[(token, f"/{token}", received)])


def raw_rows(function: DeduplicateFn, candidates: Candidates, shard: Shard) -> int:
    outputs: list[TaggedOutput] = list(function.process((0, candidates), shard.head, *shard.bags))
    return sum(output.value.num_rows for output in outputs if output.tag == "raw")


@pytest.fixture
def preparer(settings: Settings) -> Preparer:
    return settings.preparer()


@pytest.fixture
def function(settings: Settings) -> DeduplicateFn:
    function = DeduplicateFn(replace(settings, shards=1))
    function.setup()
    return function


def test_the_ring_has_a_bag_for_every_day_of_the_horizon_and_those_it_begins_and_ends_in() -> None:
    assert DAYS * DAY >= HORIZON + 2 * DAY
    assert len(BAGS) == DAYS
    assert DeduplicateFn.process.__code__.co_argcount == len(["self", "element", "head"]) + DAYS


def test_state_comes_back_by_day() -> None:
    shard = Shard()
    later, earlier = accepted("b", RECEIVED + DAY), accepted("a", RECEIVED)
    shard.add(later)
    shard.add(earlier)
    assert list(shard.opened().read()) == [earlier, later]


def test_an_index_over_two_days_is_kept_in_two_bags() -> None:
    shard = Shard()
    shard.add(Index.of(accepted=[("a", "/1", RECEIVED)], dead=[("/2", RECEIVED + DAY)], duplicates=[("/3", RECEIVED)]))
    assert [len(bag.items) for bag in shard.bags if bag.items] == [1, 1]
    assert list(shard.opened().read()) == [
        Index.of(accepted=[("a", "/1", RECEIVED)], duplicates=[("/3", RECEIVED)]),
        Index.of(dead=[("/2", RECEIVED + DAY)]),
    ]


def test_a_day_behind_the_horizon_is_cleared_whole() -> None:
    shard = Shard()
    for day in range(30):
        shard.add(accepted(f"day{day}", RECEIVED + day * DAY))
    kept = [accepted(f"day{day}", RECEIVED + day * DAY) for day in range(21, 30)]
    assert list(shard.opened().read()) == kept
    assert sum(len(bag.items) for bag in shard.bags) == 9


def test_what_is_older_than_the_horizon_is_not_kept() -> None:
    shard = Shard()
    shard.add(accepted("new", RECEIVED))
    shard.add(accepted("old", RECEIVED - HORIZON - DAY))
    assert list(shard.opened().read()) == [accepted("new", RECEIVED)]


def test_the_state_is_read_once_by_the_process_that_keeps_it(function: DeduplicateFn, preparer: Preparer) -> None:
    shard = Shard()
    for number in range(5):
        raw_rows(function, preparer.prepare([message(encoded(number), number + 1)]), shard)
    assert shard.reads == 0
    other = DeduplicateFn(function._settings)
    other.setup()
    again = preparer.prepare([message(encoded(3), 17)])
    assert raw_rows(other, again, shard) == 0
    assert shard.reads == 1


def test_a_failed_bundle_leaves_nothing_in_the_memory_of_the_process(
    function: DeduplicateFn, preparer: Preparer
) -> None:
    shard = Shard()
    raw_rows(function, preparer.prepare([message(encoded(1), 1)]), shard)
    batch = preparer.prepare([message(encoded(2), 2)])
    assert raw_rows(function, batch, shard.copy()) == 1  # the runner gives this state up
    assert raw_rows(function, batch, shard) == 1
    assert raw_rows(function, batch, shard) == 0


def test_a_batch_with_nothing_new_writes_no_state(function: DeduplicateFn, preparer: Preparer) -> None:
    shard = Shard()
    batch = preparer.prepare([message(encoded(1), 1), message(b"", 2)])
    raw_rows(function, batch, shard)
    before = shard.head.held
    raw_rows(function, batch, shard)
    assert shard.head.held == before


def test_state_holds_no_value_of_an_event(function: DeduplicateFn, preparer: Preparer) -> None:
    shard = Shard()
    raw_rows(function, preparer.prepare([message(encoded(1, user_id="user_secret"), 1), message(b"secret", 2)]), shard)
    kept = b"".join(item for bag in shard.bags for item in bag.items)
    assert keys_of(["/1"]) in kept
    assert b"secret" not in kept
    assert b"3f2504e0" not in kept


def test_candidates_cross_a_shuffle_unchanged(preparer: Preparer) -> None:
    before = preparer.prepare(EVERY_CASE.messages)
    coder = CandidatesCoder()
    after = coder.decode(coder.encode(before))
    assert after.raw.equals(before.raw)
    assert after.anonymized.equals(before.anonymized)
    assert after.dead.equals(before.dead)
    assert (after.origins, after.dead_origins) == (before.origins, before.dead_origins)
    assert (after.unknown, after.newest) == (before.unknown, before.newest)
