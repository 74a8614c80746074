"""Install and run the peers, one after another."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataflow.errors import NorenError
from scripts.bench.peers.environment import interpreter, prepare
from scripts.bench.peers.table import PEERS, Peer

TIMEOUT_SECONDS = 120
"""A peer's time for all its rounds; its environment's installation is not counted."""

PROGRAMS = Path(__file__).parent / "programs"
ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Result:
    """rate: events per CPU second, the median of its rounds; None with the reason in note."""

    rate: float | None
    note: str
    rounds: tuple[float, ...] = ()


def chosen(names: Sequence[str] | None) -> list[Peer]:
    """The peers of these names in the table's order; all for None. Raises NorenError for an unknown name."""
    known = [peer.name for peer in PEERS]
    for name in names or ():
        if name not in known:
            raise NorenError(f"there is no peer {name}; there are {', '.join(known)}.")
    return [peer for peer in PEERS if names is None or peer.name in names]


def run_peers(
    events: Sequence[bytes],
    state: Path,
    names: Sequence[str] | None,
    say: Callable[[str], None],
) -> dict[str, Result]:
    """Each chosen peer's result. state: the project's `.noren/`, for the environments.

    A peer that cannot be installed or run is a result without a rate; nothing is raised for it.
    """
    peers = chosen(names)
    results = {}
    with tempfile.TemporaryDirectory(prefix="noren-bench-") as directory:
        file = Path(directory) / "events.ndjson"
        file.write_bytes(b"\n".join(events) + b"\n")
        for peer in peers:
            say(f"peer {peer.name}")
            try:
                count = peer.events if peer.repeats else min(len(events), peer.events)
                results[peer.name] = _result(peer, _run(peer, file, count, state, say))
            except NorenError as error:
                results[peer.name] = Result(None, str(error))
    return results


def _result(peer: Peer, told: dict[str, Any]) -> Result:
    note = peer.caveat
    if told["differs"]:
        note += f"; differs from the tuned loop in {', '.join(told['differs'])}"
    return Result(round(told["events_per_core_second"]), note, tuple(round(rate) for rate in told["rounds"]))


def _run(peer: Peer, file: Path, count: int, state: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """What the peer's program printed. Raises NorenError with the reason when there is none."""
    if peer.needs and not shutil.which(peer.needs):
        raise NorenError(f"`{peer.needs}` is not on PATH")
    if (script := PROGRAMS / f"{peer.program}.mjs").exists():
        command = [peer.needs or "node", str(script)]
    elif peer.requirements is None:
        command = [sys.executable, "-m", f"scripts.bench.peers.programs.{peer.program}"]
    else:
        python = prepare(state, peer.program, interpreter(peer.python or "3.13"), say)
        command = [str(python), "-m", f"scripts.bench.peers.programs.{peer.program}"]
    return _answer([*command, str(file), str(count), str(peer.batch)], file.parent)


def _answer(command: list[str], directory: Path) -> dict[str, Any]:
    one = dict.fromkeys(
        ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "ARROW_NUM_THREADS", "RAYON_NUM_THREADS", "PATHWAY_THREADS"), "1"
    )
    environment = {**os.environ, **one, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(  # noqa: S603 - our own arguments
        command,
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, errors = process.communicate(timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise NorenError(f"not done within {TIMEOUT_SECONDS} s") from error
        finally:
            _end(process.pid)
    for line in reversed(out.splitlines()):
        if line.startswith('{"events_per_core_second"'):
            told: dict[str, Any] = json.loads(line)
            return told
    last = [line for line in errors.splitlines() if line.strip()]
    raise NorenError(f"failed with status {process.returncode}: {last[-1].strip()[:200] if last else 'no output'}")


def _end(group: int) -> None:
    """Whatever the peer started and left, such as a Java virtual machine."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
