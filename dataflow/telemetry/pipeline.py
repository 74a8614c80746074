"""What a driver tells of a batch, in the words of a pipeline: to metrics and to the batch's trace at once."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from dataflow.journal import Entry
from dataflow.sources.message import Messages
from dataflow.telemetry import catalogue
from dataflow.telemetry.catalogue import Stage
from dataflow.telemetry.recorder import NoRecorder, Recorder
from dataflow.telemetry.trace import BatchTrace, NoTracer, Tracer


class Telemetry:
    """Of one stream's pipeline; by default nobody listens."""

    def __init__(self, recorder: Recorder | None = None, tracer: Tracer | None = None) -> None:
        self.recorder = recorder or NoRecorder()
        self.tracer = tracer or NoTracer()
        self._versions: tuple[str, str] | None = None

    def taken(self, messages: Messages, seconds: float) -> BatchTrace:
        """A batch is taken from the source. seconds: since its first messages were asked for. Its trace."""
        self.read(len(messages), messages.bytes)
        self.recorder.record(catalogue.STAGE_DURATION, seconds, stage=Stage.PULL.value)
        now = time.time_ns()
        trace = self.tracer.batch(messages, now - int(seconds * 1e9))
        trace.span(Stage.PULL, now - int(seconds * 1e9), now, messages=len(messages))
        return trace

    def read(self, messages: int, size: int) -> None:
        """So many messages, or rows of an import, are taken from the source. size: bytes of their data."""
        self.recorder.record(catalogue.INPUT, messages)
        self.recorder.record(catalogue.INPUT_SIZE, size)

    @contextmanager
    def timed(self, stage: Stage, *traces: BatchTrace, **attributes: str | int) -> Iterator[dict[str, str | int]]:
        """Times a stage of one batch, or of several that go through it together. Yields the spans' attributes."""
        wall, started = time.time_ns(), time.perf_counter_ns()
        try:
            yield attributes
        finally:
            took = time.perf_counter_ns() - started  # the wall clock may jump
            self.recorder.record(catalogue.STAGE_DURATION, took / 1e9, stage=stage.value)
            for trace in traces:
                trace.span(stage, wall, wall + took, **attributes)

    def staged(self, entry: Entry, messages: Messages) -> None:
        """A batch is a journal entry."""
        record = self.recorder.record
        index, rows = entry.index, entry.rows
        record(catalogue.BATCHES, 1)
        record(catalogue.RAW, rows["raw"].height)
        record(catalogue.ANONYMIZED, rows["anonymized"].height)
        if len(index.duplicates):
            record(catalogue.DUPLICATES, len(index.duplicates))
        for reason, count in Counter(rows["dead"]["reason"] if "dead" in rows else ()).items():
            record(catalogue.DEAD, count, reason=reason)
        if "unknown" in rows and rows["unknown"].height:
            record(catalogue.UNKNOWN_FIELDS, int(rows["unknown"]["events"].sum()))
        if rows["raw"].height:
            record(catalogue.KEY_EPOCH, int(str(rows["raw"]["key_epoch"].max())))
        if messages:
            record(catalogue.LAG, age(int(messages.received.min())))

    def committed(self, entries: int, oldest: int) -> None:
        """A group is in every table. oldest: the earliest publish time in it, microseconds; 0 where nothing came."""
        self.recorder.record(catalogue.COMMITTED, entries)
        if oldest:
            self.recorder.record(catalogue.LATENCY, age(oldest))

    def acknowledged(self, messages: int) -> None:
        self.recorder.record(catalogue.ACKNOWLEDGED, messages)

    def versions(self, policy: str, contract: str, bundle: int, refused: int) -> None:
        """What the batches to come run under."""
        if self._versions != (policy, contract):
            if self._versions is not None:
                self.recorder.record(catalogue.POLICY, 0, version=self._versions[0], contract=self._versions[1])
            self._versions = policy, contract
            self.recorder.record(catalogue.POLICY, 1, version=policy, contract=contract)
        self.recorder.record(catalogue.BUNDLE, bundle)
        self.recorder.record(catalogue.REFUSED_BUNDLES, refused)


def age(published: int) -> float:
    """Seconds since a publish time in microseconds; 0 where this machine's clock is behind the broker's."""
    return max(0.0, time.time() - published / 1e6)
