"""Staged entries to every output, each on a thread of its own, behind a queue that is bounded by bytes."""

import collections
import threading
import time
from collections.abc import Sequence

import polars as pl

from dataflow.journal import Entry, Journal
from dataflow.outputs.base import Output, Run, StagedEntry
from dataflow.telemetry.catalogue import Stage
from dataflow.telemetry.pipeline import Telemetry
from dataflow.telemetry.trace import NO_TRACE, BatchTrace

MOST_QUEUED_BYTES = 64 << 20
"""Of rows that wait for one output; above it staging waits."""

RECORD_SECONDS = 1.0
"""Between two records of how far an output is that gets each entry by itself: a crash repeats what came in between."""


class Distributor:
    """Hands staged entries to the outputs and keeps their rows in the journal until every output has them.

    telemetry: is told how long each output took for each run.
    """

    def __init__(self, journal: Journal, outputs: Sequence[Output], telemetry: Telemetry | None = None) -> None:
        self._lanes = [_Lane(journal, output, telemetry or Telemetry()) for output in outputs]
        self._journal = journal

    def recover(self) -> None:
        """Keep from now on what an output lacks; before anything of the journal is deleted."""
        self._journal.hold({lane.output.name: lane.progress.done for lane in self._lanes})
        for lane in self._lanes:
            lane.recover()

    def start(self) -> None:
        for lane in self._lanes:
            lane.thread.start()

    def put(self, number: int, entry: Entry, trace: BatchTrace = NO_TRACE) -> None:
        """Hand over an entry, in the order of their numbers; blocks while too much waits.

        trace: of the entry's batch.
        Raises what an output died of.
        """
        for lane in self._lanes:
            lane.put(_staged(number, entry.rows, lane.output.roles), trace)

    def check(self) -> None:
        """Raises what an output died of, if one did."""
        for lane in self._lanes:
            lane.check()

    @property
    def failure(self) -> BaseException | None:
        """What an output died of."""
        return next((lane.failure for lane in self._lanes if lane.failure is not None), None)

    def idle(self) -> bool:
        """Every output has everything that it was handed."""
        return all(lane.idle() for lane in self._lanes)

    def finish(self) -> None:
        """Put out what waits, then stop. Raises what an output died of."""
        for lane in self._lanes:
            lane.finish()
        self.check()

    def close(self) -> None:
        for lane in self._lanes:
            lane.output.close()


class _Lane:
    """One output with its queue and its thread."""

    def __init__(self, journal: Journal, output: Output, telemetry: Telemetry) -> None:
        self.output = output
        self._telemetry = telemetry
        self.progress = journal.progress(output.name)
        self.thread = threading.Thread(target=self._run, name=f"output-{output.name}", daemon=True)
        self.failure: BaseException | None = None
        self._journal = journal
        self._left: list[int] = []
        self._waiting: collections.deque[tuple[StagedEntry, BatchTrace]] = collections.deque()
        self._bytes = 0
        self._behind = 0  # entries that were handed over and not put out
        self._ending = False
        self._changed = threading.Condition()
        self._recorded = time.monotonic()

    def recover(self) -> None:
        self._left = self._journal.kept(self.progress.done)
        self._behind = len(self._left)

    def put(self, entry: StagedEntry, trace: BatchTrace) -> None:
        with self._changed:
            while self._bytes > MOST_QUEUED_BYTES and self.failure is None:
                self._changed.wait(0.5)
            self.check()
            self._waiting.append((entry, trace))
            self._bytes += entry.bytes
            self._behind += 1
            self._changed.notify_all()

    def check(self) -> None:
        if self.failure is not None:
            raise self.failure

    def idle(self) -> bool:
        return self._behind == 0

    def finish(self) -> None:
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if self.thread.is_alive():
            self.thread.join()

    def _run(self) -> None:
        try:
            self._put_out_left()
            while gathered := self._gather():
                traces = [trace for _, trace in gathered]
                self._put_out([entry for entry, _ in gathered], begun=False, traces=traces)
            self.progress.end(self._last)
        except BaseException as error:  # noqa: BLE001  (handed to the main thread, which raises it)
            with self._changed:
                self.failure = error
                self._changed.notify_all()

    def _put_out_left(self) -> None:
        """What an earlier process staged and did not put out; a run that it began comes with the same bounds."""
        self._last = self.progress.done
        begun, left = self.progress.begun(), self._left
        if begun is not None:
            run = [number for number in left if begun[0] <= number <= begun[1]]
            left = [number for number in left if number > begun[1]]
            self._put_out([self._read(number) for number in run], begun=True, bounds=begun)
        rest: list[StagedEntry] = []
        size = 0
        for number in left:
            rest.append(self._read(number))
            size += rest[-1].bytes
            if not self.output.seconds or size >= self.output.most_bytes:
                self._put_out(rest, begun=False)
                rest, size = [], 0
        if rest:
            self._put_out(rest, begun=False)

    def _gather(self) -> list[tuple[StagedEntry, BatchTrace]]:
        """The entries of the next run, with their traces; blocks for the first. None at the end."""
        run: list[tuple[StagedEntry, BatchTrace]] = []
        size, due = 0, 0.0
        with self._changed:
            while True:
                while self._waiting and (not run or (self.output.seconds and size < self.output.most_bytes)):
                    entry, trace = self._waiting.popleft()
                    due = due or time.monotonic() + self.output.seconds
                    self._bytes -= entry.bytes
                    size += entry.bytes
                    run.append((entry, trace))
                    self._changed.notify_all()
                now = time.monotonic()
                if self._ending and not self._waiting:
                    return run
                if run and (now >= due or size >= self.output.most_bytes):
                    return run
                self._changed.wait(due - now if run else None)

    def _put_out(
        self,
        entries: list[StagedEntry],
        *,
        begun: bool,
        bounds: tuple[int, int] | None = None,
        traces: Sequence[BatchTrace] = (),
    ) -> None:
        first, last = bounds or (entries[0].number, entries[-1].number)
        gathered = self.output.seconds > 0
        if gathered and not begun:
            self.progress.begin(first, last)
        if entries:
            with self._telemetry.timed(Stage.OUTPUT, *traces, output=self.output.name):
                self.output.put(Run(self._journal.id, first, last, entries))
        self._last = last
        if gathered or time.monotonic() - self._recorded >= RECORD_SECONDS:
            self.progress.end(last)
            self._recorded = time.monotonic()
        self._journal.put_out(self.output.name, last)
        with self._changed:
            self._behind -= len(entries)

    def _read(self, number: int) -> StagedEntry:
        return _staged(number, self._journal.read(number).rows, self.output.roles)


def _staged(number: int, rows: dict[str, pl.DataFrame], roles: Sequence[str]) -> StagedEntry:
    accepted = rows.get("anonymized")
    version = "" if accepted is None or accepted.is_empty() else str(accepted["policy_version"][0])
    return StagedEntry(number, version, {role: rows[role] for role in roles if role in rows})
