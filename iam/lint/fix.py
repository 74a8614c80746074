"""Mends what is safe to mend without asking: what takes away what has no effect, or adds what dbt's views need."""

from collections.abc import Iterable

from dataflow.project import Project
from iam import edit
from iam.lint.finding import Append, Finding, Remove


def fix(project: Project, findings: Iterable[Finding]) -> list[Finding]:
    """Write the edits of all findings that have one; those findings."""
    mended = [finding for finding in findings if finding.fix is not None]
    removed: dict[str, set[int]] = {}
    for finding in mended:
        if isinstance(finding.fix, Remove) and isinstance(index := finding.fix.place.path[0], int):
            removed.setdefault(finding.fix.place.file, set()).add(index)
    for file, indices in removed.items():
        path = project.root / file
        path.write_text(edit.without(path.read_text("utf-8"), indices), "utf-8")
    for finding in mended:
        if isinstance(finding.fix, Append):
            edit.append(project.root / finding.fix.file, finding.fix.item)
    return mended
