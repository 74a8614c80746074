"""Rows as a Parquet file for a load job."""

import functools
import io

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dataflow.schemas import Table
from dataflow.schemas.columns import Column
from dataflow.sinks.arrow import schema, to_arrow


def to_parquet(table: Table, rows: pl.DataFrame, batch_id: str) -> io.BytesIO:
    """The rows in the table's columns, `batch_id` among them; a required column is required in the file too.

    No statistics and light compression: BigQuery reads the file once, and whole.
    Raises NorenError like `to_arrow`.
    """
    file = io.BytesIO()
    frame = rows.with_columns(pl.lit(batch_id).alias("batch_id")).select(table.polars().keys())
    try:
        # half the cost of the way through Arrow
        frame.write_parquet(file, compression="snappy", statistics=False, arrow_schema=_views(table.columns))
    except pl.exceptions.SchemaError:
        # a required part of a struct that is null, or a null that should not be: the other way tells them apart
        file = io.BytesIO()
        pq.write_table(to_arrow(table, rows, batch_id), file, compression="snappy", write_statistics=False)
    return file


@functools.lru_cache(64)
def _views(columns: tuple[Column, ...]) -> pa.Schema:
    """The table's Arrow schema in the types that polars holds columns in."""
    return pa.schema([_viewed(field) for field in schema(columns)])


def _viewed(field: pa.Field) -> pa.Field:
    kind = field.type
    if pa.types.is_struct(kind):
        return field.with_type(pa.struct([_viewed(part) for part in kind]))
    if pa.types.is_list(kind):
        return field.with_type(pa.large_list(_viewed(kind.value_field)))
    return field.with_type({pa.string(): pa.string_view(), pa.binary(): pa.binary_view()}.get(kind, kind))
