"""Commit groups: entries written to every table under one id, then acknowledged. Runs in a thread of its own."""

import queue
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

import polars as pl

from dataflow.errors import NorenError
from dataflow.journal import Entry, Group, Journal
from dataflow.journal.journal import concatenate
from dataflow.operators.deduplicate import HORIZON
from dataflow.pull.fit import columns, fit
from dataflow.pull.stage import Staged
from dataflow.schemas import Table
from dataflow.sinks.base import Sink
from dataflow.telemetry.catalogue import Stage
from dataflow.telemetry.pipeline import Telemetry

MOST_GROUP_ROWS = 200_000
"""Raw rows after which a group is closed: bounds memory and the size of one load job."""

MOST_GROUP_BYTES = 64 << 20
"""The same in bytes of rows."""

GATHER_SECONDS = 1.0
"""Between the beginnings of two groups that are not full. A write costs a table the same for one row and for a
thousand: without this a trickle of events keeps the warehouse as busy as a flood."""

MOST_WAITING = 256
"""Staged batches that may wait; a full queue stops the pulling, so a slow sink slows the source."""

MOST_WAITING_BYTES = 96 << 20
"""The same in bytes of rows, those that are being written included: bounds memory, whatever size messages have."""

FORGET_SECONDS = 600.0
"""Between two looks for what the horizon has passed: a process that runs for months keeps a journal of days."""


class Committer:
    """Takes staged batches in order and commits them.

    tables: by role, for what an earlier process staged; a staged batch brings its own.
    acknowledge: called with the ack ids of a batch once every table has its rows.
    A group never holds entries of two versions: their rows may differ in columns.
    """

    def __init__(
        self,
        journal: Journal,
        sink: Sink,
        tables: dict[str, Table],
        acknowledge: Callable[[pl.Series], None],
        telemetry: Telemetry | None = None,
    ) -> None:
        self._telemetry = telemetry or Telemetry()
        self._journal = journal
        self._sink = sink
        self._tables = tables
        self._acknowledge = acknowledge
        self._waiting: queue.Queue[Staged | None] = queue.Queue(MOST_WAITING)
        self._next_group: Staged | None = None
        self._due = 0.0  # of the monotonic clock: a group that is not full waits for company until then
        self._bytes = 0  # of rows that were handed over and are not committed
        self._room = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._pool = ThreadPoolExecutor(len(tables), thread_name_prefix="load")
        self._forgot = time.monotonic()
        self.failure: BaseException | None = None
        self.committed = 0
        """Entries that every table has."""

    def recover(self) -> None:
        """Commit what an earlier process staged and did not commit."""
        for group in self._journal.uncommitted_groups():
            entries = [self._journal.read(number) for number in range(group.first, group.last + 1)]
            self._commit(group, entries, self._tables, begun=True)
        run: list[Entry] = []
        first, size = 0, 0
        known: dict[str, Hashable] = {}
        for number in self._journal.ungrouped():
            entry = self._journal.read(number)
            other = any(known.get(role, kinds) != kinds for role, kinds in columns(entry).items())
            if run and (other or size >= MOST_GROUP_BYTES):
                self._commit(self._journal.group(first, number - 1), run, self._tables)
                run, size, known = [], 0, {}
            first = first if run else number
            run.append(entry)
            known |= columns(entry)
            size += int(sum(frame.estimated_size() for frame in entry.rows.values()))
        if run:
            self._commit(self._journal.group(first, first + len(run) - 1), run, self._tables)

    def start(self) -> None:
        self._thread.start()

    def put(self, staged: Staged) -> None:
        """Hand over a batch; blocks while too many wait. Raises what the committing thread died of."""
        while True:
            self.check()
            with self._room:
                if self._bytes > MOST_WAITING_BYTES:
                    self._room.wait(0.5)
                    continue
            try:
                self._waiting.put(staged, timeout=0.5)
            except queue.Full:
                continue
            with self._room:
                self._bytes += staged.bytes
            return

    def check(self) -> None:
        """Raises what the committing thread died of, if it did."""
        if self.failure is not None:
            raise self.failure

    @property
    def waiting(self) -> int:
        """Staged batches that are not committed."""
        return self._waiting.unfinished_tasks

    def idle(self) -> bool:
        """Nothing waits and nothing is being written."""
        return self.waiting == 0

    def finish(self) -> None:
        """Commit what waits, then stop. Raises what the committing thread died of."""
        while self.failure is None and self._thread.is_alive():
            try:
                self._waiting.put(None, timeout=0.5)
            except queue.Full:
                continue
            self._thread.join()
        self._pool.shutdown()
        self.check()

    def _run(self) -> None:
        try:
            while (batch := self._next()) is not None:
                self._due = time.monotonic() + GATHER_SECONDS
                try:
                    self._commit_batch(batch)
                except BaseException as error:
                    for staged in batch:
                        staged.trace.end(error)
                    raise
                for _ in batch:
                    self._waiting.task_done()
                with self._room:
                    self._bytes -= sum(staged.bytes for staged in batch)
                    self._room.notify_all()
        except BaseException as error:  # noqa: BLE001  (handed to the main thread, which raises it)
            self.failure = error

    def _next(self) -> list[Staged] | None:
        """All of one version that waits, up to a group's size; blocks for the first. None at the end."""
        first, self._next_group = self._next_group or self._waiting.get(), None
        if first is None:
            return None
        batch, rows, size = [first], first.entry.rows["raw"].height, first.bytes
        while rows < MOST_GROUP_ROWS and size < MOST_GROUP_BYTES:
            try:
                staged = self._waiting.get(timeout=max(0.0, self._due - time.monotonic()))
            except queue.Empty:
                break
            if staged is None:
                self._waiting.task_done()
                self._waiting.put(None)
                break
            if staged.tables is not first.tables:  # another version
                self._next_group = staged
                break
            batch.append(staged)
            rows += staged.entry.rows["raw"].height
            size += staged.bytes
        return batch

    def _commit_batch(self, batch: list[Staged]) -> None:
        entries = [(staged.number, staged.entry) for staged in batch if staged.number is not None]
        if entries:
            numbers = [number for number, _ in entries]
            group = self._journal.group(numbers[0], numbers[-1])
            if numbers != list(range(group.first, group.last + 1)):
                # what another process staged or grouped is not here to be written; a restart reads it from the journal
                raise NorenError(f"{self._journal.shard}: another process writes this journal too; stop it.")
            traces = [staged.trace for staged in batch if staged.number is not None]
            with self._telemetry.timed(Stage.COMMIT, *traces, batch_id=group.id):
                self._commit(group, [entry for _, entry in entries], batch[0].tables)
            self._telemetry.committed(
                len(entries), min((staged.oldest for staged in batch if staged.oldest), default=0)
            )
        ack_ids = pl.concat([staged.ack_ids for staged in batch])
        with self._telemetry.timed(Stage.ACKNOWLEDGE, *(staged.trace for staged in batch)):
            self._acknowledge(ack_ids)
        self._telemetry.acknowledged(len(ack_ids))
        for staged in batch:
            staged.trace.end()

    def _commit(self, group: Group, entries: list[Entry], tables: dict[str, Table], *, begun: bool = False) -> None:
        """begun: an earlier process may have begun to write this group."""
        writes = concatenate(entries)
        list(self._pool.map(lambda role: self._write(tables[role], writes[role], group.id, begun), writes))
        self._journal.commit(group)
        self.committed = group.last + 1
        if time.monotonic() - self._forgot >= FORGET_SECONDS:
            self._journal.forget(HORIZON)
            self._forgot = time.monotonic()

    def _write(self, table: Table, rows: pl.DataFrame, batch_id: str, begun: bool) -> None:
        if begun and self._sink.recover(table, batch_id):
            return
        self._sink.write(table, fit(rows, table), batch_id)
