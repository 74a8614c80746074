"""One service as a process, and the protocol between it and the supervisor.

A service is started with `... --port P --data-dir DIR --watch-stdin`. It prints one line on stdout when it serves,
`READY {"port": N, ...}` (JSON), and logs on stderr. It stops on SIGTERM, SIGINT and when its stdin ends: so a
supervisor that is killed leaves no orphan.
"""

import json
import os
import queue
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

STOP_SECONDS = 15
"""After that a service that was asked to stop is killed."""


@dataclass(frozen=True)
class Report:
    """What a service's process tells: `ready`, the content of its READY line, or that it ended (`ready` is None)."""

    service: str
    ready: dict[str, Any] | None


class Process:
    """A running service.

    reports: gets one Report when the service is ready and one when it ended.
    """

    def __init__(
        self, service: str, command: list[str], log: Path, reports: "queue.SimpleQueue[Report | None]"
    ) -> None:
        self.service, self.log, self.reports = service, log, reports
        log.touch(0o600)
        with log.open("ab") as stderr:
            # A process group of its own: Ctrl-C reaches the supervisor alone, which stops the services in order.
            self.popen = subprocess.Popen(  # noqa: S603 - the table's command
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, process_group=0, umask=0o077
            )
        self.reader = threading.Thread(target=self._read, name=f"read-{service}", daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        with self.popen.stdout as lines:
            for line in lines:
                if line.startswith(b"READY "):
                    self.reports.put(Report(self.service, json.loads(line.removeprefix(b"READY "))))
        self.popen.wait()
        self.reports.put(Report(self.service, None))

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def started(self) -> float:
        """When the process was created, seconds since the epoch: with the pid it names one process for ever."""
        return psutil.Process(self.pid).create_time()

    def last_line(self) -> str:
        """The last line of the log: the reason why a service died at its start."""
        with self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 8192))
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else "its log is empty"

    def ask_to_stop(self) -> None:
        if self.popen.poll() is None:
            self.popen.terminate()

    def wait_stopped(self) -> None:
        """Wait for a process that was asked to stop; kill it when it does not."""
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        if self.popen.stdin:
            self.popen.stdin.close()
        self.reader.join(1)
