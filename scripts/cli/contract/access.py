"""Access files for the datasets of a new domain: owners and service identities, as the layer's other files have them.

People get nothing from here: whom a new domain's data is shown to is for a reviewed change of iam/ to say.
"""

import json
from pathlib import Path
from typing import Any

from dataflow import names
from dataflow.project import Project


def missing(project: Project, domain: str) -> dict[Path, str]:
    """{path relative to the project's root: text} of the access files that a domain's two datasets lack."""
    found: dict[Path, str] = {}
    for layer in (names.raw, names.anonymized):
        path = Path("iam", "datasets", f"{layer(domain)}.json")
        if not (project.root / path).exists():
            found[path] = _text(_common(project.iam / "datasets", f"{layer('*')}.json"))
    return found


def _common(folder: Path, pattern: str) -> list[dict[str, Any]]:
    """The entries that every dataset of the layer has and that grant no group of people to read."""
    files = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob(pattern))]
    first, *others = files or [[]]
    return [
        entry
        for entry in first
        if all(entry in other for other in others) and (entry.get("role") != "READER" or "userByEmail" in entry)
    ]


def _text(entries: list[dict[str, Any]]) -> str:
    """A JSON list, an entry a line, as the other files are written."""
    if not entries:
        return "[]\n"
    return "[\n" + ",\n".join(f"  {json.dumps(entry, ensure_ascii=False)}" for entry in entries) + "\n]\n"
