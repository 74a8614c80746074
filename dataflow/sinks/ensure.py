"""A table as the contract describes it: made where it is missing, and given the nullable columns that it lacks.

A contract's new version only adds: an optional field is a new column, or a new part of a struct
(https://cloud.google.com/bigquery/docs/managing-table-schemas#adding_columns_to_a_tables_schema_definition).
"""

from collections.abc import Sequence
from typing import Any

from google.api_core import exceptions as api
from google.cloud import bigquery

from dataflow.errors import NorenError
from dataflow.schemas import Table
from dataflow.sinks.patience import CALL_SECONDS, NO_RETRY, NotYet, Passing

_NAMES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}


def ensure(client: bigquery.Client, table: Table) -> None:
    """Create the table, or add what it lacks; once, so call it patiently.

    Raises NorenError when its dataset is missing, or when the live table has a column in another type or lacks a
    required one; NotYet when another process changed the table in between.
    """
    reference = f"{client.project}.{table.id}"
    try:
        live = client.get_table(reference, retry=NO_RETRY, timeout=CALL_SECONDS)
    except api.NotFound:
        _create(client, table, reference)
        return
    have = [field.to_api_repr() for field in live.schema]
    merged = _merged(have, table.bigquery(), table.id)
    if merged == have:
        return
    live.schema = [bigquery.SchemaField.from_api_repr(field) for field in merged]
    try:
        client.update_table(live, ["schema"], retry=NO_RETRY, timeout=CALL_SECONDS)
    except api.PreconditionFailed:
        raise NotYet(Passing.OUTAGE, "another process changes the table") from None


def _create(client: bigquery.Client, table: Table, reference: str) -> None:
    fresh = bigquery.Table(reference, schema=table.bigquery())
    fresh.time_partitioning = bigquery.TimePartitioning(type_="DAY", field=table.partition_by)
    fresh.description = table.description
    fresh.labels = table.labels
    try:
        client.create_table(fresh, exists_ok=True, retry=NO_RETRY, timeout=CALL_SECONDS)
    except api.NotFound as error:
        raise NorenError(f"{table.dataset}: there is no such dataset; run noren acl apply first.") from error


def _merged(have: Sequence[dict[str, Any]], want: Sequence[dict[str, Any]], where: str) -> list[dict[str, Any]]:
    """The live fields, with what the wanted ones have more. Raises NorenError for what cannot be added or differs."""
    wanted = {field["name"]: field for field in want}
    fields = [
        _compared(field, wanted[field["name"]], f"{where}.{field['name']}") if field["name"] in wanted else field
        for field in have
    ]
    live = {field["name"] for field in have}
    for field in want:
        if field["name"] in live:
            continue
        if field.get("mode") == "REQUIRED":
            raise NorenError(
                f"{where}: the live table has no column {field['name']}, and a required one cannot be added; "
                "make it optional in the contract."
            )
        fields.append(bigquery.SchemaField.from_api_repr(field).to_api_repr())
    return fields


def _compared(live: dict[str, Any], want: dict[str, Any], where: str) -> dict[str, Any]:
    if _kind(live) != _kind(want):
        raise NorenError(f"{where}: the live column is {' '.join(_kind(live))}, not {' '.join(_kind(want))}.")
    if not want.get("fields"):
        return live
    return live | {"fields": _merged(live.get("fields") or [], want["fields"], where)}


def _kind(field: dict[str, Any]) -> tuple[str, ...]:
    """A column's type, in one spelling, and that it is repeated where it is."""
    kind = str(field["type"])
    repeated = ("REPEATED",) if field.get("mode") == "REPEATED" else ()
    return (*repeated, _NAMES.get(kind, kind))
