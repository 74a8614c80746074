"""`noren ingest`, in this process or, to be killed, in one of its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dataflow.errors import NorenError
from scripts.cli.ingest import ingest
from tests.conftest import Stream


def command(stream: Stream, verb: str, *arguments: object) -> list[str]:
    home = str(stream.servers.home.root)
    return [sys.executable, "-m", "scripts.cli", "ingest", verb, *map(str, arguments), "--home", home, "--json"]


def invoke(stream: Stream, verb: str, *arguments: object) -> Result:
    """`noren ingest` in this process: what needs no kill need not start another one."""
    before = os.umask(0o077)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(stream.project.root)
            return CliRunner().invoke(ingest, command(stream, verb, *arguments)[4:])
    finally:
        os.umask(before)


def run(stream: Stream, verb: str, *arguments: object) -> dict[str, Any]:
    """The result of an import that ends."""
    done = invoke(stream, verb, *arguments)
    if done.exception is not None:
        raise done.exception
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
    error = invoke(stream, verb, *arguments).exception
    assert isinstance(error, NorenError)
    return str(error)


def write(path: Path, text: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    return path
