"""Sorted runs: keys that have no room in memory, on the disk, with little more than two bytes each in memory.

As in a log-structured merge tree (O'Neil, Cheng, Gawlick, O'Neil 1996): a run is never changed, and FAN runs of one
level become one of the next. A run is sorted by the key's second word, whose bits are even. In memory stands, in the
same order, the part of that word which follows the bucket's bits: 16 bits, so that a key that is not there is looked
for on the disk once in 2,000 times, and one that is there is found with one read.

Runs are scratch: files without a name, gone with the process. What they hold is in the journal.
"""

import errno
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dataflow.compiled.loop import compiled
from dataflow.errors import NorenError

Words = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]
Starts = npt.NDArray[np.uint32]
Prints = npt.NDArray[np.uint16]

FAN = 8

KEYS_A_BUCKET = 32
"""At most twice as many, for the number of buckets is a power of two."""

CHUNK = 1 << 16
"""Keys that a merge has in memory, about."""

MOST_RUNS = 8 * FAN
"""Where keys come faster than merges go, as at a start from the journal, they wait: each run is an open file, and is
asked for every key."""

MOST_KEYS = (1 << 32) - 1
"""Of a run: a number of 32 bits counts them."""

RECORD = 24
"""Bytes of a record: two words of the key, and the hour."""


@compiled
def _describe(records: Words, bits: int, starts: Starts, prints: Prints, at: int) -> None:
    """Counts the records in their buckets, one behind, and takes their fingerprints from `at` on."""
    for row in range(len(records)):
        low = records[row, 1]
        starts[np.int64(low >> np.uint64(64 - bits)) + 1] += np.uint32(1)
        prints[at + row] = np.uint16((low >> np.uint64(48 - bits)) & np.uint64(0xFFFF))


@compiled
def _look(
    starts: Starts, prints: Prints, bits: int, keys: Words, found: Mask, rows: Numbers, firsts: Numbers, ends: Numbers
) -> int:
    """Fills in the rows that are not found yet and may be here, each with the bounds of the records to read; how many
    these are."""
    hits = 0
    for row in range(len(keys)):
        if found[row]:
            continue
        low = keys[row, 1]
        bucket = np.int64(low >> np.uint64(64 - bits))
        wanted = np.uint16((low >> np.uint64(48 - bits)) & np.uint64(0xFFFF))
        first, beyond = np.int64(starts[bucket]), np.int64(starts[bucket + 1])
        end = beyond
        while first < end:
            middle = (first + end) >> 1
            if prints[middle] < wanted:
                first = middle + 1
            else:
                end = middle
        while end < beyond and prints[end] == wanted:
            end += 1
        if end > first:
            rows[hits], firsts[hits], ends[hits] = row, first, end
            hits += 1
    return hits


@compiled
def _compare(
    records: Words, rows: Numbers, firsts: Numbers, ends: Numbers, hits: int, keys: Words, oldest: int, found: Mask
) -> None:
    """Marks the rows whose key is among their records; these stand one row's after the other's."""
    at = 0
    for hit in range(hits):
        row = rows[hit]
        for record in range(at, at + ends[hit] - firsts[hit]):
            if (
                records[record, 1] == keys[row, 1]
                and records[record, 0] == keys[row, 0]
                and np.int64(records[record, 2]) >= oldest
            ):
                found[row] = True
        at += ends[hit] - firsts[hit]


class Run:
    """Records of one file, sorted by their second word.

    level: how often what is in it was merged. newest: the latest hour in it.
    """

    def __init__(self, descriptor: int, starts: Starts, prints: Prints, level: int, newest: int) -> None:
        self._descriptor = descriptor
        self._starts, self._prints = starts, prints
        self._bits = (len(starts) - 1).bit_length() - 1
        self.level, self.newest = level, newest

    def __len__(self) -> int:
        return len(self._prints)

    @property
    def bytes(self) -> int:
        """Memory held."""
        return self._starts.nbytes + self._prints.nbytes

    def contains(self, keys: Words, oldest: int, found: Mask) -> None:
        """Marks the rows whose key is here with an hour that is not before `oldest`."""
        rows, firsts, ends = (np.empty(len(keys), np.int64) for _ in range(3))
        hits = _look(self._starts, self._prints, self._bits, keys, found, rows, firsts, ends)
        if not hits:
            return
        records = np.empty((int((ends[:hits] - firsts[:hits]).sum()), 3), np.uint64)
        room, at = memoryview(records).cast("B"), 0
        for first, end in zip(firsts[:hits].tolist(), ends[:hits].tolist(), strict=True):
            size = (end - first) * RECORD
            self._read(room[at : at + size], first)
            at += size
        _compare(records, rows, firsts, ends, hits, keys, oldest, found)

    def records(self, prefix: int, bits: int) -> Words:
        """Those whose second word begins with these bits."""
        if bits > self._bits:
            wider = self.records(prefix >> (bits - self._bits), self._bits)
            those: Words = wider[wider[:, 1] >> np.uint64(64 - bits) == prefix]
            return those
        deeper = self._bits - bits
        first, end = int(self._starts[prefix << deeper]), int(self._starts[(prefix + 1) << deeper])
        records = np.empty((end - first, 3), np.uint64)
        if len(records):
            self._read(memoryview(records).cast("B"), first)
        return records

    def _read(self, room: memoryview, first: int) -> None:
        done = 0
        while done < len(room):
            try:
                count = os.preadv(self._descriptor, [room[done:]], first * RECORD + done)
            except OSError as error:
                raise NorenError(
                    f"the identities of deduplication cannot be read from the disk: {error.strerror}; start again."
                ) from None
            if not count:
                raise NorenError("the identities of deduplication on the disk are cut short; start again.")
            done += count

    def close(self) -> None:
        os.close(self._descriptor)


def write(chunks: Iterable[Words], most: int, level: int, directory: Path) -> Run:
    """A run of these records, each chunk sorted and behind the one before; at most `most` of them.

    Raises NorenError where the disk has no room for them.
    """
    bits = max(1, (most // KEYS_A_BUCKET).bit_length() - 1)
    starts, prints = np.zeros((1 << bits) + 1, np.uint32), np.empty(most, np.uint16)
    count, newest = 0, 0
    try:
        with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
            for records in chunks:
                _describe(records, bits, starts, prints, count)
                rest = memoryview(records).cast("B") if len(records) else memoryview(b"")
                while rest:
                    rest = rest[file.write(rest) :]
                count += len(records)
                newest = max(newest, int(records[:, 2].max(initial=0)))
            np.cumsum(starts, out=starts)
            prints = prints if count == most else prints[:count].copy()
            descriptor = os.dup(file.fileno())
    except OSError as error:
        raise NorenError(
            f"{directory}: the identities of deduplication cannot be written: {error.strerror}; {_way_out(error)}"
        ) from None
    return Run(descriptor, starts, prints, level, newest)


def _way_out(error: OSError) -> str:
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "let processes have more open files."
    return "make room, start again."


class Runs:
    """The runs of one set. Used by one thread; merges go on in another."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._runs: list[Run] = []
        self._merge: _Merge | None = None

    @property
    def bytes(self) -> int:
        """Memory held."""
        return sum(run.bytes for run in self._runs)

    @property
    def keys(self) -> int:
        return sum(map(len, self._runs))

    @property
    def disk_bytes(self) -> int:
        return RECORD * self.keys

    def contains(self, keys: Words, oldest: int, found: Mask) -> None:
        """Marks the rows whose key is in a run with an hour that is not before `oldest`."""
        for run in reversed(self._runs):
            if run.newest >= oldest:
                run.contains(keys, oldest, found)

    def add(self, chunks: Iterable[Words], most: int, oldest: int) -> None:
        """One more run. Runs of hours before `oldest` are let go.

        Raises NorenError where the disk has no room, also for a merge that was begun before.
        """
        self._runs.append(write(chunks, most, 0, self._directory))
        self.tend(oldest)
        while len(self._runs) >= MOST_RUNS and self._merge is not None:
            self._merge.join()
            self.tend(oldest)

    def tend(self, oldest: int) -> None:
        """Take over what was merged, let go of what is before `oldest`, begin the next merge. Costs next to nothing.

        Raises NorenError where the disk has no room for a merge.
        """
        if self._merge is not None:
            if self._merge.is_alive():
                return
            self._take_merged(self._merge)
        for run in [run for run in self._runs if run.newest < oldest]:
            self._runs.remove(run)
            run.close()
        for level in sorted({run.level for run in self._runs}):
            alike = [run for run in self._runs if run.level == level][:FAN]
            if len(alike) == FAN and sum(map(len, alike)) <= MOST_KEYS:
                merge = _Merge(alike, oldest, self._directory)
                merge.start()
                self._merge = merge
                return

    def wait(self, oldest: int) -> None:
        """Until there is nothing to merge."""
        self.tend(oldest)
        while self._merge is not None:
            self._merge.join()
            self.tend(oldest)

    def close(self) -> None:
        """Give up the files."""
        if self._merge is not None:
            self._merge.stop()
            if self._merge.merged is not None:
                self._merge.merged.close()
        for run in self._runs:
            run.close()
        self._runs, self._merge = [], None

    def _take_merged(self, merge: "_Merge") -> None:
        self._merge = None
        if merge.merged is None:
            raise merge.failure or NorenError("a merge of deduplication's identities was stopped.")
        self._runs[self._runs.index(merge.runs[0])] = merge.merged
        self._runs = [run for run in self._runs if run not in merge.runs]
        for run in merge.runs:
            run.close()


class _Merge(threading.Thread):
    """Makes one run of several. What is older than `oldest` is left out.

    merged: the run. failure: why there is none.
    """

    def __init__(self, runs: list[Run], oldest: int, directory: Path) -> None:
        super().__init__(name="merge-identities", daemon=True)
        self.runs = runs
        self.merged: Run | None = None
        self.failure: Exception | None = None
        self._oldest, self._directory = oldest, directory
        self._stopped = threading.Event()

    def run(self) -> None:
        try:
            self.merged = write(self._chunks(), sum(map(len, self.runs)), self.runs[0].level + 1, self._directory)
        except Exception as failure:  # noqa: BLE001  (raised by the thread that uses the runs)
            self.failure = failure

    def stop(self) -> None:
        """Stop, and wait until it has."""
        self._stopped.set()
        self.join()

    def _chunks(self) -> Iterator[Words]:
        total = sum(map(len, self.runs))
        bits = (total // CHUNK).bit_length()
        for prefix in range(1 << bits):
            if self._stopped.is_set():
                return
            records = np.concatenate([run.records(prefix, bits) for run in self.runs])
            records = records[records[:, 2].astype(np.int64) >= self._oldest]
            yield records[np.argsort(records[:, 1])]
