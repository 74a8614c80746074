"""The home directory of one stack: where its services keep data, logs, the secret and the state file."""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataflow.errors import NorenError

LOCK_SECONDS = 0.5
"""How long a starting supervisor tries for the lock: who asks whether the stack runs holds it for an instant."""


@dataclass(frozen=True)
class Home:
    """`.noren/local`, `.noren/demo` or a directory of one's own. Everything below is for its owner only (0700, 0600).

    root: the directory; it is made when a stack starts.
    """

    root: Path

    @property
    def state_file(self) -> Path:
        """stack.json: project id, supervisor, endpoints and pids, while the stack runs."""
        return self.root / "stack.json"

    @property
    def lock_file(self) -> Path:
        """Locked (flock) by the supervisor as long as it lives; holds its pid."""
        return self.root / "stack.lock"

    @property
    def secret_file(self) -> Path:
        """What gateway, worker and applier show the emulator; a new one at every start."""
        return self.root / "stack.secret"

    @property
    def keys(self) -> Path:
        """The local key-encryption key: its module alone reads and writes here."""
        return self.root / "keys"

    def data(self, service: str) -> Path:
        return self.root / service

    def log(self, service: str) -> Path:
        return self.root / "logs" / f"{service}.log"

    def prepare(self, services: list[str]) -> None:
        """Make the directories, put aside the logs of the last run and write a new secret."""
        for directory in (self.root, self.keys, self.root / "logs", *map(self.data, services)):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.chmod(0o700)
        for service in services:
            if self.log(service).exists():
                self.log(service).replace(self.log(service).with_suffix(".previous.log"))
        self.write(self.secret_file, secrets.token_urlsafe(32))

    def make(self, directory: Path) -> None:
        """Make a directory of the home. Raises NorenError where none can be written."""
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise NorenError(f"{directory} cannot be made: {error.strerror}. Choose another --home.") from error
        if not os.access(directory, os.W_OK):
            raise NorenError(f"{directory} cannot be written to. Choose another --home.")

    def write(self, file: Path, text: str) -> None:
        """Replace a file of the home in one step, readable by its owner only."""
        fresh = file.with_name(f".{file.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        fresh.touch(0o600, exist_ok=False)
        fresh.write_text(text)
        fresh.replace(file)

    def state(self) -> dict[str, Any] | None:
        """stack.json, of a running stack or of one that was killed; None without one."""
        try:
            state: dict[str, Any] = json.loads(self.state_file.read_text())
        except FileNotFoundError:
            return None
        return state

    def supervisor(self) -> int | None:
        """The pid of the process that runs the stack of this home, or None when none does.

        The lock tells, not the pid: a killed supervisor leaves its pid behind, never its lock.
        """
        try:
            with self.lock_file.open() as opened:
                fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return None
        except (FileNotFoundError, NotADirectoryError):
            return None
        except BlockingIOError:
            return int(self.lock_file.read_text().strip() or 0)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the one supervisor of this home. Raises NorenError when there is one already, or no place for a home."""
        self.make(self.root)
        with self.lock_file.open("a+") as opened:
            deadline = time.monotonic() + LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise NorenError(self.occupied()) from None
                    time.sleep(0.02)
            opened.truncate(0)
            opened.write(str(os.getpid()))
            opened.flush()
            yield

    def occupied(self) -> str:
        """The sentence for a second supervisor: that a stack runs here, and where it answers."""
        pid, state = self.supervisor(), self.state()
        where = ", ".join(f"{name} on {s['address']}" for name, s in (state or {}).get("services", {}).items())
        return (
            f"the stack of {self.root} runs already (process {pid}): {where or 'it is just starting'}. "
            "Stop it with `noren down`, or choose another --home."
        )
