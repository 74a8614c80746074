"""Staging and commit groups on create-if-absent objects.

Layout below a shard's name: `identity` (a random id, once), `entries/N`, `rows/N-<random>`, `groups/G`, `committed/G`.
An entry exists when `entries/N` does; its rows were written before, under a name of their own, so that an attempt
that lost
leaves nothing but an orphan. All of it is sealed under the journal's key.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import polars as pl

from dataflow.journal.entry import Entry, Head, decode_head, decode_rows, encode_head, encode_rows
from dataflow.keys import Sealer
from dataflow.objects import Objects
from dataflow.operators.deduplicate import Index


@dataclass(frozen=True)
class Group:
    """A run of entries that is written to every table under one id.

    number: counts from 0. first, last: entry numbers, both included.
    id: unique for ever: the journal's own random id and the number. It is the rows' `batch_id` and names the load jobs.
    """

    number: int
    first: int
    last: int
    id: str


class Taken(Exception):  # noqa: N818  (not an error: the existing entry wins)
    """The entry's number exists already; `entry` is what is there, without its rows: they may be committed."""

    def __init__(self, number: int, entry: Entry) -> None:
        super().__init__(f"entry {number} exists")
        self.number = number
        self.entry = entry


class Journal:
    """One shard's journal. One process writes it at a time, but nothing breaks when two do: the first entry wins."""

    def __init__(self, objects: Objects, sealer: Sealer, shard: str) -> None:
        self._objects = objects
        self._sealer = sealer
        self.shard = shard
        objects.create(f"{shard}/identity", uuid.uuid4().hex[:12].encode())
        self.id = objects.read(f"{shard}/identity").decode()
        numbers = self._numbers("entries")
        groups = self._numbers("groups")
        self.next_entry = numbers[-1] + 1 if numbers else 0
        self.next_group = groups[-1] + 1 if groups else 0

    def stage(self, entry: Entry) -> int:
        """Make the entry exist under the next number, durably; its number.

        Raises Taken when the number exists; the caller learns from that entry and stages the rest again.
        """
        number = self.next_entry
        name = self._name("rows", number) + f"-{uuid.uuid4().hex[:8]}"
        self._objects.create(name, self._seal(name, encode_rows(entry.rows)))
        head = self._name("entries", number)
        self.next_entry = number + 1
        if not self._objects.create(head, self._seal(head, encode_head(Head(entry.index, name, entry.consumed)))):
            self._objects.delete(name)
            raise Taken(number, Entry(self._head(number).index))
        return number

    def read(self, number: int) -> Entry:
        """An entry with its rows. Raises NorenError when there is none or its rows are gone (it was committed)."""
        head = self._head(number)
        return Entry(head.index, decode_rows(self._open(head.rows)))

    def indexes(self) -> Iterator[tuple[int, Index]]:
        """(number, index) of every entry that is kept, in order: what state is rebuilt from."""
        for number in self._numbers("entries"):
            yield number, self._head(number).index

    def uncommitted(self) -> Iterator[Index]:
        """Indexes of the entries that no commit is recorded for, also those that another process staged just now."""
        numbers = self._numbers("entries")
        groups = self.uncommitted_groups()
        grouped = {number for group in groups for number in range(group.first, group.last + 1)}
        recorded = self._numbers("groups")
        behind = self._group(recorded[-1]).last if recorded else -1
        for number in numbers:
            if number in grouped or number > behind:
                yield self._head(number).index

    def consumed(self) -> str:
        """What the last entry consumed; empty when there is none. `clean` always keeps the last."""
        numbers = self._numbers("entries")
        return self._head(numbers[-1]).consumed if numbers else ""

    def group(self, first: int, last: int) -> Group:
        """Record the bounds of the next group before its first write. Bounds that are recorded already win."""
        number = self.next_group
        name = self._name("groups", number)
        self._objects.create(name, self._seal(name, msgspec.msgpack.encode((first, last))))
        self.next_group = number + 1
        return self._group(number)

    def uncommitted_groups(self) -> list[Group]:
        """Groups whose bounds are recorded and whose commit is not, in order."""
        committed = set(self._numbers("committed"))
        return [self._group(number) for number in self._numbers("groups") if number not in committed]

    def ungrouped(self) -> range:
        """Numbers of the entries behind the last group."""
        groups = self._numbers("groups")
        if groups:
            return range(self._group(groups[-1]).last + 1, self.next_entry)
        numbers = self._numbers("entries")
        return range(numbers[0] if numbers else self.next_entry, self.next_entry)

    def commit(self, group: Group) -> None:
        """Record that every table has the group's rows, and delete the rows here."""
        name = self._name("committed", group.number)
        self._objects.create(name, self._seal(name, b""))
        for number in range(group.first, group.last + 1):
            self._objects.delete(self._head(number).rows)

    def clean(self, horizon: int) -> None:
        """Delete what a crash or time left: rows of committed groups, orphans, entries past the horizon.

        horizon: microseconds of publish time, counted back from the newest entry.
        """
        uncommitted = {n for group in self.uncommitted_groups() for n in range(group.first, group.last + 1)}
        uncommitted.update(self.ungrouped())
        needed = {self._head(number).rows for number in uncommitted}
        for name in list(self._objects.names(f"{self.shard}/rows")):
            if name not in needed:
                self._objects.delete(name)
        indexes = list(self.indexes())
        newest = max((index.newest for _, index in indexes), default=0)
        kept = {number for number, index in indexes if index.newest >= newest - horizon} | uncommitted
        groups = self._numbers("groups")
        for number in groups[:-1]:  # the last group stays: it says where the ungrouped entries begin
            group = self._group(number)
            entries = range(group.first, group.last + 1)
            if kept.isdisjoint(entries):
                for entry in entries:
                    self._objects.delete(self._name("entries", entry))
                # the group before its commit: a group without one would be written again
                self._objects.delete(self._name("groups", number))
                self._objects.delete(self._name("committed", number))
        for number in set(self._numbers("committed")) - set(groups):
            self._objects.delete(self._name("committed", number))

    def _group(self, number: int) -> Group:
        first, last = msgspec.msgpack.decode(self._open(self._name("groups", number)), type=tuple[int, int])
        return Group(number, first, last, f"{self.id}-{number:08d}")

    def _head(self, number: int) -> Head:
        return decode_head(self._open(self._name("entries", number)))

    def _name(self, kind: str, number: int) -> str:
        return f"{self.shard}/{kind}/{number:012d}"

    def _numbers(self, kind: str) -> list[int]:
        return sorted(int(name.rpartition("/")[2]) for name in self._objects.names(f"{self.shard}/{kind}"))

    def _seal(self, name: str, data: bytes) -> bytes:
        return self._sealer.seal(data, name.encode())

    def _open(self, name: str) -> bytes:
        return self._sealer.open(self._objects.read(name), name.encode())


def concatenate(entries: list[Entry]) -> dict[str, pl.DataFrame]:
    """The rows of several entries by role; a role without rows is left out."""
    roles = dict.fromkeys(role for entry in entries for role in entry.rows)
    frames = {role: pl.concat([entry.rows[role] for entry in entries if role in entry.rows]) for role in roles}
    return {role: frame for role, frame in frames.items() if not frame.is_empty()}
