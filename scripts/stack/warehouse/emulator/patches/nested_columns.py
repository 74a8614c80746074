"""A part that is added to a struct by an update of the table's schema is there afterwards.

Without it the update answers 200 and changes nothing below the first level, and rows that are loaded lose the part's
values without a word. BigQuery adds it
(https://cloud.google.com/bigquery/docs/managing-table-schemas#add_a_nested_column_to_a_record_column).
"""

import argparse
from typing import Any

from local_bigquery.catalog import tables
from local_bigquery.engine import database, types
from local_bigquery.engine.database import quote


def apply(options: argparse.Namespace) -> None:  # noqa: ARG001 - every patch is called the same way
    alter = tables._alter

    def patched(project_id: str, dataset_id: str, table_id: str, fields: Any) -> None:
        alter(project_id, dataset_id, table_id, fields)
        table = tables.name(project_id, dataset_id, table_id)
        for path, field in added(tables.columns(project_id, dataset_id, table_id), fields):
            column = f"{quote(*path)}.{types.column(field, nested=True)}"
            database.execute(f"ALTER TABLE {table} ADD COLUMN {column}")

    tables._alter = patched


def added(have: Any, want: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """(path of the struct, the new part) of what the wanted fields have more, below the first level.

    The elements of an array of structs are a level named `element` in DuckLake.
    """
    live = {field.name.casefold(): field for field in have}
    found = []
    for field in want:
        existing = live.get(field.name.casefold())
        if existing is None:
            if path:
                found.append((path, field))
        elif field.fields:
            below = (*path, existing.name, *(["element"] if existing.mode == "REPEATED" else []))
            found += added(existing.fields or [], field.fields, below)
    return found
