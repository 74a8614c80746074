"""The outline of dbt's manifest: relations and what they refer to, without SQL; from the cache when nothing changed.

Lint and explain ask for it. What lineage compiled is kept too, so dbt is asked once for both.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dataflow.project import Project
from scripts.build import digest

KEPT = 8
NODE = ("resource_type", "database", "schema", "name", "alias", "identifier", "depends_on", "original_file_path")
"""What is kept of a node, with how it is materialized and its columns' policy tags: no SQL, whose literals may be
personal data."""

type Outline = dict[str, dict[str, dict[str, Any]]]


def manifest_of(project: Project, say: Callable[[str], None] = lambda _: None) -> Outline:
    """The nodes and sources of the manifest as the models are now.

    say: is given one sentence when dbt has to be asked.
    Raises NorenError with dbt's words when the models cannot be parsed.
    """
    if not (project.dbt / "dbt_project.yml").is_file():
        return {"nodes": {}, "sources": {}}
    place, name = project.state / "cache", digest.models(project, None, digest.described(project))
    try:
        found: Outline = json.loads(_file(place, name).read_bytes())
    except (OSError, ValueError):
        from scripts.build.offline import parsed

        found = keep(place, name, parsed(project, say))
    return found


def keep(place: Path, name: str, manifest: Mapping[str, Any]) -> Outline:
    """Write the outline of a manifest below the cache directory `place`; the outline.

    name: `digest.models(...)`.
    """
    found = outline(manifest)
    file = _file(place, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(found, separators=(",", ":")), "utf-8")
    draft.replace(file)
    for old in sorted(file.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        old.unlink(missing_ok=True)
    return found


def outline(manifest: Mapping[str, Any]) -> Outline:
    """What access reads of a manifest."""
    return {part: {name: _node(node) for name, node in manifest[part].items()} for part in ("nodes", "sources")}


def _node(node: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: node[key] for key in NODE if key in node}
    config, columns = node.get("config") or {}, node.get("columns") or {}
    tags = {
        name: found
        for name, column in columns.items()
        if (found := column.get("policy_tags") or (column.get("config") or {}).get("policy_tags"))
    }
    materialized = {"materialized": config["materialized"]} if "materialized" in config else {}
    return {**kept, "config": materialized, "columns": {name: {"policy_tags": found} for name, found in tags.items()}}


def _file(place: Path, name: str) -> Path:
    return place / "manifest" / f"{name}.json"
