"""The pipeline as a process of its own, watched through the progress that it prints."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dataflow.errors import NorenError

STALL_SECONDS = 60
"""Without any progress for this long the pipeline is given up."""


class PipelineProcess:
    """`noren run STREAM --json` on the stack of `home`.

    options: more of its options. program: module and arguments of another program that takes and prints the same.
    log: its standard error is appended to this file.
    """

    def __init__(
        self,
        stream: str,
        home: Path,
        cwd: Path,
        *options: str,
        program: Sequence[str] = ("scripts.cli", "run"),
        log: Path | None = None,
    ) -> None:
        command = [sys.executable, "-m", *program, stream, "--home", str(home), "--json", *options]
        self._process = subprocess.Popen(  # noqa: S603
            command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
        )
        self._changed = threading.Condition()
        self.progress: dict[str, Any] = {}
        self._silent = False
        self._errors: deque[str] = deque(maxlen=20)
        self._log = log
        self._threads = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._listen, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._process.poll()

    @property
    def said(self) -> str:
        """The last lines of its standard error."""
        return "\n".join(self._errors)

    def wait_for(self, count: int, show: Callable[[dict[str, Any]], None] = lambda _: None) -> dict[str, Any]:
        """Wait until `count` messages are accounted for and committed.

        show: called with each new progress.
        Raises NorenError when the process ends or stalls before.
        """
        seen = -1
        with self._changed:
            while not (self.progress.get("accounted", 0) >= count and self.progress.get("committed")):
                if self._silent:
                    raise NorenError(f"the pipeline ended by itself: {self._last_words()}")
                if not self._changed.wait(STALL_SECONDS) and self.progress.get("accounted", 0) == seen:
                    raise NorenError(f"the pipeline stands still at {max(seen, 0):,} of {count:,} messages.")
                seen = self.progress.get("accounted", 0)
                show(self.progress)
            return dict(self.progress)

    def kill(self) -> None:
        """SIGKILL, for tests of recovery."""
        self._process.kill()
        self._process.wait()

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Ctrl-C, or another signal, and wait; kill it when that takes half a minute."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
        for thread in self._threads:
            thread.join(5)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not line.endswith("\n"):
                break  # it was killed in the middle
            with self._changed:
                self.progress = json.loads(line)
                self._changed.notify_all()
        with self._changed:
            self._silent = True  # not its exit: that comes an instant later, with nobody to tell of it
            self._changed.notify_all()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._errors.append(line.rstrip())
            if self._log is not None:
                with self._log.open("a", encoding="utf-8") as log:
                    log.write(line)

    def _last_words(self) -> str:
        self._process.wait(10)
        self._threads[1].join(2)
        return self._errors[-1] if self._errors else f"exit code {self._process.returncode}"
