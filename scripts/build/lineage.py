"""The lineage of a project's files, or of the files as they were at a revision: compiled once, then from the cache."""

import subprocess
from collections.abc import Callable, Iterator
from hashlib import sha1, sha256
from importlib.metadata import version
from pathlib import Path

import msgspec

import dataflow
import iam
from dataflow.project import Project
from dataflow.revision import checked_out
from iam.lineage import cache
from iam.lineage.models import Model, models
from iam.lineage.origins import Origins
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
    described = _described(project)
    beginnings = _origins(project, place / f"origins-{described}.msgpack")
    flows = cache.Cache(place / "flows.msgpack")
    file = place / f"models-{_digest(project, revision, described)}.msgpack"
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
    _sweep(place, "models")
    # without SQL: its literals may be personal data
    cache.write(file, [msgspec.structs.replace(model, sql=(), source_text="") for model in found])
    return lineage


def _compiled(project: Project, say: Callable[[str], None]) -> list[Model]:
    from scripts.build.compiled import compiled

    return models(*compiled(project, say))


def _origins(project: Project, file: Path) -> Origins:
    known = cache.read(file, Origins)
    if known is None:
        from dataflow.contract import load_contracts
        from dataflow.policy import load_policy
        from iam.lineage.origins import origins

        known = origins(load_contracts(project.contracts).values(), load_policy(project.policy))
        _sweep(file.parent, "origins")
        cache.write(file, known)
    return known


def _sweep(place: Path, kind: str) -> None:
    """Make room for one more."""
    for old in sorted(place.glob(f"{kind}-*.msgpack"), key=lambda path: path.stat().st_mtime)[: -KEPT + 1]:
        old.unlink(missing_ok=True)


def _described(project: Project) -> str:
    """Digest of contracts and policy, and of the code that makes tables of them."""
    code = [Path(package.__path__[0]) for package in (dataflow, iam)]
    told = sha256(f"{FORMAT} {project.id}".encode())
    for file in sorted([project.policy, *project.contracts.glob("*.yaml")]):
        told.update(b"\0" + file.name.encode() + b"\0" + file.read_bytes())
    for folder in (code[0], code[0] / "methods", code[0] / "policy", code[0] / "schemas", code[1] / "lineage"):
        for file in sorted(folder.glob("*.py")):
            stat = file.stat()
            told.update(f"{file.name} {stat.st_size} {stat.st_mtime_ns}\0".encode())
    return told.hexdigest()[:32]


def _digest(project: Project, revision: tuple[Project, str] | None, described: str) -> str:
    """Of everything that a manifest follows from."""
    listing = _files(project.dbt) if revision is None else _tracked(*revision)
    made = sorted(line for line in listing if not line.endswith(" models/staging/sources.yml"))
    told = "\n".join((described, version("dbt-core"), version("dbt-bigquery"), *made))
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
