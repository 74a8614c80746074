"""How long the verbs of access take on a large project: 200 datasets, 2,000 views, 500 groups.

    noren bench access

A figure is a whole command, from the start of Python to its end. The first is dbt's compile and the lineage of all
models, once; the others are with that in the cache. Plan is measured in this process and without the network: the live
lists are in memory, once as the files say and once empty. In the cloud the reading of 200 datasets comes on top, eight
at a time.
"""

import json
import os
import re
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

type Asked = tuple[str, Sequence[str]]
"""A pattern of what a command prints, and its words."""


@dataclass(frozen=True)
class Figure:
    """seconds, cpu: the fastest and the slowest of the rounds, by the clock and of user and system together.

    found: what it told in its last round: models, findings, readings, members, datasets or changes; 0 only of a plan
    where nothing differs.
    """

    name: str
    seconds: tuple[float, float]
    cpu: tuple[float, float]
    found: int


def measure(
    datasets: int = 200,
    views: int = 2000,
    groups: int = 500,
    rounds: int = ROUNDS,
    say: Callable[[str], None] = lambda _: None,
) -> list[Figure]:
    """The figures. Raises NorenError when a command fails, or finds nothing where there is something."""
    with tempfile.TemporaryDirectory() as directory:
        estate = invent(datasets, views, groups)
        project = write(Path(directory), estate)
        for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "estate")):
            subprocess.run([*GIT, *words], cwd=project.root, check=True)  # noqa: S603
        _grant(project, estate)

        def planned(live: bool) -> int:
            files = load(project)
            plans = (
                plan(files, name, _live(files, name) if live else [], lambda _: "1", EVERYTHING)
                for name in stated(files)
            )
            return sum(len(one.changes) for one in plans)

        top = next(view for view in reversed(estate.views) if view.dataset.startswith("marts"))
        table, person = f"{top.dataset}.{top.table}", estate.groups[estate.grants[top.dataset][0]][2][0]
        say("dbt compiles the models, and lineage traces them: minutes")
        traced: Asked = (r"^\S+ .*columns", ("lineage", "--no-html"))
        figures = [_timed("lineage, cold", partial(_noren, project, *traced), 1)]
        commands: dict[str, Asked] = {
            "lineage, warm": traced,
            "lint": (r" NRN\d+ ", ("acl", "lint")),
            "diff": (r" can (now|no longer) read ", ("acl", "diff", "HEAD")),
            "explain --why": (r" can query ", ("acl", "explain", "--why", person, table)),
            "explain --who": (r"^\S+: \d+ member", ("acl", "explain", "--who", ".".join(top.reads[0]))),
            "explain --what": (r"^\S+__\S+: ", ("acl", "explain", "--what", person)),
            "matrix": (r" members, ", ("acl", "matrix", "--html", os.devnull)),
        }
        for name, asked in commands.items():
            say(name)
            figures.append(_timed(name, partial(_noren, project, *asked), rounds))
        _join(project, estate.grants[top.dataset][0])
        say("diff of a group")
        figures.append(_timed("diff, of a group", partial(_noren, project, *commands["diff"]), rounds))
        figures.append(_timed("plan, nothing differs", lambda: planned(live=True), rounds))
        figures.append(_timed("plan, everything differs", lambda: planned(live=False), rounds))
        return figures


def _grant(project: Project, estate: Estate) -> None:
    """What the diff finds: a mart that one more group reads."""
    dataset = next(name for name in estate.grants if name.startswith("marts"))
    path = project.iam / "datasets" / f"{dataset}.json"
    known = next(group for group in estate.groups if group not in estate.grants[dataset])
    text = path.read_text("utf-8")
    path.write_text(text.replace(estate.grants[dataset][0], known, 1), "utf-8")


def _join(project: Project, group: str) -> None:
    """What a diff has to look for in every view: somebody new joins a group."""
    path = project.iam / "groups.json"
    content = json.loads(path.read_text("utf-8"))
    next(item for item in content if item["group"] == group)["members"].append("newcomer@example.com")
    path.write_text(json.dumps(content), "utf-8")


def _live(files: AccessFiles, dataset: str) -> list[dict[str, object]]:
    return [entry.resource for entry in wanted(files, dataset)]


def _noren(project: Project, pattern: str, words: Sequence[str]) -> int:
    """How often a command prints what the pattern describes."""
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
    found = len(re.findall(pattern, done.stdout, re.MULTILINE))
    if not found:
        raise NorenError(f"noren {' '.join(words)} found nothing: the seconds that it took say nothing.")
    return found


def _timed(name: str, run: Callable[[], int], rounds: int) -> Figure:
    seconds, cpu, found = [], [], 0
    for _ in range(rounds):
        began, used = time.perf_counter(), _cpu()
        found = run()
        seconds.append(time.perf_counter() - began)
        cpu.append(_cpu() - used)
    return Figure(name, _spread(seconds), _spread(cpu), found)


def _spread(taken: Sequence[float]) -> tuple[float, float]:
    return round(min(taken), 3), round(max(taken), 3)


def _cpu() -> float:
    """Seconds of this process and of the children that ended."""
    times = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in times)
