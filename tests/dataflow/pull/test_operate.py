"""Operators in the pull loop: what they put out is in the journal with the batch, once, whatever is killed."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from dataflow.contract import Contract
from dataflow.core import Anonymizer
from dataflow.journal import Journal
from dataflow.journal.journal import concatenate
from dataflow.keys import KeyRing
from dataflow.objects import LocalObjects
from dataflow.operators.deduplicate import HORIZON, Deduplicator
from dataflow.operators.watermark import NEVER
from dataflow.policy import Policy
from dataflow.pull.operate import PublishWatermark, operators
from dataflow.pull.stage import Stager
from dataflow.schemas import minute_metrics_table
from tests.dataflow.cases import RECEIVED, encoded
from tests.dataflow.deliveries import DELIVERIES, HOUR, SECOND, Delivery, message


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_before_anything_was_seen_there_is_no_watermark() -> None:
    mark = PublishWatermark(Clock())
    assert (mark.seen(0), mark.idle()) == (NEVER, NEVER)


def test_the_watermark_is_the_newest_and_goes_on_while_nothing_comes() -> None:
    clock = Clock()
    mark = PublishWatermark(clock)
    assert [mark.seen(5), mark.seen(3), mark.seen(0)] == [5, 5, 5]
    clock.seconds = 2.5
    assert mark.idle() == 5 + 2_500_000
    assert mark.seen(7) == 7


Open = Callable[[], tuple[Stager, Journal]]


@pytest.fixture
def opened(tmp_path: Path, app_event: Contract, policy: Policy, keys: KeyRing) -> Open:
    """A stager as each process has one, over one journal."""

    def open() -> tuple[Stager, Journal]:
        journal, deduplicator = Journal(LocalObjects(tmp_path), keys.sealer("journal"), "shard"), Deduplicator()
        anonymizer = Anonymizer(app_event, policy, keys)
        stager = Stager(anonymizer, journal, deduplicator, keys.sealer("dead_letter"), operators=operators)
        for _, head in journal.heads():
            stager.learn(head.index, head.state)
        return stager, journal

    return open


def later(stager: Stager, seconds: float) -> None:
    """So long nothing came."""
    mark = stager.operating._watermark
    mark._since -= seconds


def minutes(journal: Journal) -> pl.DataFrame:
    """Rows of all entries."""
    schema = {name: kind for name, kind in minute_metrics_table().polars().items() if name != "batch_id"}
    return concatenate([journal.read(n) for n in journal.kept(-1)]).get("minutes", pl.DataFrame(schema=schema))


COUNTS = ("events", "late", "errors", "duplicates")


@pytest.mark.parametrize("delivery", DELIVERIES, ids=lambda delivery: delivery.name)
@pytest.mark.parametrize("killed", [False, True])
def test_every_event_is_in_the_metrics_once_also_across_crashes(opened: Open, delivery: Delivery, killed: bool) -> None:
    stager, journal = opened()
    for batch in delivery.batches:
        if killed:
            prepared = stager.prepare(batch)
            contract = prepared.version.preparer.contract
            stager.operating.step(prepared.candidates.decide(stager._deduplicator, contract))
            stager, journal = opened()  # it died before it had staged
        stager.stage(batch)
        if killed:
            stager, journal = opened()  # and behind that
            stager.stage(batch)
    later(stager, 600)
    stager.idle()
    rows = minutes(journal)
    sums = {name: rows[name].sum() for name in COUNTS}
    assert (sums["events"] + sums["late"], sums["errors"], sums["duplicates"]) == (
        delivery.raw,
        len(delivery.dead),
        delivery.duplicates,
    )
    assert stager.operating.states["minute-metrics"].bytes < 100  # nothing is held but the mark
    assert rows.select("minute", "event_type", "firing").is_unique().all()


def test_an_idle_stream_puts_out_what_is_due_and_then_nothing(opened: Open) -> None:
    stager, journal = opened()
    stager.stage([message(b"", 1)])
    assert stager.idle() is None
    later(stager, 600)
    staged = stager.idle()
    assert staged is not None
    assert (staged.number, staged.ack_ids.to_list(), len(staged.entry.index)) == (1, [], 0)
    assert {role: rows.height for role, rows in journal.read(1).rows.items()} == {"minutes": 1}
    assert stager.idle() is None


def test_folded_and_forgotten_entries_leave_the_state_as_it_is(opened: Open, app_event: Contract) -> None:
    stager, journal = opened()
    for number in range(1, 40):
        stager.stage([message(encoded(number), number)])
        journal.commit(journal.group(number - 1, number - 1))
    held = stager.operating.states["minute-metrics"].changes()
    stager, journal = opened()
    assert stager.operating.states["minute-metrics"].changes() == held
    stager.stage([message(encoded(1_000), 1_000, RECEIVED + HORIZON + 2 * HOUR)])
    journal.commit(journal.group(39, 39))
    journal.clean(HORIZON)
    again, _ = opened()
    held = stager.operating.states["minute-metrics"].changes()
    assert again.operating.states["minute-metrics"].changes() == held


def test_what_another_process_put_out_is_not_put_out_again(opened: Open) -> None:
    one, _ = opened()
    other, journal = opened()
    one.stage([message(encoded(1), 1), message(b"", 2)])
    other.stage([message(encoded(1), 1), message(b"", 2), message(encoded(2), 3)])
    later(other, 600)
    other.idle()
    rows = minutes(journal)
    assert [rows[name].sum() for name in COUNTS] == [2, 0, 1, 0]


def test_the_versions_of_rows_are_those_of_now(opened: Open, policy: Policy) -> None:
    stager, journal = opened()
    stager.stage([message(encoded(1, timestamp="2026-01-15T10:00:00Z"), 1, RECEIVED + SECOND)])
    later(stager, 600)
    stager.idle()
    assert minutes(journal)["policy_version"].unique().to_list() == [policy.version]
