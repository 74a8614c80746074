"""Columns of any name in insertAll: a name is never SQL.

Without it the emulator writes the names of a table's columns into the statement that checks the rows, between single
quotes and as they are: a name with a quote in it fails, and one that is made for it runs as SQL past the gateway.
"""

import argparse
from typing import Any

from local_bigquery.catalog import tabledata


def apply(options: argparse.Namespace) -> None:  # noqa: ARG001
    unconvertible = tabledata._unconvertible

    def patched(schema: dict[str, tuple[str, Any]], rows: list[dict[str, Any]]) -> list[list[str]]:
        number = {column: f"c{place}" for place, (column, _) in enumerate(schema.values())}
        name = {plain: column for column, plain in number.items()}
        found: list[list[str]] = unconvertible(
            {number[column]: (number[column], kind) for column, kind in schema.values()},
            [{number[column]: value for column, value in row.items()} for row in rows],
        )
        return [[name[plain] for plain in columns] for columns in found]

    tabledata._unconvertible = patched
