"""Looking for new bundles beside a running pipeline, in a thread of its own."""

import logging
import threading
from collections.abc import Callable

from dataflow.bundle.bundle import Bundle
from dataflow.bundle.store import BundleStore
from dataflow.errors import NorenError
from dataflow.keys.signing import Verifier

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
"""A new bundle is to be taken within 10 seconds; reading and compiling one takes well under one."""


class Watcher[Version]:
    """Reads, verifies and prepares new bundles; the pipeline takes what is prepared between two of its batches.

    prepare: makes of a bundle what the pipeline can run, beside what is running; raises NorenError for what it refuses.
    running: number of the bundle that runs, 0 for none.
    `running` counts on with what is taken. A refused bundle is logged as an error once, and the one that runs stays.
    """

    def __init__(
        self,
        store: BundleStore,
        verifier: Verifier,
        prepare: Callable[[Bundle], Version],
        running: int = 0,
        seconds: float = POLL_SECONDS,
    ) -> None:
        self._store = store
        self._verifier = verifier
        self._prepare = prepare
        self.running = running
        self._seconds = seconds
        self._ready: tuple[int, Version] | None = None
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="bundles", daemon=True)
        self.refused: dict[int, str] = {}
        """Number of each bundle that was refused, and why."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def take(self) -> Version | None:
        """What is prepared and newer than what runs, once; from now on it is what runs."""
        with self._lock:
            if self._ready is None:
                return None
            (self.running, version), self._ready = self._ready, None
        return version

    def look(self) -> None:
        """Look once: prepare the newest bundle that is acceptable and newer than what runs or waits."""
        with self._lock:
            newest = self._ready[0] if self._ready else self.running
        for number in reversed(self._store.numbers()):
            if number <= newest:
                return
            if number in self.refused:
                continue
            try:
                version = self._prepare(self._store.read(number, self._verifier))
            except NorenError as error:
                self.refuse(number, str(error))
                continue
            with self._lock:
                self._ready = (number, version)
            return

    def refuse(self, number: int, reason: str) -> None:
        """Loudly, once."""
        self.refused[number] = reason
        log.error("bundle %d is refused, bundle %d stays: %s", number, self.running, reason)

    def _watch(self) -> None:
        trouble = ""
        while not self._stopped.wait(self._seconds):
            try:
                self.look()
                trouble = ""
            except Exception as error:  # noqa: BLE001  (a store that is away must not stop the pipeline)
                told = f"{type(error).__name__}: {error}"
                if told != trouble:
                    log.error("bundles cannot be looked for, bundle %d stays: %s", self.running, told)
                trouble = told
