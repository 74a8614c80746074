"""Rows as Arrow, with the exact types and modes of the table: what both sinks send."""

import functools

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from dataflow.column_type import ColumnType
from dataflow.errors import NorenError
from dataflow.schemas import Table
from dataflow.schemas.columns import Column

_TYPES = {
    ColumnType.STRING: pa.string(),
    ColumnType.INT64: pa.int64(),
    ColumnType.FLOAT64: pa.float64(),
    ColumnType.BOOL: pa.bool_(),
    ColumnType.TIMESTAMP: pa.timestamp("us", "UTC"),
    ColumnType.DATE: pa.date32(),
    ColumnType.BYTES: pa.binary(),
}
"""Types that BigQuery takes (https://cloud.google.com/bigquery/docs/supported-data-types)."""

_ANYTHING = dict(zip(_TYPES.values(), ("", 0, 0.0, False, 0, 0, b""), strict=True))


def to_arrow(table: Table, rows: pl.DataFrame, batch_id: str) -> pa.Table:
    """The rows in the table's columns, `batch_id` among them, one chunk a column.

    A required column is not nullable here: BigQuery refuses a Parquet file where it is
    (https://github.com/googleapis/google-cloud-python/issues/8305).
    Raises NorenError when a required column, or a required part of one, is null: BigQuery would refuse the row.
    """
    rows = rows.with_columns(pl.lit(batch_id).alias("batch_id")).select(table.polars().keys())
    arrow = rows.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    wanted = schema(table.columns)
    try:
        columns = [_fitted(arrow.column(field.name).combine_chunks(), field, field.name) for field in wanted]
    except _NullError as error:
        raise NorenError(
            f"{table.id}: BigQuery would refuse the rows of group {batch_id}: {error} is required and null."
        ) from None
    return pa.Table.from_arrays(columns, schema=wanted)


@functools.lru_cache(64)
def schema(columns: tuple[Column, ...]) -> pa.Schema:
    """The Arrow schema of a table's columns."""
    return pa.schema([_field(column) for column in columns])


def _field(column: Column) -> pa.Field:
    kind = pa.struct([_field(child) for child in column.children]) if column.children else _TYPES[column.type]
    if column.repeated:
        kind = pa.list_(pa.field("element", kind))
    return pa.field(column.name, kind, nullable=not column.required)


class _NullError(Exception):
    """Its text is the path of what is null and must not be."""


def _fitted(array: pa.Array, field: pa.Field, path: str) -> pa.Array:
    """An array (offset 0) as one of the field's type. `cast` would refuse a required part of a struct that is null."""
    if not field.nullable and array.null_count:
        raise _NullError(path)
    kind = field.type
    if pa.types.is_list(kind):
        values = _fitted(array.values, kind.value_field, path)
        offsets = array.offsets.cast(pa.int32())
        return pa.ListArray.from_arrays(offsets, values, type=kind, mask=array.is_null() if array.null_count else None)
    if pa.types.is_struct(kind):
        # a part's own nulls, without those of a struct that is null as a whole
        present = array.filter(array.is_valid()) if array.null_count else array
        for part in kind:
            if not part.nullable and pc.struct_field(present, part.name).null_count:
                raise _NullError(f"{path}.{part.name}")
        parts = []
        for part in kind:
            values = _fitted(array.field(part.name), part.with_nullable(True), f"{path}.{part.name}")
            # under a struct that is null a required part needs a value too, which nobody ever sees
            parts.append(values if part.nullable else _filled(values))
        return pa.StructArray.from_arrays(parts, fields=list(kind), mask=array.is_null() if array.null_count else None)
    return array.cast(kind)


def _filled(array: pa.Array) -> pa.Array:
    """The array with any value in the place of its nulls."""
    if pa.types.is_struct(array.type):
        return pa.StructArray.from_arrays(
            [array.field(index) for index in range(array.type.num_fields)], fields=list(array.type)
        )
    if not array.null_count:
        return array
    return array.fill_null(pa.scalar(_ANYTHING[array.type], array.type))
