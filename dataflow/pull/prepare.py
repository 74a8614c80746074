"""Batches anonymized ahead of their staging, in a thread of its own.

What becomes of an event alone (decoding, checks, anonymizing) depends on no other, so it runs beside the staging of the
batch before, which waits for a disk. What depends on others (deduplication, operators, the journal) stays in order in
the main thread.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable

import polars as pl

from dataflow.core import SchemasAwayError
from dataflow.pull.prefetch import Prefetcher
from dataflow.pull.stage import Prepared
from dataflow.sources.message import Messages, texts
from dataflow.telemetry.pipeline import Telemetry
from dataflow.telemetry.trace import BatchTrace

log = logging.getLogger(__name__)

BATCH_MESSAGES = 8_192

BATCH_BYTES = 16 << 20
"""Of messages; a batch of large ones is as heavy in memory as one of many. One message may have 10 MB."""

SCHEMAS_AWAY_SECONDS = 2.0
"""Between two questions to a schema service that is away."""

MOST_AHEAD = 1
"""Prepared batches that wait to be staged: one is enough to keep both threads at work, and bounds memory."""


class Preparing:
    """Takes batches from the prefetcher and prepares them until stopped.

    prepare: anonymizes one batch, `Stager.prepare`; may raise SchemasAwayError, then it is asked again.
    """

    def __init__(
        self,
        prefetcher: Prefetcher,
        prepare: Callable[[Messages, BatchTrace], Prepared],
        telemetry: Telemetry | None = None,
    ) -> None:
        self._prefetcher = prefetcher
        self._prepare = prepare
        self._telemetry = telemetry or Telemetry()
        self._ready: queue.Queue[Prepared] = queue.Queue(MOST_AHEAD)
        self._stopped = threading.Event()
        self._quiet = False
        self._dropped: list[Messages] = []
        self._thread = threading.Thread(target=self._guard, name="preparer", daemon=True)
        self.failure: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def take(self, wait: float) -> Prepared | None:
        """The next batch, in the order that the messages came in; None when there is none for `wait` seconds.

        Raises what pulling or preparing died of.
        """
        if self.failure is not None:
            raise self.failure
        try:
            return self._ready.get(timeout=wait)
        except queue.Empty:
            return None

    def idle(self) -> bool:
        """The source had nothing when it was last asked, and nothing is on its way to `take`."""
        return self._quiet and self._ready.empty()

    def stop(self) -> pl.Series:
        """Prepare no more; the ack ids of what was taken from the prefetcher and not from here."""
        self._stopped.set()
        self._thread.join()
        if not self._ready.empty():
            self._dropped.append(self._ready.get().messages)
        return pl.concat([messages.ack_ids for messages in self._dropped] or [texts([])])

    def _guard(self) -> None:
        try:
            while not self._stopped.is_set():
                messages = self._prefetcher.take(BATCH_MESSAGES, 0.2, BATCH_BYTES)
                self._quiet = not messages
                if messages:
                    trace = self._telemetry.taken(messages, time.monotonic() - self._prefetcher.arrived)
                    if not self._handed_over(messages, trace):
                        self._dropped.append(messages)
        except BaseException as error:  # noqa: BLE001  (handed to the main thread, which raises it)
            self.failure = error

    def _handed_over(self, messages: Messages, trace: BatchTrace) -> bool:
        """Prepare and hand over; waits while writer schemas cannot be asked for. False when it is to stop before."""
        while True:
            try:
                prepared = self._prepare(messages, trace)
                break
            except SchemasAwayError as error:
                log.warning("waiting: %s", error)
                if self._stopped.wait(SCHEMAS_AWAY_SECONDS):
                    return False
        while not self._stopped.is_set():
            try:
                self._ready.put(prepared, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False
