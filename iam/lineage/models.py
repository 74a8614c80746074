"""What lineage needs of dbt's manifest: relations, compiled SQL and what the YAML declares; and what it cannot see.

https://docs.getdbt.com/reference/artifacts/manifest-json
"""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import msgspec

BUILT = frozenset({"model", "snapshot"})
"""Resource types that become relations by SQL."""
GIVEN = frozenset({"seed", "source"})
"""Resource types whose columns only the YAML describes."""

DYNAMIC = re.compile(
    r"\b(run_query|statement|load_result|load_relation|get_columns_in_relation|dbt_utils\.get_\w+|dbt_utils\.star"
    r"|adapter\.(?!dispatch|quote)\w+)\s*\("
)
"""Jinja that asks the warehouse: what it renders, only a build with a connection knows."""


class Column(msgspec.Struct, frozen=True):
    """A column as the YAML declares it. tags: display names of its policy tags."""

    description: str = ""
    type: str = ""
    classification: str | None = None
    tags: tuple[str, ...] = ()


class Model(msgspec.Struct, frozen=True):
    """A node of dbt.

    id: dbt's. relation: `project.dataset.table`, empty where it becomes none. file: from the project's root.
    yaml: the file that describes it. kind: view, table, incremental, ephemeral, snapshot, seed, source, test...
    sql: its statements, compiled; more than one where it runs in more than one way. digests: of each.
    columns: name in lower case -> what is declared. hidden: what of it cannot be seen, in words.
    lines: of each statement, line -> line of the file, where that can be told.
    """

    id: str
    relation: str
    file: str
    yaml: str
    kind: str
    description: str
    columns: dict[str, Column]
    labels: dict[str, str] = {}
    sql: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    hidden: str = ""
    source_text: str = ""

    @property
    def name(self) -> str:
        """`dataset.table`"""
        return self.relation.partition(".")[2]

    def line(self, number: int, statement: int = 0) -> str:
        """`dbt/models/x.sql:12` for a line of compiled SQL; the compiled line where macros moved it."""
        if not number or statement >= len(self.sql):
            return self.file
        lines = self.sql[statement].splitlines()
        wanted = lines[number - 1].strip() if number <= len(lines) else ""
        places = [place for place, line in enumerate(self.source_text.splitlines(), 1) if line.strip() == wanted]
        if len(places) == 1:
            return f"{self.file}:{places[0]}"
        return f"{self.file}, line {number} of its compiled SQL"


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def models(manifest: Mapping[str, Any], incremental: Mapping[str, Any] | None = None) -> list[Model]:
    """Every node of the manifest that reads or is read.

    incremental: the manifest as it is when `is_incremental()` holds, where a model asks for that.
    """
    later = (incremental or {}).get("nodes", {})
    found = []
    for node in (*manifest["nodes"].values(), *manifest["sources"].values()):
        sql = tuple(dict.fromkeys(text for text in (_sql(node), _sql(later.get(node["unique_id"], {}))) if text))
        found.append(
            Model(
                id=node["unique_id"],
                relation=_relation(node),
                file=f"dbt/{node['original_file_path']}",
                yaml=f"dbt/{(node.get('patch_path') or node['original_file_path']).partition('://')[2]}"
                if node.get("patch_path")
                else f"dbt/{node['original_file_path']}",
                kind=_kind(node),
                description=node.get("description", ""),
                columns={name.lower(): _column(column) for name, column in node.get("columns", {}).items()},
                labels={str(k): str(v) for k, v in (node.get("config", {}).get("labels") or {}).items()},
                sql=sql,
                digests=tuple(map(digest, sql)),
                hidden=_hidden(node, manifest.get("macros", {})),
                source_text=node.get("raw_code", "") or "",
            )
        )
    return found


def _kind(node: Mapping[str, Any]) -> str:
    kind = str(node["resource_type"])
    return str(node.get("config", {}).get("materialized", kind)) if kind == "model" else kind


def _relation(node: Mapping[str, Any]) -> str:
    if node["resource_type"] not in BUILT | GIVEN or node.get("config", {}).get("materialized") == "ephemeral":
        return ""
    return ".".join((node["database"] or "", node["schema"], node.get("alias") or node["identifier"]))


def _sql(node: Mapping[str, Any]) -> str:
    if node.get("resource_type") in GIVEN:
        return ""
    return str(node.get("compiled_code") or "")


def _column(column: Mapping[str, Any]) -> Column:
    meta = {**(column.get("meta") or {}), **((column.get("config") or {}).get("meta") or {})}
    tags = column.get("policy_tags") or (column.get("config") or {}).get("policy_tags") or ()
    word = meta.get("classification")
    return Column(
        description=column.get("description") or "",
        type=column.get("data_type") or "",
        classification=None if word is None else str(word),
        tags=tuple(str(tag).rpartition("/")[2] for tag in tags),
    )


def _hidden(node: Mapping[str, Any], macros: Mapping[str, Any]) -> str:
    """Why the compiled SQL is not all that runs; empty when it is."""
    if node["resource_type"] not in BUILT:
        return ""
    if node.get("language", "sql") != "sql":
        return "is no SQL: what it reads is not seen"
    for text in _texts(node, macros):
        if asked := DYNAMIC.search(text):
            return f"calls {asked[1]}: what that renders only a build knows"
    if hooks := [hook for key in ("pre-hook", "post-hook") for hook in node.get("config", {}).get(key) or ()]:
        return f"has {len(hooks)} hooks, whose SQL is not seen"
    if node.get("config", {}).get("sql_header"):
        return "has a sql_header, which is not seen"
    return "" if node.get("compiled_code") else "was not compiled"


def _texts(node: Mapping[str, Any], macros: Mapping[str, Any]) -> Iterator[str]:
    """Its own Jinja and that of the macros it calls; dbt's own are known to ask nothing where a model calls them."""
    yield node.get("raw_code", "") or ""
    waiting, seen = list(node.get("depends_on", {}).get("macros", ())), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in macros or macros[name]["package_name"] in ("dbt", "dbt_bigquery"):
            continue
        seen.add(name)
        yield macros[name]["macro_sql"]
        waiting += macros[name]["depends_on"]["macros"]
