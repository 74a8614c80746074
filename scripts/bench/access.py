"""How long lint and plan take on a large project: 200 datasets, 2,000 views, 500 groups.

    noren bench access

Plan is measured without the network: the live lists are in memory, once as the files say and once empty. In the cloud
the reading of 200 datasets comes on top, eight at a time.
"""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from iam.engine import from_dbt
from iam.files import AccessFiles, load
from iam.lint import lint
from iam.plan import EVERYTHING, plan, stated, wanted
from scripts.bench.estate import invent, write

ROUNDS = 3


@dataclass(frozen=True)
class Figure:
    """seconds: the fastest and the slowest of ROUNDS. found: findings or changes."""

    name: str
    seconds: tuple[float, float]
    found: int


def measure(datasets: int = 200, views: int = 2000, groups: int = 500) -> list[Figure]:
    """The figures, each with everything that its command reads from files."""
    with tempfile.TemporaryDirectory() as directory:
        project = write(Path(directory), invent(datasets, views, groups))
        manifest = project.dbt / "target" / "manifest.json"

        def linted() -> int:
            return len(lint(project, from_dbt(json.loads(manifest.read_text("utf-8")))))

        def planned(files: AccessFiles, live: bool) -> int:
            def access(dataset: str) -> list[dict[str, object]]:
                return [entry.resource for entry in wanted(files, dataset)] if live else []

            plans = (plan(files, name, access(name), lambda _: "1", EVERYTHING) for name in stated(files))
            return sum(len(found.changes) for found in plans)

        return [
            _timed("lint", linted),
            _timed("plan, nothing differs", lambda: planned(load(project), live=True)),
            _timed("plan, everything differs", lambda: planned(load(project), live=False)),
        ]


def _timed(name: str, run: Callable[[], int]) -> Figure:
    seconds, found = [], 0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        found = run()
        seconds.append(time.perf_counter() - began)
    return Figure(name, (round(min(seconds), 3), round(max(seconds), 3)), found)
