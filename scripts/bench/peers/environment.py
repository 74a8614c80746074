"""A peer's own environment, `.noren/env/bench/PEER`, made by uv from its pins on first use."""

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from scripts.stack.warehouse.install import run, uv

REQUIREMENTS = Path(__file__).parent / "requirements"


def interpreter(version: str) -> str:
    """A Python of this version: our own, one on PATH or of pyenv; else the version, for uv to find.

    pyenv's shims on PATH answer only for the selected version, so its versions are looked at themselves.
    """
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for found in sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}")):
        return str(found)
    found_on_path = shutil.which(f"python{version}")
    return found_on_path if found_on_path and "shims" not in found_on_path else version


def prepare(state: Path, program: str, python: str, say: Callable[[str], None]) -> Path:
    """The environment's python, with exactly what the pins say. Raises NorenError when it cannot be made."""
    root = state / "env" / "bench" / program
    pins = REQUIREMENTS / f"{program}.txt"
    wanted = hashlib.sha256(pins.read_bytes()).hexdigest()
    stamp, made = root / "installed.sha256", root / "bin" / "python"
    root.parent.mkdir(parents=True, exist_ok=True)
    with (root.parent / f"{program}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two commands at once: the second finds the work done
        if not (stamp.is_file() and stamp.read_text() == wanted and made.exists()):
            say(f"installing {program}")
            what = f"peer {program}"
            run([*uv(), "venv", "--quiet", "--clear", "--python", python, str(root)], "making its environment", what)
            run([*uv(), "pip", "sync", "--quiet", "--python", str(made), str(pins)], "installing its packages", what)
            stamp.write_text(wanted)
    return made
