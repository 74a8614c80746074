"""Keeps the pipeline running, as whoever runs it does: what ends is started again."""

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from dataflow.errors import NorenError
from scripts.main_job.pipeline import PipelineProcess

LOOK_SECONDS = 0.1

PAUSE_SECONDS = 0.5
"""Between an end that nobody asked for and the next start."""


class Keeper:
    """One pipeline at a time, in a thread of its own.

    start: starts one.
    """

    def __init__(self, start: Callable[[], PipelineProcess]) -> None:
        self._start = start
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._process: PipelineProcess | None = None
        self.starts = 0
        self.ends: list[str] = []
        """The last line of each pipeline that ended by itself."""

    @property
    def progress(self) -> dict[str, Any]:
        """What the pipeline told last; empty when it has told nothing yet."""
        process = self._process
        return dict(process.progress) if process is not None else {}

    def start(self) -> None:
        self._begin()
        self._thread.start()

    def wait_up(self, seconds: float) -> None:
        """Wait until a pipeline tells of its progress. Raises NorenError when none does within `seconds`."""
        end = time.monotonic() + seconds
        while not self.progress:
            if time.monotonic() > end:
                raise NorenError(f"no pipeline was up within {seconds:.0f} s: {'; '.join(self.ends) or 'no word'}.")
            time.sleep(LOOK_SECONDS)

    def kill(self) -> None:
        """SIGKILL; the next one is started at once."""
        with self._lock:
            assert self._process is not None
            self._process.kill()
            self._begin()

    def terminate(self) -> None:
        """SIGTERM; the next one is started when this one has ended."""
        with self._lock:
            assert self._process is not None
            self._process.stop(signal.SIGTERM)
            self._begin()

    def stop(self) -> None:
        """Ctrl-C, and nothing is started any more."""
        self._stopped.set()
        with self._lock:
            if self._process is not None:
                self._process.stop()
        if self._thread.ident is not None:
            self._thread.join()

    def _begin(self) -> None:
        with self._lock:
            if not self._stopped.is_set():
                self._process = self._start()
                self.starts += 1

    def _keep(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            with self._lock:
                process = self._process
                ended = process is not None and process.exit_code is not None
            if not ended or process is None or self._stopped.wait(PAUSE_SECONDS):
                continue
            with self._lock:
                if process is self._process:
                    self.ends.append(last_line(process))
                    self._begin()


def last_line(process: PipelineProcess) -> str:
    """What it said at its end, else its exit code."""
    said = process.said.splitlines()
    return said[-1] if said else f"exit code {process.exit_code}"
