"""Which column carries which policy tag: what dbt's models declare, held against live tables and views.

WRITE_TRUNCATE strips tags (cloud-foundation-fabric#1532), and dbt keeps or loses them by materialization
(dbt-adapters#1338): after a build those that are gone are given back.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dataflow.errors import NorenError
from iam.engine import Kind, Table, TableName
from iam.entries import Json
from iam.live import Live
from iam.plan import Change

ATTEMPTS = 5
"""Writes of one table's schema that lose against other writers before it is given up."""


def lacking(live: Live, tables: Mapping[TableName, Table], project: str) -> dict[TableName, dict[str, str]]:
    """Relation of the project -> column -> the tag that its model declares and that is not there.

    Raises NorenError when a relation cannot be read.
    """
    found: dict[TableName, dict[str, str]] = {}
    for name, table in sorted(tables.items()):
        if not table.tags or name.project not in ("", project) or table.kind is Kind.ROUTINE:
            continue
        resource = live.table(name.dataset, name.table)
        if resource is None:
            continue  # not built yet: there is nothing to read
        present = dict(_tags(_fields(resource)))
        if missing := {column: tag for column, tag in table.tags.items() if tag not in present.get(column, ())}:
            found[name] = missing
    return found


def give_back(live: Live, name: TableName, tags: Mapping[str, str], intended: Callable[[Change], None]) -> list[Change]:
    """Tag these columns of a table or view; what was done. A column that is not there is left out.

    intended: is given each change before it is made, once.
    Raises NorenError when BigQuery refuses, or other writers win ATTEMPTS times.
    """
    for attempt in range(ATTEMPTS):
        resource = live.table(name.dataset, name.table)
        if resource is None:
            return []
        fields = _fields(resource)
        columns = [column for column, _ in _tags(fields) if column in tags]
        changes = [
            Change(name.dataset, "add", f"policy tag {tags[column]} on {name.table}.{column}") for column in columns
        ]
        if not changes:
            return []
        if attempt == 0:
            for change in changes:
                intended(change)
        if live.patch_table(name.dataset, name.table, {"schema": {"fields": _tagged(fields, tags)}}, resource["etag"]):
            return changes
    raise NorenError(f"{name.short}: other writers changed it {ATTEMPTS} times in between: try again later.")


def _fields(resource: Json) -> list[Json]:
    fields = resource.get("schema", {}).get("fields", [])
    if not isinstance(fields, list):
        raise NorenError("BigQuery answered with a schema that is none.")
    return fields


def _tags(fields: list[Any], path: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """(column, its tags) of every column, those of structs by their path."""
    for field in fields:
        here = f"{path}{field['name']}"
        yield here, tuple(field.get("policyTags", {}).get("names", ()))
        yield from _tags(field.get("fields", []), f"{here}.")


def _tagged(fields: list[Any], tags: Mapping[str, str], path: str = "") -> list[Json]:
    """The fields with these tags, all else as it is."""
    made = []
    for field in fields:
        here = f"{path}{field['name']}"
        tag = {"policyTags": {"names": [tags[here]]}} if here in tags else {}
        below = {"fields": _tagged(field["fields"], tags, f"{here}.")} if "fields" in field else {}
        made.append({**field, **tag, **below})
    return made
