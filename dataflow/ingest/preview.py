"""What an import would do: everything but asking the tables, staging and writing."""

import threading
import time
from collections.abc import Callable

from dataflow.core import Anonymizer
from dataflow.ingest.driver import Progress
from dataflow.sources.bounded import BoundedSource


def preview(
    anonymizer: Anonymizer,
    source: BoundedSource,
    stop: threading.Event,
    report: Callable[[Progress], None] | None = None,
) -> Progress:
    """Counts of a whole reading. `raw` counts events that would be accepted, whether they are there already or not."""
    started, received = time.monotonic(), time.time_ns() // 1_000
    progress = Progress(anonymizer.contract.stream, size=source.size, unit=source.unit)
    for chunk in source.read("", lambda _: False):
        good = [row for row in chunk.rows if row.refusal is None]
        refused = [row.refusal.reason for row in chunk.rows if row.refusal is not None]
        progress.read += len(chunk.rows) + chunk.outside
        progress.outside += chunk.outside
        if good:
            batch = anonymizer.unpack(
                [row.data for row in good], [row.attributes for row in good], [received] * len(good)
            ).batch
            outcome = anonymizer.process(batch)
            refused += [reject.reason for reject in outcome.rejects]
            progress.raw += outcome.raw.height
            progress.unknown_fields += len(outcome.unknown)
        progress.dead += len(refused)
        for reason in refused:
            progress.reasons[reason] = progress.reasons.get(reason, 0) + 1
        progress.done += chunk.amount
        progress.seconds = time.monotonic() - started
        if report is not None:
            report(progress)
        if stop.is_set():
            return progress
    progress.finished = True
    return progress
