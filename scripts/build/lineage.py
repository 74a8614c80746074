"""The lineage of a project's files, or of the files as they were at a revision: compiled once, then from the cache."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from dataflow.project import Project
from dataflow.revision import checked_out
from iam.lineage import cache
from iam.lineage.models import Model, models
from iam.lineage.origins import Origins
from iam.lineage.trace import Lineage, StaleError, trace
from scripts.build import digest

KEPT = 8
"""Manifests that are kept: that of now, and of the revisions that one compares with."""

_traced: dict[Path, Lineage] = {}
"""What this process traced from the cache, by the cache's file: a revision with the models of now has the same."""


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
    caches = (state or project.state) / "cache"
    place = caches / "lineage"
    described = digest.described(project)
    beginnings = _origins(project, place / f"origins-{described}.msgpack")
    flows = cache.Cache(place / "flows.msgpack")
    name = digest.models(project, revision, described)
    file = place / f"models-{name}.msgpack"
    if file in _traced:
        return _traced[file]
    known = cache.read(file, list[Model])
    if known is not None:
        try:
            return _traced.setdefault(file, trace(project.id, known, beginnings, flows))
        except StaleError:
            pass
    if revision is None:
        found = _compiled(project, caches, name, say)
    else:
        with checked_out(*revision, "dbt", "dataflow") as then:
            found = _compiled(then, caches, name, say)
    lineage = trace(project.id, found, beginnings, flows)
    _sweep(place, "models")
    # without SQL: its literals may be personal data
    cache.write(file, [msgspec.structs.replace(model, sql=(), source_text="") for model in found])
    return lineage


def _compiled(project: Project, caches: Path, name: str, say: Callable[[str], None]) -> list[Model]:
    from scripts.build.manifest import keep
    from scripts.build.offline import compiled

    manifest, later = compiled(project, say)
    keep(caches, name, manifest)
    return models(manifest, later)


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
