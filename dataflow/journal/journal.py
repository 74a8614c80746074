"""Staging and commit groups on create-if-absent objects. See README.md for the protocol and the objects."""

import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import polars as pl

from dataflow.errors import NorenError
from dataflow.journal.entry import (
    Entry,
    Head,
    decode_entry,
    decode_entry_head,
    decode_head,
    encode_entry,
    encode_head,
    head_of,
)
from dataflow.journal.folds import Fold, due, fold_heads, whole, without_events
from dataflow.journal.progress import OutputProgress
from dataflow.keys import Sealer
from dataflow.objects import Objects
from dataflow.operators.index import Index


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
    """One shard's journal. One process writes it at a time: the one that began last; another is told at its next step.

    kind: begins the id of a journal that is made now, and so the `batch_id` of its rows.
    It may be used by several threads: one that stages, one that commits, and those that put out.
    """

    def __init__(self, objects: Objects, sealer: Sealer, shard: str, kind: str = "") -> None:
        self._objects = objects
        self._sealer = sealer
        self.shard = shard
        objects.create(f"{shard}/identity", (kind + uuid.uuid4().hex[:12]).encode())
        self.id = objects.read(f"{shard}/identity").decode()
        self._lock = threading.Lock()
        self._term: int | None = None
        self._missed: list[Fold] = []  # committed by another process since this one opened the journal
        self._heads: dict[int, Head] = {}  # of entries that this process staged and did not commit
        self._held: dict[str, int] = {}  # output -> number of the last entry that it has
        self._folds, _ = self._found_folds()
        entries, groups = self._numbers("entries"), self._numbers("groups")
        self._oldest = entries[0] if entries else self.frontier + 1
        self.next_entry = max([self.frontier, *entries]) + 1
        self.next_group = max([self._last_group, *groups]) + 1

    @property
    def frontier(self) -> int:
        """Number of the last committed entry, -1 when there is none."""
        return self._folds[-1].last if self._folds else -1

    def stage(self, entry: Entry) -> int:
        """Make the entry exist under the next number, durably; its number.

        Raises Taken when the number exists; the caller learns from that entry and stages the rest again. Raises
        NorenError when another process writes this journal by now.
        """
        self._begin()
        if self._missed:
            missed, self._missed = self._missed, []
            head = fold_heads([self._fold_head(fold) for fold in missed])
            raise Taken(missed[-1].last, Entry(head.index, consumed=head.consumed, state=head.state))
        number = self.next_entry
        name = self._name("entries", number)
        self.next_entry = number + 1
        if not self._objects.create(name, self._seal(name, encode_entry(entry))):
            head = self._head(number)
            raise Taken(number, Entry(head.index, consumed=head.consumed, state=head.state))
        self._check_term()
        self._heads[number] = head_of(entry)
        return number

    def read(self, number: int) -> Entry:
        """An entry with its rows. Raises NorenError when there is none or its rows are gone."""
        return decode_entry(self._open(self._name("entries", number)))

    def heads(self, behind: int = -1) -> Iterator[tuple[int, Head]]:
        """(number of the last entry, head) of every fold and of every entry that is not committed, in order: what state
        is rebuilt from. Another process may write meanwhile.

        behind: only what says something of entries behind this number.
        """
        told = behind
        while True:
            numbers = self._numbers("entries")  # before the folds: what is committed in between is then found there
            folds = self._found_folds()[0]
            try:
                for fold in folds:
                    if fold.last > told:
                        head = self._fold_head(fold)
                        yield fold.last, head
                        told = fold.last
                for number in numbers:
                    if number > told:
                        head = self._head(number)
                        yield number, head
                        told = number
                return
            except NorenError:
                if folds == self._found_folds()[0]:
                    raise  # else another process folded while this one read

    def last(self) -> int:
        """Number of the last entry, committed or not, whoever wrote it; -1 when there is none."""
        numbers = self._numbers("entries")
        folds = self._found_folds()[0]
        return max([*numbers, *(fold.last for fold in folds[-1:])], default=-1)

    def newest(self) -> int:
        """Publish time of the newest committed event, microseconds, whoever wrote it; 0 when there is none."""
        return max((fold.newest for fold in self._found_folds()[0]), default=0)

    def indexes(self) -> Iterator[tuple[int, Index]]:
        """The same, indexes alone."""
        for number, head in self.heads():
            yield number, head.index

    def uncommitted(self) -> Iterator[Index]:
        """Indexes of the entries that no commit is recorded for, also those that another process staged just now."""
        numbers = self._numbers("entries")
        folds, _ = self._found_folds()
        for number in numbers:
            if not folds or number > folds[-1].last:
                try:
                    yield self._head(number).index
                except NorenError:
                    if self._objects_has("entries", number):
                        raise  # else it was committed in between

    def consumed(self) -> str:
        """What the last entry consumed; empty when there is none. `clean` always keeps the last."""
        numbers = [number for number in self._numbers("entries") if number > self.frontier]
        if numbers:
            return self._head(numbers[-1]).consumed
        return decode_head(self._open(self._fold_name(self._folds[-1]))).consumed if self._folds else ""

    def group(self, first: int, last: int) -> Group:
        """Record the bounds of the next group before its first write. Bounds that are recorded already win."""
        self._begin()
        number = self.next_group
        name = self._name("groups", number)
        self._objects.create(name, self._seal(name, msgspec.msgpack.encode((first, last))))
        self.next_group = number + 1
        self._check_term()
        return self._group(number)

    def uncommitted_groups(self) -> list[Group]:
        """Groups whose bounds are recorded and whose commit is not, in order."""
        return [self._group(number) for number in self._numbers("groups") if number > self._last_group]

    def ungrouped(self) -> range:
        """Numbers of the entries behind the last group."""
        groups = self.uncommitted_groups()
        return range((groups[-1].last if groups else self.frontier) + 1, self.next_entry)

    def commit(self, group: Group) -> None:
        """Record that every table has the group's rows. Their heads stay, folded with those before when it is time; the
        entries go when every output has them."""
        self._begin()
        head = fold_heads([self._heads.get(n) or self._head(n) for n in range(group.first, group.last + 1)])
        fold = Fold(group.number, group.number, group.first, group.last, len(head.index), head.index.newest)
        self._record(fold, head)
        self._check_term()
        for number in range(group.first, group.last + 1):
            self._heads.pop(number, None)
        self._objects.delete(self._name("groups", group.number))
        with self._lock:
            self._folds.append(fold)
        self._let_go()
        while parts := due(self._folds):
            self._replace(parts, fold_heads([self._fold_head(part) for part in parts]))

    def hold(self, outputs: Mapping[str, int]) -> None:
        """From now on entries that one of these outputs does not have keep their rows, committed or not.

        outputs: name -> number of the last entry that it has, -1 for none.
        """
        with self._lock:
            self._held = dict(outputs)

    def put_out(self, output: str, number: int) -> None:
        """The output has all entries up to this number."""
        with self._lock:
            self._held[output] = number
        self._let_go()

    def progress(self, output: str) -> OutputProgress:
        """How far an output is."""
        return OutputProgress(self._objects, self.shard, output)

    def kept(self, behind: int) -> list[int]:
        """Numbers of the entries behind this one whose rows are there, in order."""
        return [number for number in self._numbers("entries") if number > behind]

    def clean(self, horizon: int) -> None:
        """Delete what a crash or time left: parts of folds, bounds of committed groups, entries that nobody needs, and
        events past the horizon.

        horizon: microseconds of publish time, counted back from the newest event.
        """
        self._begin()
        for part in self._found_folds()[1]:
            self._objects.delete(self._fold_name(part))
        for number in self._numbers("groups"):
            if number <= self._last_group:
                self._objects.delete(self._name("groups", number))
        self._oldest = min([*self._numbers("entries"), self._oldest])
        self._let_go()
        self.forget(horizon)

    def forget(self, horizon: int) -> None:
        """Delete folds whose events are past the horizon, but the last; operators' state in them is handed on."""
        newest = max((fold.newest for fold in self._folds), default=0)
        while len(self._folds) > 1 and self._folds[0].newest < newest - horizon:
            oldest, after = self._folds[:2]
            left = without_events(self._fold_head(oldest))
            if left is not None:
                self._replace([oldest, after], fold_heads([left, self._fold_head(after)]))
                continue
            self._objects.delete(self._fold_name(oldest))
            with self._lock:
                del self._folds[0]

    @property
    def _last_group(self) -> int:
        return self._folds[-1].last_group if self._folds else -1

    def _begin(self) -> None:
        """Take the journal over from whoever wrote it before, at the first write.

        Whoever began earlier finds the newer term behind its next write and stops; whatever it wrote before that is
        found here, for a term is written before the entries are listed.
        """
        if self._term is not None:
            return
        term = max(self._numbers("terms"), default=-1) + 1
        while not self._objects.create(self._name("terms", term), b""):
            term += 1
        self._term = term
        for number in self._numbers("terms"):
            if number < term:
                self._objects.delete(self._name("terms", number))
        with self._lock:
            self._folds, _ = self._found_folds()
        self._missed = [fold for fold in self._folds if fold.last >= self.next_entry]
        self.next_entry = max(self.next_entry, self.frontier + 1)
        self.next_group = max(self.next_group, self._last_group + 1)

    def _check_term(self) -> None:
        if max(self._numbers("terms")) != self._term:
            raise NorenError(f"{self.shard}: another process writes this journal too; stop it.")

    def _record(self, fold: Fold, head: Head) -> None:
        name = self._fold_name(fold)
        self._objects.create(name, self._seal(name, encode_head(head)))

    def _replace(self, parts: Sequence[Fold], head: Head) -> None:
        """Make one fold of neighbours."""
        index = head.index
        fold = Fold(
            parts[0].first_group, parts[-1].last_group, parts[0].first, parts[-1].last, len(index), index.newest
        )
        self._record(fold, head)
        for part in parts:
            self._objects.delete(self._fold_name(part))
        with self._lock:
            at = self._folds.index(parts[0])
            self._folds[at : at + len(parts)] = [fold]

    def _let_go(self) -> None:
        """Delete the entries that are committed and that every output has."""
        with self._lock:
            last = min([self.frontier, *self._held.values()])
            numbers, self._oldest = range(self._oldest, last + 1), max(self._oldest, last + 1)
        for number in numbers:
            self._objects.delete(self._name("entries", number))

    def _found_folds(self) -> tuple[list[Fold], list[Fold]]:
        names = self._objects.names(f"{self.shard}/indexes")
        return whole([Fold.named(name.rpartition("/")[2]) for name in names])

    def _fold_head(self, fold: Fold) -> Head:
        return decode_head(self._open(self._fold_name(fold)))

    def _fold_name(self, fold: Fold) -> str:
        return f"{self.shard}/indexes/{fold.name}"

    def _group(self, number: int) -> Group:
        first, last = msgspec.msgpack.decode(self._open(self._name("groups", number)), type=tuple[int, int])
        return Group(number, first, last, f"{self.id}-{number:08d}")

    def _head(self, number: int) -> Head:
        return decode_entry_head(self._open(self._name("entries", number)))

    def _name(self, kind: str, number: int) -> str:
        return f"{self.shard}/{kind}/{number:012d}"

    def _objects_has(self, kind: str, number: int) -> bool:
        return number in self._numbers(kind)

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
