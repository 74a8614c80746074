"""Candidates: everything that a batch would put out if all of it were new, and what deduplication leaves of it.

Both drivers make them from messages and decide them with a Deduplicator; the pull loop at once, the Beam pipeline after
splitting them by shards of the event token.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from dataflow.contract import Contract
from dataflow.core import Anonymizer, Unpacked
from dataflow.dead_letters import DeadLetter, GivenUp, dead_letter_rows
from dataflow.journal import Entry
from dataflow.keys import Sealer
from dataflow.operators.deduplicate import Deduplicator, Events, Index
from dataflow.operators.keys import numbered, words_of
from dataflow.operators.seen import Words
from dataflow.schemas import tables, unknown_field_table
from dataflow.sources.message import Message, Messages, event_position
from dataflow.unknown_fields import unknown_field_rows

SHARD_DIGITS = 4
"""Hex digits of a token that its shard is made from: shards stay even up to some thousands of them."""


@dataclass(frozen=True)
class Candidates:
    """raw, anonymized: rows of the accepted events, aligned with each other and with `origins`: token, position and
    publish time of each.

    dead: rows of the dead-letter table, aligned with `dead_origins`; each position once.
    unknown: (row, path, JSON type) of every undeclared field of an accepted event.
    newest: the latest publish time of the whole batch, microseconds.
    """

    raw: pl.DataFrame
    anonymized: pl.DataFrame
    origins: Events
    dead: pl.DataFrame
    dead_origins: Events
    unknown: list[tuple[int, str, str]]
    newest: int

    def decide(self, deduplicator: Deduplicator, contract: Contract) -> Entry:
        """The entry of what is new to the deduplicator, which learns nothing yet: first the entry must be durable."""
        verdict = deduplicator.sort_out(self.origins)
        dead = np.flatnonzero(~deduplicator.counted(self.dead_origins)).tolist()
        duplicates = self.origins.pick(verdict.duplicates)
        index = Index(
            accepted=self.origins.pick(verdict.new) if len(verdict.new) < len(self.origins) else self.origins,
            dead=self.dead_origins.pick(dead),
            duplicates=Events(duplicates.positions, duplicates.received),
        )
        new = set(verdict.new) if self.unknown else ()
        unknown = [(path, kind) for row, path, kind in self.unknown if row in new]
        return Entry(
            index,
            {
                "raw": _picked(self.raw, verdict.new),
                "anonymized": _picked(self.anonymized, verdict.new),
                "dead": _picked(self.dead, dead),
                "unknown": unknown_field_rows(unknown, contract, self.newest) if unknown else _no_unknown(),
            },
        )

    def split(self, shards: int) -> dict[int, "Candidates"]:
        """Its parts by shard, of those shards that have a part.

        All events of one token are of one shard, and so are all dead letters of one event.
        """
        if shards == 1:
            return {0: self}
        shard_of, dead_shard_of = _shards(self.raw["event_token"], shards), _shards(self.dead["dead_token"], shards)
        rows, dead = _by_shard(shard_of), _by_shard(dead_shard_of)
        unknown: dict[int, list[tuple[int, str, str]]] = {}
        place = {row: number for members in rows.values() for number, row in enumerate(members)}
        for row, path, kind in self.unknown:
            unknown.setdefault(shard_of[row], []).append((place[row], path, kind))
        return {
            shard: Candidates(
                raw=self.raw[rows.get(shard, [])],
                anonymized=self.anonymized[rows.get(shard, [])],
                origins=self.origins.pick(rows.get(shard, [])),
                dead=self.dead[dead.get(shard, [])],
                dead_origins=self.dead_origins.pick(dead.get(shard, [])),
                unknown=unknown.get(shard, []),
                newest=self.newest,
            )
            for shard in sorted(rows.keys() | dead.keys())
        }


class Preparer:
    """Makes candidates from messages.

    sealer: seals the bytes of dead letters.
    """

    def __init__(self, anonymizer: Anonymizer, sealer: Sealer) -> None:
        self.contract = anonymizer.contract
        self._anonymizer = anonymizer
        self._sealer = sealer

    def prepare(self, messages: Sequence[Message]) -> Candidates:
        """Anonymize one batch, which is not empty. Raises SchemasAwayError like `Anonymizer.unpack`."""
        messages = Messages.of(messages)
        unpacked = self.unpack(messages)
        outcome = self._anonymizer.process(unpacked.batch)
        letters: dict[str, tuple[int, DeadLetter]] = {}  # a message delivered twice in one batch is one dead letter
        for reject in outcome.rejects:
            number, part = unpacked.origin(reject.index)
            message = messages[number]
            position = event_position(message.position, part)
            payload, text = unpacked.payloads[reject.index], unpacked.batch.payloads[reject.index]
            letter = DeadLetter(
                reject, payload, message.attributes, message.message_id, position, message.received, text
            )
            letters.setdefault(position, (reject.index, letter))
        dead = np.array([index for index, _ in letters.values()], np.int64)
        keys, received = _origins(messages, unpacked)
        kept = outcome.index.to_numpy()
        row_of = {index: row for row, index in enumerate(outcome.index)} if outcome.unknown else {}
        return Candidates(
            raw=outcome.raw,
            anonymized=outcome.anonymized,
            origins=Events.keyed(keys[kept], received[kept], words_of(outcome.raw["event_token"])),
            dead=dead_letter_rows(
                [letter for _, letter in letters.values()], self.contract, self._anonymizer.policy, self._sealer
            ),
            dead_origins=Events.keyed(keys[dead], received[dead]),
            unknown=[(row_of[index], path, kind) for index, path, kind in outcome.unknown if index in row_of],
            newest=int(messages.received.max()),
        )

    def given_up(self, given_up: Sequence[GivenUp]) -> Candidates:
        """Each as one dead event, whatever it holds: nobody looks into it."""
        once = {message.position: message for message in given_up}
        policy = self._anonymizer.policy
        empty = {
            role: pl.DataFrame(schema={name: kind for name, kind in table.polars().items() if name != "batch_id"})
            for role, table in tables(self.contract, policy).items()
        }
        letters = [message.letter() for message in once.values()]
        return Candidates(
            raw=empty["raw"],
            anonymized=empty["anonymized"],
            origins=Events(),
            dead=dead_letter_rows(letters, self.contract, policy, self._sealer),
            # when the broker gave it up, not when it was published: that may lie behind the horizon
            dead_origins=Events.of(list(once), [message.message.received for message in once.values()]),
            unknown=[],
            newest=max((message.message.received for message in once.values()), default=0),
        )

    def unpack(self, messages: Sequence[Message]) -> Unpacked:
        """The events of these messages. Raises SchemasAwayError like `Anonymizer.unpack`."""
        columns = Messages.of(messages)
        return self._anonymizer.unpack(columns.data, columns.attributes, columns.received)


def _origins(messages: Messages, unpacked: Unpacked) -> tuple[Words, npt.NDArray[np.int64]]:
    """(keys of positions, microseconds of publish time) of every event of the batch."""
    keys = words_of(messages.positions)
    if unpacked.number is None:
        return keys, messages.received
    message = np.asarray(unpacked.message, np.int64)
    return numbered(keys[message], np.asarray(unpacked.number, np.int64)), messages.received[message]


@functools.cache
def _no_unknown() -> pl.DataFrame:
    """Made once: most batches have none, and polars takes a millisecond for it."""
    columns = unknown_field_table().polars()
    return pl.DataFrame(schema={name: kind for name, kind in columns.items() if name != "batch_id"})


def _picked(frame: pl.DataFrame, rows: list[int]) -> pl.DataFrame:
    return frame if len(rows) == frame.height else frame[rows]


def _shards(tokens: pl.Series, shards: int) -> list[int]:
    return (tokens.str.head(SHARD_DIGITS).str.to_integer(base=16) % shards).to_list()


def _by_shard(shards: list[int]) -> dict[int, list[int]]:
    """Row numbers by shard, in order."""
    rows: dict[int, list[int]] = {}
    for row, shard in enumerate(shards):
        rows.setdefault(shard, []).append(row)
    return rows
