"""One shard's deduplication state in Beam: small items in a ring of days, each day a bag of its own.

A bag is only appended to, and cleared whole when the horizon has passed its day; nothing is ever written as one big
snapshot. Bags and values are the state that every runner has (https://beam.apache.org/documentation/runners/capability-matrix/).
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from dataflow.operators.deduplicate import HORIZON, HOUR, Index

DAY = 24 * HOUR

DAYS = HORIZON // DAY + 2
"""Bags in the ring: the horizon begins and ends within a day, so it touches one more, and one is free."""


class Head(msgspec.Struct, array_like=True):
    """version: names this very state. newest: publish time. days: slot -> day that its bag holds."""

    version: str = ""
    newest: int = 0
    days: dict[int, int] = msgspec.field(default_factory=dict)


_HEAD = msgspec.msgpack.Decoder(Head)
_INDEX = msgspec.msgpack.Decoder(Index)


class DayBags:
    """The state of one shard, for one element.

    head: a ReadModifyWrite state of bytes. bags: DAYS bag states of bytes.
    """

    def __init__(self, head: Any, bags: list[Any]) -> None:
        self._head = head
        self._bags = bags
        encoded = head.read()
        self._at = _HEAD.decode(encoded) if encoded else Head()

    @property
    def version(self) -> str:
        """Empty for a shard that was never written."""
        return self._at.version

    def read(self) -> Iterator[Index]:
        """Every item, oldest day first."""
        for slot, _ in sorted(self._at.days.items(), key=lambda item: item[1]):
            for item in self._bags[slot].read():
                yield _INDEX.decode(item)

    def add(self, index: Index, version: str) -> None:
        """Append what was decided, let go of days past the horizon, and name the state anew.

        version: never used before; it says whether what a process remembers of the shard is this very state.
        """
        newest = max(self._at.newest, index.newest)
        oldest = (newest - HORIZON) // DAY
        days = {slot: day for slot, day in self._at.days.items() if day >= oldest}
        for slot in self._at.days.keys() - days.keys():
            self._bags[slot].clear()
        for day, part in index.by(DAY).items():
            if day >= oldest:
                slot = day % DAYS
                days[slot] = day
                self._bags[slot].add(msgspec.msgpack.encode(part))
        self._at = Head(version, newest, days)
        self._head.write(msgspec.msgpack.encode(self._at))
