"""Install the emulator's environment: `python -m scripts.stack.warehouse.install`.

Idempotent: the environment carries a stamp with the hash of the lock it was made from, so a second call reads two small
files. Nothing is fetched outside the package registry that uv is configured for: the DuckDB extensions come as wheels.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from dataflow.errors import NorenError
from dataflow.project import Project
from scripts.stack.warehouse.environment import LOCK, Environment

COPY_EXTENSIONS = """
import pathlib, shutil, sys
import duckdb
[(platform,)] = duckdb.connect().execute("SELECT platform FROM pragma_platform()").fetchall()
target = pathlib.Path(sys.argv[1]) / f"v{duckdb.__version__}" / platform
target.mkdir(parents=True, exist_ok=True)
site = pathlib.Path(duckdb.__file__).parent.parent
wheels = sorted(site.glob("duckdb_extension_*/**/*.duckdb_extension"))
for wheel in wheels:
    shutil.copyfile(wheel, target / wheel.name)
missing = {"ducklake", "spatial"} - {wheel.stem for wheel in wheels}
sys.exit(f"no extension {', '.join(sorted(missing))} among the installed packages" if missing else 0)
"""
"""DuckDB looks for extensions in DIR/VERSION/PLATFORM only; a LOAD by path does not serve `ATTACH 'ducklake:...'`."""


def uv() -> list[str]:
    """The command uv: on PATH, else in the directory of `$NOREN_UV` (uv itself or its directory), else as a module."""
    if found := shutil.which("uv"):
        return [found]
    if given := os.environ.get("NOREN_UV"):
        directory = Path(given) if Path(given).is_dir() else Path(given).parent
        if found := shutil.which("uv", path=str(directory)):
            return [found]
    return [sys.executable, "-m", "uv"]


def run(command: list[str], what: str, thing: str = "the warehouse emulator") -> None:
    """Run one step of a thing's installation.

    Raises NorenError with the step and the last line that it printed when it fails.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        if "No module named uv" in done.stderr:
            lines = ["uv is missing, install it with `pip install uv`"]
        raise NorenError(f"{thing} could not be installed ({what}): {lines[-1] if lines else 'no output'}")


def install(environment: Environment, say: Callable[[str], None] = lambda _: None) -> None:
    """Make sure that the environment holds exactly what the lock says.

    say: is given one sentence of progress when there is work to do.
    Raises NorenError when a step fails; the environment is then without its stamp and the next call begins anew.
    """
    wanted = hashlib.sha256(LOCK.read_bytes() + COPY_EXTENSIONS.encode()).hexdigest()
    if current(environment, wanted):
        return
    environment.root.parent.mkdir(parents=True, exist_ok=True)
    with (environment.root.parent / "warehouse.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two commands at once: the second finds the work done
        if current(environment, wanted):
            return
        say("Installing the warehouse emulator (650 MB, once).")
        began = time.monotonic()
        environment.stamp.unlink(missing_ok=True)
        run(
            [*uv(), "venv", "--quiet", "--clear", "--python", sys.executable, str(environment.root)],
            "making its environment",
        )
        python = str(environment.python)
        run(
            [*uv(), "pip", "sync", "--quiet", "--require-hashes", "--python", python, str(LOCK)],
            "installing its packages",
        )
        run([python, "-c", COPY_EXTENSIONS, str(environment.extensions)], "copying the DuckDB extensions")
        environment.stamp.write_text(wanted)
        say(f"Installed the warehouse emulator in {time.monotonic() - began:.0f} s.")


def current(environment: Environment, wanted: str) -> bool:
    """Whether the environment was completely installed from the wanted lock."""
    return environment.stamp.is_file() and environment.stamp.read_text() == wanted and environment.python.exists()


def main() -> None:
    try:
        install(Environment.of(Project.find().state), lambda sentence: click.echo(sentence, err=True))
    except NorenError as error:
        sys.exit(f"noren: {error}")


if __name__ == "__main__":
    main()
