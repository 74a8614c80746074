"""`noren ingest` as a process."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import Stream


def command(stream: Stream, verb: str, *arguments: object) -> list[str]:
    home = str(stream.servers.home.root)
    return [sys.executable, "-m", "scripts.cli", "ingest", verb, *map(str, arguments), "--home", home, "--json"]


def run(stream: Stream, verb: str, *arguments: object) -> dict[str, Any]:
    """The result of an import that ends."""
    done = subprocess.run(
        command(stream, verb, *arguments), cwd=stream.project.root, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def kill_after(stream: Stream, lines: int, verb: str, *arguments: object) -> None:
    """Start an import and SIGKILL it once it has reported so many chunks."""
    process = subprocess.Popen(
        command(stream, verb, *arguments),
        cwd=stream.project.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    for _ in range(lines):
        assert process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def sentence(stream: Stream, verb: str, *arguments: object) -> str:
    """What a refused import says."""
    done = subprocess.run(
        command(stream, verb, *arguments), cwd=stream.project.root, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1].removeprefix("noren: ")


def write(path: Path, text: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    return path
