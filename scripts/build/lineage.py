"""The lineage of a project's files, or of the files as they were at a revision: compiled once, then from the cache."""

import subprocess
from collections.abc import Callable, Iterator
from hashlib import sha1, sha256
from importlib.metadata import version
from pathlib import Path

import msgspec

from dataflow.contract import load_contracts
from dataflow.policy import load_policy
from dataflow.project import Project
from dataflow.revision import checked_out
from dataflow.schemas import dbt as sources
from iam.lineage import cache
from iam.lineage.models import Model, models
from iam.lineage.origins import origins
from iam.lineage.trace import Lineage, StaleError, trace

FORMAT = 1
"""Raised when what is kept of a manifest changes."""
KEPT = 8
"""Manifests that are kept: that of now, and of the revisions that one compares with."""


def lineage_of(
    project: Project,
    *,
    state: Path | None = None,
    revision: tuple[Project, str] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Lineage:
    """The lineage of a project.

    state: where caches are, default the project's own `.noren`.
    revision: (the project with its git history, revision), when `project` holds only contracts and policy of then. The
    models are looked up in git then, and checked out only when they are not in the cache.
    Raises NorenError when contracts, policy or models cannot be read at all.
    """
    place = (state or project.state) / "cache" / "lineage"
    beginnings = origins(load_contracts(project.contracts).values(), load_policy(project.policy))
    flows = cache.Cache(place / "flows.msgpack")
    file = place / f"models-{_digest(project, revision)}.msgpack"
    known = cache.read(file, list[Model])
    if known is not None:
        try:
            return trace(project.id, known, beginnings, flows)
        except StaleError:
            pass
    if revision is None:
        found = _compiled(project, say)
    else:
        with checked_out(*revision, "dbt", "dataflow") as then:
            found = _compiled(then, say)
    lineage = trace(project.id, found, beginnings, flows)
    for old in sorted(place.glob("models-*.msgpack"), key=lambda path: path.stat().st_mtime)[: -KEPT + 1]:
        old.unlink(missing_ok=True)
    # without SQL: its literals may be personal data
    cache.write(file, [msgspec.structs.replace(model, sql=(), source_text="") for model in found])
    return lineage


def _compiled(project: Project, say: Callable[[str], None]) -> list[Model]:
    from scripts.build.compiled import compiled

    return models(*compiled(project, say))


def _digest(project: Project, revision: tuple[Project, str] | None) -> str:
    """Of everything that a manifest follows from."""
    listing = _files(project.dbt) if revision is None else _tracked(*revision)
    sourced = "".join(sources.files(project).values())
    made = [*sorted(line for line in listing if not line.endswith(" models/staging/sources.yml")), sourced]
    told = "\n".join((str(FORMAT), project.id, version("dbt-core"), version("dbt-bigquery"), *made))
    return sha256(told.encode()).hexdigest()[:32]


def _files(folder: Path) -> Iterator[str]:
    """`<git's digest of the content> <path>` of every file."""
    for root, folders, names in folder.walk():
        folders[:] = [name for name in folders if name not in (".noren", "target", "logs")]
        for name in names:
            content = (root / name).read_bytes()
            digest = sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
            yield f"{digest} {(root / name).relative_to(folder).as_posix()}"


def _tracked(project: Project, revision: str) -> Iterator[str]:
    """The same of the files at a git revision."""
    done = subprocess.run(  # noqa: S603
        ["git", "ls-tree", "-r", "-z", "--full-tree", f"{revision}^{{commit}}:dbt"],  # noqa: S607
        cwd=project.root,
        capture_output=True,
        check=False,
    )
    for line in done.stdout.decode().split("\0"):
        if line:
            described, _, path = line.partition("\t")
            yield f"{described.split()[2]} {path}"
