"""How long the verbs of access take on a large project: 200 datasets, 2,000 views, 500 groups.

    noren bench access

A figure is a whole command, from the start of Python to its end. The first is dbt's compile and the lineage of all
models, once; the others are with that in the cache. Plan is measured in this process and without the network: the live
lists are in memory, once as the files say and once empty. In the cloud the reading of 200 datasets comes on top, eight
at a time.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dataflow.errors import NorenError
from dataflow.project import Project
from iam.files import AccessFiles, load
from iam.plan import EVERYTHING, plan, stated, wanted
from scripts.bench.estate import Estate, invent, write

ROUNDS = 3
GIT = ("git", "-c", "user.name=noren", "-c", "user.email=noren@example.com")


@dataclass(frozen=True)
class Figure:
    """seconds, cpu: the fastest and the slowest of the rounds, by the clock and of user and system together."""

    name: str
    seconds: tuple[float, float]
    cpu: tuple[float, float]


def measure(
    datasets: int = 200,
    views: int = 2000,
    groups: int = 500,
    say: Callable[[str], None] = lambda _: None,
) -> list[Figure]:
    """The figures. Raises NorenError when a command fails."""
    with tempfile.TemporaryDirectory() as directory:
        estate = invent(datasets, views, groups)
        project = write(Path(directory), estate)
        for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "estate")):
            subprocess.run([*GIT, *words], cwd=project.root, check=True)  # noqa: S603
        _grant(project, estate)

        def planned(live: bool) -> None:
            files = load(project)
            for name in stated(files):
                plan(files, name, _live(files, name) if live else [], lambda _: "1", EVERYTHING)

        top = next(view for view in reversed(estate.views) if view.dataset.startswith("marts"))
        table, person = f"{top.dataset}.{top.table}", estate.groups[estate.grants[top.dataset][0]][2][0]
        say("dbt compiles the models, and lineage traces them: minutes")
        found = [_timed("lineage, cold", lambda: _noren(project, "lineage", "--no-html"), 1)]
        commands: dict[str, Sequence[str]] = {
            "lineage, warm": ("lineage", "--no-html"),
            "lint": ("acl", "lint"),
            "diff": ("acl", "diff", "HEAD"),
            "explain --why": ("acl", "explain", "--why", person, table),
            "explain --who": ("acl", "explain", "--who", ".".join(top.reads[0])),
            "explain --what": ("acl", "explain", "--what", person),
            "matrix": ("acl", "matrix", "--html", os.devnull),
        }
        for name, call in commands.items():
            say(name)
            found.append(_timed(name, partial(_noren, project, *call), ROUNDS))
        found.append(_timed("plan, nothing differs", lambda: planned(live=True), ROUNDS))
        found.append(_timed("plan, everything differs", lambda: planned(live=False), ROUNDS))
        return found


def _grant(project: Project, estate: Estate) -> None:
    """What the diff finds: a mart that one more group reads."""
    dataset = next(name for name in estate.grants if name.startswith("marts"))
    path = project.iam / "datasets" / f"{dataset}.json"
    known = next(group for group in estate.groups if group not in estate.grants[dataset])
    text = path.read_text("utf-8")
    path.write_text(text.replace(estate.grants[dataset][0], known, 1), "utf-8")


def _live(files: AccessFiles, dataset: str) -> list[dict[str, object]]:
    return [entry.resource for entry in wanted(files, dataset)]


def _noren(project: Project, *words: str) -> None:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "scripts.cli", *words],
        cwd=project.root,
        env={**os.environ, "NOREN_PROJECT": project.id},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1) or done.stderr.startswith(("noren:", "Traceback")):
        raise NorenError(f"noren {' '.join(words)} failed: {(done.stderr.strip() or 'no output').splitlines()[-1]}")


def _timed(name: str, run: Callable[[], None], rounds: int) -> Figure:
    seconds, cpu = [], []
    for _ in range(rounds):
        began, used = time.perf_counter(), _cpu()
        run()
        seconds.append(time.perf_counter() - began)
        cpu.append(_cpu() - used)
    return Figure(name, (round(min(seconds), 3), round(max(seconds), 3)), (round(min(cpu), 3), round(max(cpu), 3)))


def _cpu() -> float:
    """Seconds of this process and of the children that ended."""
    times = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in times)
