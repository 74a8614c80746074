"""The loop: read a chunk, anonymize, leave out what is there already, stage, commit."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from dataflow.candidates import Candidates
from dataflow.core import Anonymizer
from dataflow.dead_letters import PURPOSE as DEAD_LETTER_PURPOSE
from dataflow.errors import NorenError
from dataflow.ingest.known import Known, bounds
from dataflow.ingest.prepare import RowPreparer, imported
from dataflow.journal import Entry, Journal, Taken
from dataflow.journal.lock import ShardLock
from dataflow.journal.neighbours import Neighbours, NoNeighbours
from dataflow.keys import KeyRing
from dataflow.objects import LocalObjects
from dataflow.operators.deduplicate import HORIZON, Deduplicator, Events, Index
from dataflow.outputs.base import Output
from dataflow.pull.commit import Committer
from dataflow.pull.distribute import Distributor
from dataflow.pull.stage import Staged
from dataflow.schemas import Table, raw_table, tables
from dataflow.sinks.base import Sink
from dataflow.sources.bounded import BoundedSource, Chunk
from dataflow.sources.message import Messages
from dataflow.telemetry.catalogue import Stage
from dataflow.telemetry.pipeline import Telemetry

KIND = "import-"
"""Begins the `batch_id` of every row that an import wrote."""

ELSEWHERE = "#"
"""Stands for the position of an event that another driver accepted: no row of this source has it."""


_KEPT = ("read", "raw", "dead", "duplicates", "outside", "unknown_fields", "reasons")
"""Counts that stand in the journal beside the checkpoint."""


@dataclass
class Progress:
    """What became of the rows of one import, its interrupted beginnings included.

    read = raw + dead + duplicates + outside. A row that an earlier import wrote is a duplicate; a dead letter that is
    there already counts as dead again and is not written again.
    done: of `size`, how much of the source is read or passed over; in `unit`.
    resumed: rows were read before this process began.
    """

    stream: str
    read: int = 0
    raw: int = 0
    dead: int = 0
    duplicates: int = 0
    outside: int = 0
    unknown_fields: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    done: int = 0
    size: int | None = None
    unit: str = "rows"
    resumed: bool = False
    finished: bool = False
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def kept(self) -> dict[str, Any]:
        """What stands in the journal beside the checkpoint."""
        return {name: value for name, value in asdict(self).items() if name in _KEPT}

    def add(self, chunk: Chunk, entry: Entry, dead: list[str], silent: int) -> None:
        """dead: the reason of every dead row of the chunk. silent: rows that repeat what was said (tombstones)."""
        self.read += len(chunk.rows) + chunk.outside
        self.outside += chunk.outside
        self.raw += entry.rows["anonymized"].height if "anonymized" in entry.rows else 0
        self.dead += len(dead)
        self.duplicates += len(entry.index.duplicates) + silent
        for reason, count in Counter(dead).items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count
        if "unknown" in entry.rows:
            self.unknown_fields += int(entry.rows["unknown"]["events"].sum())


class Ingest:
    """One import of one source into the tables of one stream.

    sink: writes to the stream's tables, which exist.
    known: what is there already.
    state: the directory of the journals; this import's shard is locked while it runs.
    shard: of the journal, e.g. `app-event-files`; one source's imports of one stream follow each other.
    live: shard of the stream's own pipeline, where there may be one: neither takes what the other did.
    written: other tables than the stream's own, by role.
    outputs: get every staged entry beside the tables.
    telemetry: is told of every chunk, as of a batch.
    Raises NorenError when another live process imports into the same shard.
    """

    def __init__(
        self,
        anonymizer: Anonymizer,
        sink: Sink,
        keys: KeyRing,
        known: Known,
        state: Path,
        shard: str,
        live: str | None = None,
        written: dict[str, Table] | None = None,
        outputs: Sequence[Output] = (),
        telemetry: Telemetry | None = None,
    ) -> None:
        self._telemetry = telemetry or Telemetry()
        self._lock = ShardLock(state, shard)
        sealer = keys.sealer("journal")
        self._others = Neighbours(state, sealer, live, shard) if live else NoNeighbours()
        self._objects = LocalObjects(state)
        self._objects.sweep(shard)
        self._shard = shard
        self._contract = anonymizer.contract
        self._known = known
        self._journal = Journal(self._objects, sealer, shard, KIND)
        self._preparer = RowPreparer(anonymizer, keys.sealer(DEAD_LETTER_PURPOSE))
        self._tables = written or tables(anonymizer.contract, anonymizer.policy)
        columns = raw_table(anonymizer.contract).polars()
        self._no_rows = pl.DataFrame(schema={name: kind for name, kind in columns.items() if name != "batch_id"})
        self._committer = Committer(self._journal, sink, self._tables, lambda _: None, self._telemetry)
        self._distributor = Distributor(self._journal, outputs, self._telemetry)
        self._counts: dict[str, Any] = {}
        self._finished = {name.rpartition("/")[2] for name in self._objects.names(f"{shard}/finished")}

    def run(
        self,
        source: BoundedSource,
        stop: threading.Event,
        report: Callable[[Progress], None] | None = None,
        *,
        again: bool = False,
    ) -> Progress:
        """Read the source to its end, or until `stop` is set; what is staged by then is committed.

        again: read also what was read to its end before.
        report: called after every chunk.
        Raises NorenError when the source cannot be read on; what was read stands, and the next run goes on behind it.
        """
        started, received = time.monotonic(), time.time_ns() // 1_000
        self._others.register()
        self._distributor.recover()
        self._committer.recover()
        self._journal.clean(HORIZON)
        progress, checkpoint = self._resume(source, again=again)
        self._counts = progress.kept()
        self._committer.start()
        self._distributor.start()
        try:
            for chunk in source.read(checkpoint, (lambda _: False) if again else self.finished):
                if chunk.rows or chunk.outside or chunk.checkpoint != checkpoint:
                    self._stage(chunk, progress, received, moved=chunk.checkpoint != checkpoint)
                    checkpoint = chunk.checkpoint
                for unit in chunk.finished:
                    self._objects.create(f"{self._shard}/finished/{unit}", b"")
                progress.done, progress.size = progress.done + chunk.amount, source.size
                progress.seconds = time.monotonic() - started
                if report is not None:
                    report(progress)
                if stop.is_set():
                    break
            else:
                progress.finished = True
                if progress.read:
                    ended = {"ended": progress.read, "checkpoint": checkpoint}
                    self._put(Entry(Index(), self._nothing(), json.dumps(ended)))
        finally:
            try:
                self._committer.finish()
            finally:
                self._distributor.finish()
        progress.seconds = time.monotonic() - started
        if report is not None:
            report(progress)
        return progress

    def finished(self, unit: str) -> bool:
        """Whether a unit of the source was read to its end under this key."""
        return unit in self._finished

    def close(self) -> None:
        """Give up the lock and the outputs' connections."""
        self._distributor.close()
        self._lock.close()

    def check_live(self) -> str | None:
        """What nothing but another start cures."""
        failure = self._committer.failure or self._distributor.failure
        return f"the import has failed with {type(failure).__name__}" if failure is not None else None

    def _resume(self, source: BoundedSource, *, again: bool) -> tuple[Progress, str]:
        """Counts so far and where to go on, from the last entry; from the beginning when the last import ended."""
        progress = Progress(self._contract.stream, size=source.size, unit=source.unit)
        consumed = json.loads(self._journal.consumed() or "{}")
        if again or not consumed:
            return progress, ""
        if "ended" in consumed:
            return progress, source.following(consumed["checkpoint"])
        for name in _KEPT:
            setattr(progress, name, consumed[name])
        progress.resumed = True
        return progress, consumed["checkpoint"]

    def _stage(self, chunk: Chunk, progress: Progress, received: int, *, moved: bool) -> None:
        """Stage and hand over one chunk. It is prepared while the one before is written.

        moved: reading would go on behind this chunk; else its rows would come again, and be counted again.
        """
        if not chunk.rows:
            progress.add(chunk, Entry(Index(), self._nothing()), [], 0)
            self._put(Entry(Index(), self._nothing(), self._consumed(chunk, progress, moved=moved)))
            return
        messages = imported(chunk.rows, received)
        self._telemetry.read(len(messages), sum([len(message.data) for message in messages]))
        with self._telemetry.timed(Stage.ANONYMIZE):
            candidates = self._preparer.prepare(messages)
        self._settle()
        known = self._asked(candidates)
        with self._others.turn() as taken, self._telemetry.timed(Stage.STAGE):
            self._learn(known, candidates, taken)
            entry = self._decide(candidates, known)
            dead = candidates.dead["reason"].to_list()
            silent = len(chunk.rows) - candidates.raw.height - len(dead)
            progress.add(chunk, entry, dead, silent)
            consumed = self._consumed(chunk, progress, moved=moved)
            # by the broker's clock where it is known: this machine's may be ahead by years
            overlap = min(received, self._others.newest() or received) - HORIZON
            staged = self._staged(Entry(_overlapping(entry, overlap), entry.rows, consumed))
        self._telemetry.staged(entry, Messages.of(()))
        self._hand_over(staged)

    def _consumed(self, chunk: Chunk, progress: Progress, *, moved: bool) -> str:
        if moved:
            self._counts = progress.kept()
        return json.dumps({"checkpoint": chunk.checkpoint, **self._counts})

    def _asked(self, candidates: Candidates) -> Deduplicator:
        """Knows what of the candidates is there: in the tables, or staged by another driver."""
        deduplicator = Deduplicator()
        self._others.mark()
        tokens = candidates.raw["event_token"].to_list()
        if tokens:
            self._learn(deduplicator, candidates, self._others.uncommitted())
            # after the journals: what is committed between the two questions is found in the table
            there = self._known.tokens(tokens, *bounds(candidates.raw["event_time"]))
            deduplicator.learn(Index.of([(token, ELSEWHERE, candidates.newest) for token in there]))
        dead = candidates.dead["dead_token"].to_list()
        if dead:
            there = self._known.dead(dead)
            rows = [row for row, token in enumerate(dead) if token in there]
            deduplicator.learn(Index(dead=candidates.dead_origins.pick(rows)))
        return deduplicator

    @staticmethod
    def _learn(deduplicator: Deduplicator, candidates: Candidates, taken: Iterable[Events]) -> None:
        for events in taken:
            deduplicator.learn_taken(events, candidates.newest)

    def _decide(self, candidates: Candidates, known: Deduplicator) -> Entry:
        """What of the candidates is new: to the tables, to other drivers, and within the chunk."""
        return candidates.decide(known, self._contract)

    def _settle(self) -> None:
        """Wait until all that is staged is in the tables: they are asked what is there."""
        while not self._committer.idle():
            self._committer.check()
            time.sleep(0.002)

    def _nothing(self) -> dict[str, pl.DataFrame]:
        # a frame of its own for each entry: polars may hold a frame's lock while it waits for the interpreter's, so one
        # that a thread writes while another asks for its height stops both for ever
        return {"raw": self._no_rows.clone()}

    def _put(self, entry: Entry) -> None:
        self._hand_over(self._staged(entry))

    def _hand_over(self, staged: Staged) -> None:
        assert staged.number is not None
        self._distributor.put(staged.number, staged.entry)
        self._committer.put(staged)

    def _staged(self, entry: Entry) -> Staged:
        try:
            number = self._journal.stage(entry)
        except Taken as taken:
            raise NorenError(f"{self._shard}: another process writes this journal too; stop it.") from taken
        return Staged(number, entry, tables=self._tables)


def _overlapping(entry: Entry, since: int) -> Index:
    """The index of what the broker could still deliver: events since this moment, microseconds. Older ones the table
    answers for."""
    if "raw" not in entry.rows or not entry.index.accepted:
        return Index(dead=entry.index.dead)
    recent = entry.rows["raw"]["event_time"].dt.timestamp("us") >= since
    return Index(accepted=entry.index.accepted.pick(recent.to_numpy()), dead=entry.index.dead)
