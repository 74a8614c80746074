"""Runs all rules over the files of a project."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from dataflow.project import Project
from iam.engine import Table, TableName
from iam.files import read
from iam.lint.finding import Finding
from iam.lint.rule import Context
from iam.lint.rules import RULES
from iam.lint.settings import FILE, read_settings

SPEAK_OF_ACCESS = (("dbt", (".sql", ".yml", ".yaml")), ("terraform", (".tf",)))
"""Folder -> ends of names of files in which somebody else may own an access list."""
NOT_OURS = {"target", "dbt_packages", ".terraform", ".noren", "logs", "tests"}


def lint(
    project: Project, relations: Mapping[TableName, Table] | None = None, now: datetime | None = None
) -> list[Finding]:
    """Every finding, in the order of files and lines; those that iam/lint.yaml says are meant are left out.

    relations: what dbt builds; without it the rules of authorized views find less. now: the clock for expiries.
    Raises NorenError when iam/lint.yaml is wrong.
    """
    files, faults = read(project)
    now = now or datetime.now(UTC)
    settings = read_settings(project.root / FILE)
    context = Context(files, tuple(faults), relations, dict(texts(project.root)), settings, now)
    found = {finding: None for rule in RULES for finding in rule().check(context)}
    ignored = settings.ignore
    kept = (finding for finding in found if not any(ignore.covers(finding, now.date()) for ignore in ignored))
    return sorted(kept, key=lambda finding: finding.order)


def texts(root: Path) -> Iterator[tuple[str, str]]:
    """(path, content) of the files that may give an access list a second owner."""
    for folder, ends in SPEAK_OF_ACCESS:
        for where, folders, names in (root / folder).walk():
            folders[:] = sorted(name for name in folders if name not in NOT_OURS)
            here = where.relative_to(root).as_posix()
            for name in sorted(names):
                if name.endswith(ends):
                    yield f"{here}/{name}", (where / name).read_text("utf-8", errors="replace")
