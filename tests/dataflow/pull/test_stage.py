"""Staging: what is accepted is decided once, whoever else writes the journal."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dataflow.contract import Contract
from dataflow.core import Anonymizer
from dataflow.journal import Journal
from dataflow.keys import KeyRing
from dataflow.objects import LocalObjects
from dataflow.operators.deduplicate import Deduplicator
from dataflow.operators.keys import keys_of
from dataflow.policy import Policy
from dataflow.pull.stage import Stager
from tests.dataflow.cases import encoded
from tests.dataflow.deliveries import message

Opened = Callable[[], tuple[Stager, Journal]]


@pytest.fixture
def opened(tmp_path: Path, app_event: Contract, policy: Policy, keys: KeyRing) -> Opened:
    """A stager as each process has one, over one journal."""

    def open() -> tuple[Stager, Journal]:
        journal, deduplicator = Journal(LocalObjects(tmp_path), keys.sealer("journal"), "shard"), Deduplicator()
        for _, index in journal.indexes():
            deduplicator.learn(index)
        return Stager(Anonymizer(app_event, policy, keys), journal, deduplicator, keys.sealer("dead_letter")), journal

    return open


def test_a_batch_becomes_the_next_entry_and_keeps_its_ack_ids(opened: Opened) -> None:
    stager, journal = opened()
    staged = [stager.stage([message(encoded(number), number)]) for number in (1, 2)]
    assert [(batch.number, batch.ack_ids.to_list()) for batch in staged] == [(0, ["ack-1"]), (1, ["ack-2"])]
    assert journal.read(1).index == staged[1].entry.index
    assert staged[1].entry.rows["raw"]["user_id"].to_list() == ["user_000002"]


def test_a_batch_without_news_is_no_entry_but_is_acknowledged(opened: Opened) -> None:
    batch = [message(encoded(1), 1), message(encoded(1), 2), message(b"", 3)]
    opened()[0].stage(batch)
    again, journal = opened()
    staged = again.stage(list(reversed(batch)))
    assert (staged.number, staged.ack_ids.to_list()) == (None, ["ack-3", "ack-2", "ack-1"])
    assert [number for number, _ in journal.indexes()] == [0]


def test_when_another_process_took_the_number_its_entry_is_learned_and_the_rest_goes_into_the_next(
    opened: Opened,
) -> None:
    one, _ = opened()
    other, journal = opened()
    one.stage([message(encoded(1), 1), message(encoded(2), 2), message(b"", 3)])
    staged = other.stage([message(encoded(1), 1), message(encoded(2), 9), message(b"", 3), message(encoded(4), 4)])
    assert staged.number == 1
    index = staged.entry.index
    assert index.accepted.positions == keys_of(["/4"])
    assert index.duplicates.positions == keys_of(["/9"])
    assert len(index.dead) == 0
    assert journal.read(1).rows["raw"]["event_id"].to_list() == staged.entry.rows["raw"]["event_id"].to_list()


def test_when_another_process_took_all_of_it_nothing_is_staged(opened: Opened) -> None:
    one, _ = opened()
    other, _ = opened()
    one.stage([message(encoded(1), 1)])
    assert other.stage([message(encoded(1), 1)]).number is None
