"""dbt's manifest, without building anything: parsed when the models changed since, else from the cache.

`dbt parse` opens no connection. What is kept is named for the content of all that the manifest follows from.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dataflow.errors import NorenError
from dataflow.project import Project
from scripts.build.build import render_sources
from scripts.build.process import prepared

KEPT = 4
NOT_MODELS = {"target", "logs", ".noren", "dbt_packages"}
NODE = (
    *("resource_type", "database", "schema", "name", "alias", "identifier", "depends_on", "original_file_path"),
    *("config", "columns"),
)
"""What is kept of a node: no SQL, whose literals may be personal data."""


def manifest_of(project: Project, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """The nodes and sources of the manifest as the models are now.

    say: is given one sentence when dbt has to be asked.
    Raises NorenError with dbt's words when the models cannot be parsed.
    """
    if not (project.dbt / "dbt_project.yml").is_file():
        return {"nodes": {}, "sources": {}}
    render_sources(project)
    place = project.state / "cache" / "manifest"
    kept = place / f"{_digest(project)}.json"
    if kept.is_file():
        found: dict[str, Any] = json.loads(kept.read_text("utf-8"))
        return found
    say("dbt parses the models")
    found = _parsed(project)
    place.mkdir(parents=True, exist_ok=True)
    draft = kept.with_suffix(".draft")
    draft.write_text(json.dumps(found), "utf-8")
    draft.replace(kept)
    for old in sorted(place.glob("*.json"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        old.unlink(missing_ok=True)
    return found


def _parsed(project: Project) -> dict[str, Any]:
    project.state.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="parse-", dir=project.state) as directory:
        arguments = [
            *("--quiet", "--no-use-colors", "--no-version-check", "--no-send-anonymous-usage-stats"),
            *("--log-path", directory),
            *("parse", "--project-dir", str(project.dbt), "--profiles-dir", str(project.dbt)),
            *("--target", "production", "--target-path", directory),
        ]
        environment = {"NOREN_PROJECT": project.id, "NOREN_DBT_SERVICE_ACCOUNT": ""}
        with prepared() as dbt:
            result = dbt.run(arguments, environment)
        made = Path(directory, "manifest.json")
        if result.exit_code or not made.is_file():
            raise NorenError(f"dbt cannot parse the models: {result.error or 'it says nothing'}")
        manifest = json.loads(made.read_text("utf-8"))
    return {
        part: {name: {key: node[key] for key in NODE if key in node} for name, node in manifest[part].items()}
        for part in ("nodes", "sources")
    }


def _digest(project: Project) -> str:
    """Of everything that the manifest follows from."""
    found = hashlib.sha256(f"{project.id} {version('dbt-core')} {version('dbt-bigquery')}".encode())
    for path in _files(project.dbt):
        found.update(path.relative_to(project.dbt).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:32]


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in folder.walk():
        folders[:] = sorted(name for name in folders if name not in NOT_MODELS)
        yield from (root / name for name in sorted(names))
