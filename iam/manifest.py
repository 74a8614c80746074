"""What dbt's manifest says of access: which views it builds, and what each reads.

Only names are read, from `depends_on`: no SQL is parsed. A model that is no relation of its own (ephemeral) is looked
through.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from iam.engine.names import TableName


@dataclass(frozen=True)
class Relation:
    """One thing that dbt builds in the warehouse.

    file: of the model, relative to the project's root. view: whether it is a view: a table reads when it is built, as
    dbt; a view whenever somebody asks. reads: what it reads. tags: column -> policy tag that the model declares.
    """

    name: TableName
    file: str
    view: bool
    reads: frozenset[TableName]
    tags: Mapping[str, str]


type Relations = Mapping[TableName, Relation]


def relations(manifest: Mapping[str, Any], project: str) -> Relations:
    """What dbt builds. project: of names that the manifest leaves without one."""
    nodes: dict[str, Any] = {**manifest["nodes"], **manifest["sources"]}

    def name(node: Mapping[str, Any]) -> TableName:
        table = node.get("identifier") or node.get("alias") or node["name"]
        return TableName(node.get("database") or project, node["schema"], table)

    def below(node: Mapping[str, Any]) -> Iterator[TableName]:
        for unique_id in node.get("depends_on", {}).get("nodes", ()):
            source = nodes.get(unique_id)
            if source is None:
                continue
            if _materialized(source) == "ephemeral":
                yield from below(source)
            else:
                yield name(source)

    built = (node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "snapshot", "seed"))
    found = {}
    for node in built:
        if _materialized(node) == "ephemeral" or node.get("config", {}).get("enabled") is False:
            continue
        relation = Relation(
            name=name(node),
            file=f"dbt/{node['original_file_path']}",
            view=_materialized(node) in ("view", "materialized_view"),
            reads=frozenset(below(node)),
            tags={
                column["name"]: tag
                for column in node.get("columns", {}).values()
                for tag in (column.get("policy_tags") or ())
            },
        )
        found[relation.name] = relation
    return found


def _materialized(node: Mapping[str, Any]) -> str:
    return str(node.get("config", {}).get("materialized", ""))
