"""Folds: the heads of committed entries in few, larger objects, so that a restart reads hundreds and not millions.

A fold is the object `indexes/<first group>-<last group>-<first entry>-<last entry>-<events>-<newest>`; its name says
what is to be known without opening it. A committed group is a fold of one. FAN folds of the same number of groups
become one, create-if-absent, then the parts are deleted: what a crash leaves in between are parts inside of a whole,
which count as deleted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dataflow.journal.entry import Head
from dataflow.operators.index import Index, joined
from dataflow.operators.state import Changes

FAN = 32

MOST_EVENTS = 500_000
"""Of a fold that is made of others: 20 MB of keys and times."""


@dataclass(frozen=True, order=True)
class Fold:
    """Groups first_group..last_group, which are the entries first..last; all bounds included.

    events: in its index. newest: their latest publish time, microseconds; 0 without events.
    """

    first_group: int
    last_group: int
    first: int
    last: int
    events: int
    newest: int

    @property
    def name(self) -> str:
        return (
            f"{self.first_group:012d}-{self.last_group:012d}-{self.first:012d}-{self.last:012d}"
            f"-{self.events}-{self.newest}"
        )

    @classmethod
    def named(cls, name: str) -> "Fold":
        return cls(*map(int, name.split("-")))

    @property
    def groups(self) -> int:
        return self.last_group - self.first_group + 1


def whole(folds: Sequence[Fold]) -> tuple[list[Fold], list[Fold]]:
    """(folds that stand, in order; parts inside of one that stands, to be deleted)."""
    stand: list[Fold] = []
    parts: list[Fold] = []
    for fold in sorted(folds, key=lambda fold: (fold.first_group, -fold.last_group)):
        (parts if stand and fold.last_group <= stand[-1].last_group else stand).append(fold)
    return stand, parts


def due(folds: Sequence[Fold]) -> Sequence[Fold]:
    """The folds at the end that are to become one; none when it is too early."""
    tail = folds[-FAN:]
    alike = len(tail) == FAN and len({fold.groups for fold in tail}) == 1
    return tail if alike and sum(fold.events for fold in tail) <= MOST_EVENTS else ()


def fold_heads(heads: Sequence[Head]) -> Head:
    """One head that says what all of them say, in order."""
    state: dict[str, Changes] = {}
    for head in heads:
        for name, changes in head.state.items():
            state[name] = state[name].then(changes) if name in state else changes
    consumed = next((head.consumed for head in reversed(heads) if head.consumed), "")
    return Head(joined(head.index for head in heads), consumed, state)


def without_events(head: Head) -> Head | None:
    """What is left of the oldest fold when its events are past the horizon; None when nothing is."""
    # nothing is older than the oldest: there is nothing to drop
    state = {name: Changes(added=changes.added) for name, changes in head.state.items() if changes.added}
    return Head(Index(), head.consumed, state) if state else None
