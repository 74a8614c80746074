"""Deduplication by the contract's identity: which events are new, which are duplicates, which came again.

A *redelivery* is the same accepted message once more: it is not counted again. A *duplicate* is another accepted
message
with the same identity. What tells them apart is the position: broker store, message id, index.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

HOUR = 3_600_000_000

HORIZON = 8 * 24 * HOUR
"""How long an identity is remembered, microseconds of broker publish time: longer than the subscription's 7 days."""


class Index(msgspec.Struct, array_like=True):
    """What one journal entry decided: enough to rebuild the state. Tokens and positions only.

    accepted: (event token, position, received) of every new event.
    dead, duplicates: (position, received) of every event counted as such.
    received is in microseconds of broker publish time.
    """

    accepted: list[tuple[str, str, int]] = msgspec.field(default_factory=list)
    dead: list[tuple[str, int]] = msgspec.field(default_factory=list)
    duplicates: list[tuple[str, int]] = msgspec.field(default_factory=list)

    @property
    def newest(self) -> int:
        """The latest publish time in it, 0 when it is empty."""
        times = [received for _, _, received in self.accepted]
        times += [received for _, received in self.dead]
        times += [received for _, received in self.duplicates]
        return max(times, default=0)


@dataclass
class Verdict:
    """Row numbers of one batch, each in exactly one list."""

    new: list[int] = field(default_factory=list)
    duplicates: list[int] = field(default_factory=list)
    redelivered: list[int] = field(default_factory=list)


class Deduplicator:
    """A cache of the journal: `learn` every entry's index, in order, and ask about the next batch.

    State is kept in buckets of an hour of publish time; a bucket older than the horizon is let go whole.
    """

    def __init__(self, horizon: int = HORIZON) -> None:
        self._horizon = horizon
        self._accepted: dict[str, str] = {}
        self._counted: set[str] = set()
        self._buckets: dict[int, tuple[list[str], list[str]]] = {}
        self._newest = 0

    def sort_out(self, tokens: Sequence[str], positions: Sequence[str]) -> Verdict:
        """Which rows are new. Changes nothing: the state learns from what was staged."""
        verdict = Verdict()
        here: dict[str, str] = {}
        duplicates: set[str] = set()
        for row, (token, position) in enumerate(zip(tokens, positions, strict=True)):
            known = self._accepted.get(token) or here.get(token)
            # the position before anything else: another version of contract, policy or keys may accept what was dead,
            # or give what was accepted another token
            if position in self._counted or position in duplicates or known == position:
                verdict.redelivered.append(row)
            elif known is None:
                here[token] = position
                verdict.new.append(row)
            else:
                duplicates.add(position)
                verdict.duplicates.append(row)
        return verdict

    def counted(self, position: str) -> bool:
        """Whether the event at this position was counted already: accepted, dead or duplicate."""
        return position in self._counted

    def learn(self, index: Index) -> None:
        """Take over what an entry decided."""
        for token, position, received in index.accepted:
            self._accepted[token] = position
            self._counted.add(position)
            tokens, positions = self._bucket(received)
            tokens.append(token)
            positions.append(position)
        for position, received in [*index.dead, *index.duplicates]:
            self._counted.add(position)
            self._bucket(received)[1].append(position)
        self._newest = max(self._newest, index.newest)
        self._forget()

    def _bucket(self, received: int) -> tuple[list[str], list[str]]:
        return self._buckets.setdefault(received // HOUR, ([], []))

    def _forget(self) -> None:
        oldest = (self._newest - self._horizon) // HOUR
        for hour in [hour for hour in self._buckets if hour < oldest]:
            tokens, positions = self._buckets.pop(hour)
            _drop(self._accepted, tokens)
            self._counted.difference_update(positions)

    def __len__(self) -> int:
        """Identities held."""
        return len(self._accepted)


def _drop(mapping: dict[str, str], keys: Iterable[str]) -> None:
    for key in keys:
        mapping.pop(key, None)
