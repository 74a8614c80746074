"""Batches of messages as a broker may deliver them, and what must become of them all: for every driver.

The single messages of `cases` come as one batch; the others are about duplicates, redeliveries and regrouped batches.
"""

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from dataflow.contract import Contract
from dataflow.core import Anonymizer, Reason
from dataflow.dead_letters import PURPOSE
from dataflow.journal import Entry, Journal
from dataflow.journal.journal import concatenate
from dataflow.keys import KeyRing
from dataflow.objects import LocalObjects
from dataflow.operators.deduplicate import Deduplicator
from dataflow.policy import Policy
from dataflow.pull.stage import Stager
from dataflow.schemas import tables
from dataflow.sources.message import Message, position
from tests.dataflow.cases import ACCEPTED, CASES, DEAD, DUPLICATES, RECEIVED, encoded

SECOND = 1_000_000

HOUR = 3_600 * SECOND


def message(data: bytes, id: int, received: int | None = None, **attributes: str) -> Message:
    """As a source gives it. received: RECEIVED and a second more for each id, when nothing is said."""
    name = str(id)
    time = RECEIVED + id * SECOND if received is None else received
    return Message(data, attributes, name, position("", name), time, f"ack-{name}")


@dataclass(frozen=True)
class Delivery:
    """dead: (reason, field) of each dead letter, sorted. unknown: (path, JSON type) -> events."""

    name: str
    batches: list[list[Message]]
    raw: int
    dead: list[tuple[Reason, str]] = field(default_factory=list)
    duplicates: int = 0
    unknown: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def messages(self) -> list[Message]:
        return [message for batch in self.batches for message in batch]


EVERY_CASE = Delivery(
    "every case, duplicates behind",
    [
        [message(case.payload, id) for id, case in enumerate(CASES, 1)],
        [message(data, id) for id, data in enumerate(DUPLICATES, 101)],
    ],
    raw=len(ACCEPTED),
    dead=sorted((case.reason, case.field) for case in DEAD if case.reason and case.field),
    duplicates=len(DUPLICATES),
    unknown={unknown: 1 for case in CASES for unknown in case.unknown},
)

DELIVERIES = (
    EVERY_CASE,
    Delivery("one event", [[message(encoded(1), 1)]], raw=1),
    Delivery(
        "duplicates in a batch",
        [[message(encoded(1), 1), message(encoded(2), 2), message(encoded(1, user_id="user_9"), 3)]],
        raw=2,
        duplicates=1,
    ),
    Delivery(
        "duplicates in later batches",
        [
            [message(encoded(1), 1), message(encoded(2), 2)],
            [message(encoded(2), 3), message(encoded(5), 4)],
            [message(encoded(5), 5), message(encoded(1), 6)],
        ],
        raw=3,
        duplicates=3,
    ),
    Delivery(
        "redelivered in the same batch",
        [
            [
                message(encoded(1, mood="good"), 1),
                message(encoded(1, mood="good"), 1),
                message(b"{", 2),
                message(b"{", 2),
                message(encoded(1), 3),
                message(encoded(1), 3),
            ]
        ],
        raw=1,
        dead=[(Reason.MALFORMED_JSON, "$")],
        duplicates=1,
        unknown={("mood", "string"): 1},
    ),
    Delivery(
        "redelivered in later batches, regrouped",
        [
            [message(encoded(1), 1), message(encoded(1), 2), message(b"{", 3)],
            [message(b"{", 3), message(encoded(4, mood="new"), 4), message(encoded(1), 2)],
            [message(encoded(4, mood="new"), 4), message(encoded(1), 1), message(encoded(1), 5)],
        ],
        raw=2,
        dead=[(Reason.MALFORMED_JSON, "$")],
        duplicates=2,
        unknown={("mood", "string"): 1},
    ),
    Delivery(
        "a duplicate days later",
        [
            [message(encoded(1), 1, RECEIVED)],
            [message(encoded(2), 2, RECEIVED + 100 * HOUR)],
            [message(encoded(1), 3, RECEIVED + 180 * HOUR), message(encoded(2), 2, RECEIVED + 100 * HOUR)],
        ],
        raw=2,
        duplicates=1,
    ),
    Delivery(
        "the same identity behind the horizon",
        [
            [message(encoded(1), 1, RECEIVED), message(b"", 2, RECEIVED)],
            [message(encoded(1), 3, RECEIVED + 194 * HOUR)],
            [message(encoded(1), 4, RECEIVED + 195 * HOUR)],
        ],
        raw=2,
        dead=[(Reason.EMPTY_MESSAGE, "$")],
        duplicates=1,
    ),
    Delivery(
        "attributes, in clear and not",
        [[message(b"", 1, event_type="page_view", secret="s")]],
        0,
        [(Reason.EMPTY_MESSAGE, "$")],
    ),
    Delivery(
        "nothing but dead letters",
        [[message(b"", 1), message(b"[]", 2)]],
        raw=0,
        dead=[(Reason.EMPTY_MESSAGE, "$"), (Reason.WRONG_TYPE, "$")],
    ),
    Delivery(
        "two key epochs in a batch, mixed",
        [
            [
                message(encoded(n, timestamp="2024-01-15T10:30:00Z" if n % 2 else "2026-01-15T09:00:00+09:00"), n)
                for n in range(1, 9)
            ]
        ],
        raw=8,
    ),
)


def staged(delivery: Delivery, contract: Contract, policy: Policy, keys: KeyRing, state: Path) -> list[Entry]:
    """The entries that the pull loop stages for a delivery, read back from a fresh journal in `state`."""
    journal = Journal(LocalObjects(state), keys.sealer("journal"), "test")
    stager = Stager(Anonymizer(contract, policy, keys), journal, Deduplicator(), keys.sealer(PURPOSE))
    numbers = [stager.stage(batch).number for batch in delivery.batches]
    return [journal.read(number) for number in numbers if number is not None]


def written(entries: list[Entry], contract: Contract, policy: Policy) -> dict[str, pl.DataFrame]:
    """The rows of all entries by role; empty frames where there are none."""
    rows = concatenate(entries)
    return {
        role: rows.get(role, pl.DataFrame(schema={k: v for k, v in table.polars().items() if k != "batch_id"}))
        for role, table in tables(contract, policy).items()
    }
