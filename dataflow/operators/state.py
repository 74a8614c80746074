"""The one state interface of all operators: small items in buckets of time, appended and dropped.

An operator never writes state while it computes. It reads the state and gives `Changes`; the driver makes these durable
together with the operator's rows (the pull loop: in the journal entry; Beam: in the bundle), then applies them. So
state is a cache of what was made durable, and is rebuilt by applying the changes again, in order.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec


class Changes(msgspec.Struct, array_like=True):
    """What one step does to the state of one operator: first `dropped`, then `added`.

    dropped: buckets whose items are forgotten. A bucket in both is replaced.
    added: bucket -> items appended to it, in order. An item is opaque bytes of a few KiB at most; it holds tokens,
    positions, counts and sketches, no raw value but where an operator says so in its README: the journal that keeps
    changes is sealed.
    """

    dropped: list[int] = msgspec.field(default_factory=list)
    added: dict[int, list[bytes]] = msgspec.field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.dropped or self.added)

    def then(self, later: "Changes") -> "Changes":
        """One change that does what this one and then the later one do: what the journal folds its entries by."""
        gone = set(later.dropped)
        added = {bucket: list(items) for bucket, items in self.added.items() if bucket not in gone}
        for bucket, items in later.added.items():
            added.setdefault(bucket, []).extend(items)
        return Changes(sorted({*self.dropped, *gone}), added)


class State(Protocol):
    """The state of one operator (and, where a driver splits the work, of one shard of it), to be read.

    Buckets are integers that grow with time, as a rule microseconds of publish or event time divided by the bucket's
    length. A driver may keep only some tens of thousands of buckets: drop what is closed.
    """

    def buckets(self) -> Sequence[int]:
        """Buckets that hold items, in ascending order."""

    def read(self, bucket: int) -> Sequence[bytes]:
        """Items of a bucket, in the order that they were added; none for an unknown bucket."""


class LocalState:
    """State in this process: a cache of the journal's changes."""

    def __init__(self, changes: Iterable[Changes] = ()) -> None:
        self._items: dict[int, list[bytes]] = {}
        self.bytes = 0
        """Of all items held."""
        for change in changes:
            self.apply(change)

    def buckets(self) -> Sequence[int]:
        return sorted(self._items)

    def read(self, bucket: int) -> Sequence[bytes]:
        return tuple(self._items.get(bucket, ()))

    def apply(self, changes: Changes) -> None:
        """Take over what was made durable."""
        for bucket in changes.dropped:
            self.bytes -= sum(map(len, self._items.pop(bucket, ())))
        for bucket, items in changes.added.items():
            if items:
                self._items.setdefault(bucket, []).extend(items)
                self.bytes += sum(map(len, items))

    def changes(self) -> Changes:
        """The one change that makes an empty state this one."""
        return Changes(added={bucket: list(items) for bucket, items in sorted(self._items.items())})


StateByOperator = Mapping[str, Changes]
"""Changes by the operator's name: what one journal entry carries."""
