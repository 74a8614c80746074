"""Deduplication by the contract's identity: which events are new, which are duplicates, which came again.

A *redelivery* is the same accepted message once more: it is not counted again. A *duplicate* is another accepted
message with the same identity. What tells them apart is the position: broker store, message id, index.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt

from dataflow.operators.index import Events, Index
from dataflow.operators.keys import words
from dataflow.operators.seen import Seen, first_of_each
from dataflow.operators.state import Changes, State

HOUR = 3_600_000_000

HORIZON = 8 * 24 * HOUR
"""How long an identity is remembered, microseconds of broker publish time: longer than the subscription's 7 days."""


@dataclass
class Verdict:
    """Row numbers of one batch, ascending, each in exactly one list."""

    new: list[int] = field(default_factory=list)
    duplicates: list[int] = field(default_factory=list)
    redelivered: list[int] = field(default_factory=list)


class Deduplicator:
    """A cache of the journal: `learn` every entry's index, and ask about the next batch.

    Tokens and positions are kept as 128-bit keys, each with its hour of publish time. What is older than the horizon
    counts as absent, and its room is used again.

    directory: of scratch files for what is not new. With one, an event takes about five bytes of memory and 48 of the
    disk beside a fixed 35 MB; without one about 70 bytes of memory.
    Raises NorenError where that disk has no room.
    """

    def __init__(self, horizon: int = HORIZON, directory: Path | None = None) -> None:
        self._horizon = horizon
        self._tokens, self._positions = Seen(directory), Seen(directory)
        self._newest = 0

    @classmethod
    def of(cls, state: State, horizon: int = HORIZON) -> Self:
        """Rebuilt from state that `changes` made."""
        deduplicator = cls(horizon)
        for bucket in state.buckets():
            for item in state.read(bucket):
                deduplicator.learn(msgspec.msgpack.decode(item, type=Index))
        return deduplicator

    def sort_out(self, events: Events) -> Verdict:
        """Which rows are new, of events with tokens. Changes nothing: the state learns from what was staged."""
        token_keys, position_keys = words(events.tokens), words(events.positions)
        # the position before anything else: another version of contract, policy or keys may accept what was dead, or
        # give what was accepted another token
        unseen = first_of_each(position_keys, ~self._positions.contains(position_keys))
        new = first_of_each(token_keys, unseen & ~self._tokens.contains(token_keys))
        return Verdict(*(np.flatnonzero(rows).tolist() for rows in (new, unseen & ~new, ~unseen)))

    def counted(self, events: Events) -> npt.NDArray[np.bool_]:
        """Whether each event was counted already, by its position: accepted, dead or duplicate."""
        return self._positions.contains(words(events.positions))

    def learn(self, index: Index) -> None:
        """Take over what an entry decided."""
        for events in index:
            if len(events):
                hours = (events.times // HOUR).astype(np.int32)
                self._positions.add(words(events.positions), hours)
                if events.tokens:
                    self._tokens.add(words(events.tokens), hours)
        self._newest = max(self._newest, index.newest)
        if self._newest:
            self._tokens.oldest = self._positions.oldest = max(
                (self._newest - self._horizon) // HOUR, self._tokens.oldest
            )

    def learn_taken(self, events: Events, now: int) -> None:
        """Take over what another driver accepted into the same tables: its tokens, as of publish time `now`.

        Its own times say nothing here: an import's are those of a clock, which may be wrong by years.
        """
        hour = max(now, self._newest) // HOUR
        self._tokens.add(words(events.tokens), np.full(len(events), hour, np.int32))

    def changes(self, index: Index, bucket: int) -> Changes:
        """What learning the index changes in a state whose buckets are `bucket` microseconds long.

        Buckets that the horizon passed are dropped by whoever keeps the state, which knows what buckets there are.
        """
        return Changes(added={at: [msgspec.msgpack.encode(part)] for at, part in index.by(bucket).items()})

    def close(self) -> None:
        """Give up what is on the disk; nothing can be asked then."""
        self._tokens.close()
        self._positions.close()

    @property
    def bytes(self) -> int:
        """Memory of the state."""
        return self._tokens.bytes + self._positions.bytes

    @property
    def disk_bytes(self) -> int:
        """What of the state is on the disk."""
        return self._tokens.disk_bytes + self._positions.disk_bytes

    @property
    def items(self) -> int:
        """Identities held, some of them perhaps past the horizon."""
        return self._tokens.used


__all__ = ["HORIZON", "HOUR", "Deduplicator", "Events", "Index", "Verdict"]
