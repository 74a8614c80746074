"""Many events in a message: each has a position of its own, and all are counted exactly."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dataflow.candidates import Preparer
from dataflow.contract import Contract, Format
from dataflow.core import Anonymizer
from dataflow.dead_letters import PURPOSE, open_dead_letter
from dataflow.keys import KeyRing
from dataflow.operators.deduplicate import Deduplicator
from dataflow.operators.keys import numbered, packed, words_of
from dataflow.policy import Policy
from dataflow.sources.message import Message, event_position, position
from tests.dataflow.cases import RECEIVED, encoded


def message(number: int, *lines: bytes) -> Message:
    name = str(number)
    return Message(b"\n".join(lines), {}, name, position("store", name), RECEIVED + number, f"ack-{name}")


def key(number: int, event: int) -> bytes:
    return packed(numbered(words_of([f"store/{number}"]), np.array([event])))


@pytest.fixture(scope="module")
def preparer(app_event: Contract, policy: Policy, keys: KeyRing) -> Preparer:
    contract = replace(app_event, format=Format.NDJSON)
    return Preparer(Anonymizer(contract, policy, keys), keys.sealer(PURPOSE))


def test_the_first_event_has_the_messages_position() -> None:
    assert [event_position("store/7", number) for number in (0, 1, 3)] == ["store/7", "store/7#1", "store/7#3"]


def test_each_event_is_counted_once(preparer: Preparer, keys: KeyRing) -> None:
    broken = b'{"event_id": 5}'
    messages = [
        message(1, encoded(1), broken, encoded(2), encoded(1)),  # the last is a duplicate of the first
        message(2, encoded(3)),
        message(3, b""),
        message(4, encoded(2)),  # a duplicate of another message's
    ]
    deduplicator = Deduplicator()
    entry = preparer.prepare(messages).decide(deduplicator, preparer.contract)
    assert entry.index.accepted.positions == key(1, 0) + key(1, 2) + key(2, 0)
    assert entry.index.dead.positions == key(1, 1) + key(3, 0)
    assert entry.index.duplicates.positions == key(1, 3) + key(4, 0)
    assert entry.rows["raw"].height == 3
    dead = entry.rows["dead"].to_dicts()
    assert [(row["reason"], row["message_id"], row["payload_bytes"]) for row in dead] == [
        ("wrong_type", "1", len(broken)),
        ("empty_message", "3", 0),
    ]
    sealer = keys.sealer(PURPOSE)
    assert open_dead_letter(dead[0]["sealed"], dead[0]["dead_token"], sealer) == (broken, {})
    assert json.loads(dead[0]["payload_redacted"]) == {"event_id": "integer"}


def test_a_redelivery_is_not_counted_again(preparer: Preparer) -> None:
    messages = [message(1, encoded(1), b"{", encoded(2), encoded(1))]
    deduplicator = Deduplicator()
    first = preparer.prepare(messages).decide(deduplicator, preparer.contract)
    deduplicator.learn(first.index)
    again = preparer.prepare(messages).decide(deduplicator, preparer.contract)
    assert len(again.index) == 0
    assert len(first.index) == 4
