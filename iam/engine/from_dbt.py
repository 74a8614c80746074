"""Views, and what they read, as dbt's manifest has them.

https://docs.getdbt.com/reference/artifacts/manifest-json
"""

from collections.abc import Iterator, Mapping
from typing import Any

from iam.engine.names import TableName
from iam.engine.world import Kind, Table
from iam.positions import Place

KINDS = {"view": Kind.VIEW, "materialized_view": Kind.MATERIALIZED_VIEW}
"""materialization -> what it becomes; all others become tables, whose rows are copies and need no authorization."""


def from_dbt(manifest: Mapping[str, Any]) -> dict[TableName, Table]:
    """Every relation of the manifest. A view reads what its model refers to, straight through ephemeral models."""
    nodes = {**manifest.get("nodes", {}), **manifest.get("sources", {})}
    found = {}
    for node in nodes.values():
        if (name := _relation(node)) is not None:
            kind = KINDS.get(_materialized(node), Kind.TABLE)
            reads = frozenset(_reads(node, nodes, set())) if kind is not Kind.TABLE else frozenset[TableName]()
            found[name] = Table(name, kind, reads, tags=_tags(node), place=Place(f"dbt/{node['original_file_path']}"))
    return found


def _reads(node: Mapping[str, Any], nodes: Mapping[str, Any], seen: set[str]) -> Iterator[TableName]:
    for identifier in (node.get("depends_on") or {}).get("nodes", ()):
        if identifier in seen or (source := nodes.get(identifier)) is None:
            continue
        seen.add(identifier)
        if (name := _relation(source)) is not None:
            yield name
        else:
            yield from _reads(source, nodes, seen)


def _relation(node: Mapping[str, Any]) -> TableName | None:
    if node["resource_type"] not in ("model", "snapshot", "seed", "source") or _materialized(node) == "ephemeral":
        return None
    return TableName(node.get("database") or "", node["schema"], node.get("alias") or node.get("identifier") or "")


def _materialized(node: Mapping[str, Any]) -> str:
    return str((node.get("config") or {}).get("materialized") or "")


def _tags(node: Mapping[str, Any]) -> dict[str, str]:
    """column -> policy tag, as the YAML gives them."""
    return {
        name: tags[0]
        for name, column in (node.get("columns") or {}).items()
        if (tags := column.get("policy_tags") or (column.get("config") or {}).get("policy_tags"))
    }
