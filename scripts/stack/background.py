"""A stack in the background: start one that outlives the command, stop the one that runs in a home."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from dataflow.errors import NorenError
from scripts.stack import endpoints
from scripts.stack.endpoints import Endpoints
from scripts.stack.home import Home

STOP_SECONDS = 60


def start(home: Path, project_id: str) -> Endpoints:
    """Start the stack of `home` in a session of its own and return when it answers.

    Raises NorenError with the supervisor's own sentence when it does not start.
    """
    place = Home(home)
    if place.supervisor() is not None:
        raise NorenError(place.occupied())
    log = place.log("supervisor")
    place.make(log.parent)
    log.touch(0o600)
    with log.open("wb") as stderr:
        supervisor = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "scripts.stack", "--home", str(home), "--project", project_id],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
            umask=0o077,
        )
    assert supervisor.stdout is not None
    with supervisor.stdout as lines:
        line = lines.readline()
    if not line.startswith(b"READY "):
        supervisor.wait()
        said = log.read_text(errors="replace").strip().splitlines()
        raise NorenError(said[-1].removeprefix("noren: ") if said else f"the stack did not start (log {log}).")
    json.loads(line.removeprefix(b"READY "))
    return endpoints.load(home)


def stop(home: Path) -> bool:
    """Stop the stack of `home`, in the background or in somebody's terminal. False when none runs."""
    place = Home(home)
    pid = place.supervisor()
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while place.supervisor() == pid:
        if time.monotonic() > deadline:
            raise NorenError(f"the stack of {home} (process {pid}) did not stop within {STOP_SECONDS} s.")
        time.sleep(0.05)
    return True
