"""A set of 128-bit keys, each with the hour that it was last added in: 20 bytes a slot, no objects.

Open addressing with linear probing in 16 parts by the second word's first bits, so that growing stops the pipeline for
a sixteenth of the time. Keys are digests, so their bits are even already. A part is at most three quarters full. Where
there is a directory, memory holds the latest `MOST` keys only, and sorted runs on the disk the others.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dataflow.compiled.loop import allocating, compiled
from dataflow.operators.runs import Runs

PARTS_BITS = 4
FIRST_SLOTS = 64
EMPTY = -(1 << 31)
"""The hour of an empty slot."""

MOST = 1 << 19
"""Keys in memory where others may go to the disk: 10 to 20 MB, two minutes of 5,000 events a second."""

Words = npt.NDArray[np.uint64]
Hours = npt.NDArray[np.int32]
Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@compiled
def _slot(high: Words, low: Words, hours: Hours, key_high: np.uint64, key_low: np.uint64) -> int:
    """Where the key is, or the empty slot where it belongs."""
    size = len(hours)
    # the low word's bits behind those of the part spread over the slots: any size will do, not only powers of two
    slot = np.int64((((key_low << np.uint64(PARTS_BITS)) >> np.uint64(32)) * np.uint64(size)) >> np.uint64(32))
    while hours[slot] != EMPTY and (low[slot] != key_low or high[slot] != key_high):
        slot += 1
        if slot == size:
            slot = np.int64(0)
    return slot


@compiled
def _contains(high: Words, low: Words, hours: Hours, keys: Words, rows: Rows, oldest: int, found: Mask) -> None:
    for index in range(len(rows)):
        row = rows[index]
        found[row] = hours[_slot(high, low, hours, keys[row, 0], keys[row, 1])] >= oldest


@compiled
def _add(high: Words, low: Words, hours: Hours, keys: Words, rows: Rows, at: Hours) -> int:
    """Adds keys[row] with the hour at[row]; the number of slots that were empty before."""
    fresh = 0
    for index in range(len(rows)):
        row = rows[index]
        slot = _slot(high, low, hours, keys[row, 0], keys[row, 1])
        if hours[slot] == EMPTY:
            fresh += 1
            high[slot], low[slot] = keys[row, 0], keys[row, 1]
        hours[slot] = max(hours[slot], at[row])
    return fresh


@allocating
def first_of_each(keys: Words, wanted: Mask) -> Mask:
    """Whether each wanted row is the first wanted one with its key; False for the others."""
    size = 2 * len(keys) + 1
    high, low = np.empty(size, np.uint64), np.empty(size, np.uint64)
    hours = np.full(size, EMPTY, np.int32)
    first = np.zeros(len(keys), np.bool_)
    for row in range(len(keys)):
        if wanted[row]:
            slot = _slot(high, low, hours, keys[row, 0], keys[row, 1])
            if hours[slot] == EMPTY:
                high[slot], low[slot], hours[slot] = keys[row, 0], keys[row, 1], 0
                first[row] = True
    return first


@allocating
def _by_part(keys: Words) -> tuple[Rows, Rows]:
    """(rows by part, in order within it; where each part begins, and the end)."""
    bounds = np.zeros((1 << PARTS_BITS) + 1, np.int64)
    shift = np.uint64(64 - PARTS_BITS)
    for row in range(len(keys)):
        bounds[np.int64(keys[row, 1] >> shift) + 1] += 1
    for part in range(1 << PARTS_BITS):
        bounds[part + 1] += bounds[part]
    free = bounds[:-1].copy()
    order = np.empty(len(keys), np.int64)
    for row in range(len(keys)):
        at = np.int64(keys[row, 1] >> shift)
        order[free[at]] = row
        free[at] += 1
    return order, bounds


class _Part:
    """One of the tables."""

    def __init__(self, slots: int = FIRST_SLOTS) -> None:
        self.high, self.low = np.zeros(slots, np.uint64), np.zeros(slots, np.uint64)
        self.hours = np.full(slots, EMPTY, np.int32)
        self.used = 0

    def make_room(self, more: int, oldest: int) -> "_Part":
        """This table where `more` keys fit, else a larger one, without the keys older than `oldest`."""
        if (self.used + more) * 4 <= len(self.hours) * 3:
            return self
        kept = np.flatnonzero(self.hours >= oldest)
        room = _Part(max(FIRST_SLOTS, (len(kept) + more) * 2))
        keys = np.column_stack((self.high[kept], self.low[kept]))
        room.used = _add(room.high, room.low, room.hours, keys, np.arange(len(kept)), self.hours[kept])
        return room

    def records(self, oldest: int) -> Words:
        """What is not older than `oldest`, sorted by the second word: a key's two words, and its hour."""
        kept = np.flatnonzero(self.hours >= oldest)
        kept = kept[np.argsort(self.low[kept])]
        return np.column_stack((self.high[kept], self.low[kept], self.hours[kept].astype(np.uint64)))

    def clear(self) -> None:
        """Empty, and as large."""
        self.hours.fill(EMPTY)
        self.used = 0


class Seen:
    """The set. Keys are rows of an (n, 2) array of uint64; hours count in publish time, from 0 on.

    directory: of the keys that have no room in memory; without one all of them are there. most: how many have.
    oldest: keys of an earlier hour count as absent, and their room is used again when a part grows.
    Raises NorenError where the disk has no room.
    """

    def __init__(self, directory: Path | None = None, most: int = MOST) -> None:
        self._parts = [_Part() for _ in range(1 << PARTS_BITS)]
        self._runs = Runs(directory) if directory is not None else None
        self._most = most
        self.oldest = EMPTY + 1

    def contains(self, keys: Words) -> Mask:
        found = np.zeros(len(keys), np.bool_)
        for part, rows in self._split(keys):
            table = self._parts[part]
            _contains(table.high, table.low, table.hours, keys, rows, self.oldest, found)
        if self._runs is not None:
            self._runs.contains(keys, self.oldest, found)
        return found

    def add(self, keys: Words, hours: Hours) -> None:
        if self._runs is not None:
            self._runs.tend(self.oldest)
            if (used := self._used) and used + len(keys) > self._most:
                self._runs.add((part.records(self.oldest) for part in self._parts), used, self.oldest)
                for part in self._parts:
                    part.clear()
        for number, rows in self._split(keys):
            table = self._parts[number] = self._parts[number].make_room(len(rows), self.oldest)
            table.used += _add(table.high, table.low, table.hours, keys, rows, hours)

    def wait(self) -> None:
        """Until what goes on beside is done: the disk's part is as small as it becomes."""
        if self._runs is not None:
            self._runs.wait(self.oldest)

    def close(self) -> None:
        """Give up what is on the disk."""
        if self._runs is not None:
            self._runs.close()

    def _split(self, keys: Words) -> list[tuple[int, Rows]]:
        """(part, its rows in order) of the parts that have rows."""
        order, bounds = _by_part(keys)
        return [(part, order[start:end]) for part, (start, end) in enumerate(pairwise(bounds.tolist())) if start < end]

    @property
    def bytes(self) -> int:
        """Memory held."""
        tables = sum(part.high.nbytes + part.low.nbytes + part.hours.nbytes for part in self._parts)
        return tables + (self._runs.bytes if self._runs is not None else 0)

    @property
    def disk_bytes(self) -> int:
        return self._runs.disk_bytes if self._runs is not None else 0

    @property
    def used(self) -> int:
        """Places of keys that are taken, in memory and on the disk; some of the keys may be older than `oldest`."""
        return self._used + (self._runs.keys if self._runs is not None else 0)

    @property
    def _used(self) -> int:
        return sum(part.used for part in self._parts)
