"""The loop: pull, stage, commit, acknowledge."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import polars as pl

from dataflow.bundle.watch import Watcher
from dataflow.core import Anonymizer
from dataflow.dead_letters import PURPOSE as DEAD_LETTER_PURPOSE
from dataflow.journal import Journal
from dataflow.journal.lock import ShardLock
from dataflow.journal.neighbours import Neighbours
from dataflow.keys import KeyRing
from dataflow.objects import LocalObjects
from dataflow.operators.deduplicate import HORIZON, Deduplicator, Index
from dataflow.outputs.base import Output
from dataflow.pull.commit import Committer
from dataflow.pull.distribute import Distributor
from dataflow.pull.drain import Drain
from dataflow.pull.operate import operators
from dataflow.pull.prefetch import Prefetcher
from dataflow.pull.prepare import Preparing
from dataflow.pull.process import tune
from dataflow.pull.stage import Staged, Stager
from dataflow.sinks.base import Sink
from dataflow.sources.pubsub import PubSubSubscription
from dataflow.telemetry import catalogue
from dataflow.telemetry.pipeline import Telemetry

log = logging.getLogger(__name__)


@dataclass
class Progress:
    """What became of the messages so far, restarts included. published = raw + dead + duplicates when all is done.

    committed: whether all of them are in the tables already. distributed: whether every output has them.
    quiet: the source had nothing when it was last asked, and nothing of it is on its way.
    policy_version, bundle: of the batches to come; bundle 0 is the project's files.
    refused_bundles: how many bundles were refused since the start.
    """

    stream: str
    raw: int = 0
    dead: int = 0
    duplicates: int = 0
    unknown_fields: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    committed: bool = False
    distributed: bool = False
    quiet: bool = False
    policy_version: str = ""
    bundle: int = 0
    refused_bundles: int = 0

    @property
    def accounted(self) -> int:
        return self.raw + self.dead + self.duplicates

    def add(self, index: Index) -> None:
        self.raw += len(index.accepted)
        self.dead += len(index.dead)
        self.duplicates += len(index.duplicates)

    def to_dict(self) -> dict[str, object]:
        return asdict(self) | {"accounted": self.accounted}


class PullPipeline:
    """One stream's pipeline in this process.

    sink: writes to the stream's tables, which exist (`Sink.ensure`).
    state: the directory of its journal, locked while it runs.
    watcher: gives anonymizers of newer bundles, which are taken between two batches.
    telemetry: is told of every batch.
    drain: what the broker itself gave up, staged between two batches.
    outputs: get every staged entry beside the tables.
    Raises NorenError when another live process holds the lock.
    """

    def __init__(
        self,
        anonymizer: Anonymizer,
        subscription: PubSubSubscription,
        sink: Sink,
        keys: KeyRing,
        state: Path,
        shard: str,
        watcher: Watcher[Anonymizer] | None = None,
        telemetry: Telemetry | None = None,
        drain: Drain | None = None,
        outputs: Sequence[Output] = (),
    ) -> None:
        self._telemetry = telemetry or Telemetry()
        self._lock = ShardLock(state, shard)
        self._subscription = subscription
        objects = LocalObjects(state)
        objects.sweep(shard)
        self._journal = Journal(objects, keys.sealer("journal"), shard)
        self._deduplicator = Deduplicator(directory=state)
        self.progress = Progress(anonymizer.contract.stream, policy_version=anonymizer.policy.version)
        self._watcher = watcher
        self._contract_version = anonymizer.contract.version
        others = Neighbours(state, keys.sealer("journal"), shard, shard)
        for interrupted in others.interrupted():
            log.warning("%s: an import was interrupted; run it again: some of its events are in no table", interrupted)
        self._stager = Stager(
            anonymizer,
            self._journal,
            self._deduplicator,
            keys.sealer(DEAD_LETTER_PURPOSE),
            self._telemetry,
            operators,
            others,
        )
        self._drain = drain
        self._distributor = Distributor(self._journal, outputs, self._telemetry)
        self._prefetcher = Prefetcher(subscription)
        self._preparing = Preparing(self._prefetcher, self._stager.prepare, self._telemetry)
        self._sink = sink
        self._tables = self._stager.tables
        self._committer = Committer(self._journal, sink, self._tables, self._acknowledge, self._telemetry)

    def run(self, stop: threading.Event, report: Callable[[Progress], None] | None = None) -> Progress:
        """Run until `stop` is set; what is staged by then is committed.

        report: called about four times a second with the progress.
        """
        started = time.monotonic()
        self._distributor.recover()
        self._committer.recover()
        self._journal.clean(HORIZON)
        for _, head in self._journal.heads():
            self._stager.learn(head.index, head.state)
            self.progress.add(head.index)
        self._distributor.start()
        tune()
        self._committer.start()
        self._prefetcher.start()
        self._preparing.start()
        if self._watcher is not None:
            self._watcher.start()
        if self._drain is not None:
            self._drain.start(self._prefetcher)
        reported = 0.0
        try:
            while not stop.is_set():
                self._take_bundle()
                self._take_given_up()
                prepared = self._preparing.take(0.2)
                now = time.monotonic()
                if prepared is not None:
                    staged = self._stager.stage_prepared(prepared)
                    if staged.number is not None:
                        self._count(staged.entry.index, staged.entry.rows["dead"], staged.entry.rows["unknown"])
                    self._hand_over(staged)
                self._committer.check()
                self._distributor.check()
                if now - reported > 0.25:
                    reported = now
                    idle = prepared is None and self._preparing.idle() and self._prefetcher.answering
                    if idle and (due := self._stager.idle()) is not None:
                        self._hand_over(due)
                    self._tell()
                    self.progress.seconds = now - started
                    self.progress.quiet = idle and not self._prefetcher.ahead
                    self.progress.committed = self._committer.idle()
                    self.progress.distributed = self._distributor.idle()
                    if report is not None:
                        report(self.progress)
        finally:
            if self._watcher is not None:
                self._watcher.stop()
            self._prefetcher.stop(self._preparing.stop())
            if self._drain is not None:
                self._drain.stop()
        self._committer.finish()
        if self._drain is not None:
            self._drain.acknowledge(self._committer.committed)
        self._distributor.finish()
        self.progress.seconds = time.monotonic() - started
        self.progress.committed = self.progress.distributed = True
        if report is not None:
            report(self.progress)
        return self.progress

    def close(self) -> None:
        """Give up the lock and the connections."""
        self._distributor.close()
        self._sink.close()
        self._subscription.close()
        if self._drain is not None:
            self._drain.close()
        self._deduplicator.close()
        self._lock.close()

    def _hand_over(self, staged: Staged) -> None:
        """To the outputs first: they are quick, and what they get is old sooner."""
        if staged.number is not None:
            self._distributor.put(staged.number, staged.entry, staged.trace)
        self._committer.put(staged)

    def _take_bundle(self) -> None:
        """Between two batches: change to a newer bundle if one is prepared."""
        if self._watcher is None:
            return
        if (anonymizer := self._watcher.take()) is not None:
            self._stager.change(anonymizer)
            self.progress.policy_version = anonymizer.policy.version
            self._contract_version = anonymizer.contract.version
            log.warning("bundle %d is taken: policy %s", self._watcher.running, anonymizer.policy.version)
        self.progress.bundle, self.progress.refused_bundles = self._watcher.running, len(self._watcher.refused)

    def _tell(self) -> None:
        """What is as it is now, for gauges."""
        record, progress = self._telemetry.recorder.record, self.progress
        record(catalogue.STATE_ITEMS, self._deduplicator.items)
        record(catalogue.STATE_SIZE, self._deduplicator.bytes, operator="deduplicate")
        record(catalogue.STATE_DISK_SIZE, self._deduplicator.disk_bytes, operator="deduplicate")
        for name, state in self._stager.operating.states.items():
            record(catalogue.STATE_SIZE, state.bytes, operator=name)
        record(catalogue.IN_FLIGHT, self._prefetcher.ahead)
        record(catalogue.UNCOMMITTED, self._committer.waiting)
        if (
            self._prefetcher.answering
            and not self._prefetcher.ahead
            and self._preparing.idle()
            and self._committer.idle()
        ):
            record(catalogue.LAG, 0)
        self._telemetry.versions(
            progress.policy_version, self._contract_version, progress.bundle, progress.refused_bundles
        )

    def check_live(self) -> str | None:
        """What nothing but a restart cures."""
        if self._committer.failure is not None:
            return f"committing has failed with {type(self._committer.failure).__name__}"
        if self._distributor.failure is not None:
            return f"an output has failed with {type(self._distributor.failure).__name__}"
        if self._preparing.failure is not None:
            return f"preparing has failed with {type(self._preparing.failure).__name__}"
        if self._prefetcher.failure is not None:
            return f"pulling has failed with {type(self._prefetcher.failure).__name__}"
        return None

    def check_pulling(self) -> str | None:
        """Whether the source answers."""
        return None if self._prefetcher.answering else "the source does not answer"

    def _take_given_up(self) -> None:
        """Between two batches: stage what the broker gave up, and acknowledge what of it is committed."""
        if self._drain is None:
            return
        self._drain.acknowledge(self._committer.committed)
        if (drained := self._drain.take()) is None:
            return
        staged = self._stager.stage_given_up(drained.given_up)
        if staged.number is not None:
            self._count(staged.entry.index, staged.entry.rows["dead"], staged.entry.rows["unknown"])
            self._hand_over(staged)
        self._drain.staged(staged.number, drained)

    def _count(self, index: Index, dead: object, unknown: object) -> None:
        assert isinstance(dead, pl.DataFrame)
        assert isinstance(unknown, pl.DataFrame)
        self.progress.add(index)
        self.progress.unknown_fields += int(unknown["events"].sum())
        for reason in dead["reason"]:
            self.progress.reasons[reason] = self.progress.reasons.get(reason, 0) + 1

    def _acknowledge(self, ack_ids: pl.Series) -> None:
        self._subscription.acknowledge(ack_ids)
        self._prefetcher.release(len(ack_ids))
