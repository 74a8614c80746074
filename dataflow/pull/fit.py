"""Rows that were staged under another version, in the columns of the tables of now."""

from collections.abc import Hashable
from typing import Any

import polars as pl

from dataflow.errors import NorenError
from dataflow.journal import Entry
from dataflow.schemas import Table


def columns(entry: Entry) -> dict[str, Hashable]:
    """Names and types of an entry's rows by role: what entries of one commit group have in common."""
    return {role: tuple(frame.schema.items()) for role, frame in entry.rows.items()}


def fit(rows: pl.DataFrame, table: Table) -> pl.DataFrame:
    """The rows with the table's columns, but for `batch_id`: a column that they lack is null, one more is left out.

    Raises NorenError when a column is of another type: a version that changes one is not taken while a pipeline runs.
    """
    wanted = {name: kind for name, kind in table.polars().items() if name != "batch_id"}
    if rows.schema == wanted:
        return rows
    have = rows.schema
    return rows.select(
        _fitted(name, pl.col(name), have[name], kind).alias(name)
        if name in have
        else pl.lit(None, dtype=kind).alias(name)
        for name, kind in wanted.items()
    )


def _fitted(name: str, value: pl.Expr, have: Any, want: Any) -> pl.Expr:
    if have == want:
        return value
    if not (isinstance(have, pl.Struct) and isinstance(want, pl.Struct)):
        raise NorenError(
            f"{name}: was staged as {have} by an earlier version, the table of now has {want}; run that one."
        )
    kinds = {field.name: field.dtype for field in have.fields}
    parts = [
        _fitted(f"{name}.{field.name}", value.struct.field(field.name), kinds[field.name], field.dtype).alias(
            field.name
        )
        if field.name in kinds
        else pl.lit(None, dtype=field.dtype).alias(field.name)
        for field in want.fields
    ]
    return pl.when(value.is_not_null()).then(pl.struct(parts))
