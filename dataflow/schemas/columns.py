"""Columns and tables, before any system's dialect."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from dataflow.column_type import ColumnType as ColumnType
from dataflow.contract import Classification, FieldType

OF_FIELD = {
    FieldType.STRING: ColumnType.STRING,
    FieldType.INTEGER: ColumnType.INT64,
    FieldType.NUMBER: ColumnType.FLOAT64,
    FieldType.BOOLEAN: ColumnType.BOOL,
    FieldType.TIMESTAMP: ColumnType.TIMESTAMP,
    FieldType.DATE: ColumnType.DATE,
    FieldType.OBJECT: ColumnType.STRUCT,
    FieldType.MAP: ColumnType.STRING,  # JSON text
}
"""The column type of each field type; an array's is that of its items."""


@dataclass(frozen=True)
class Column:
    """One column.

    path: dotted from the table's root; for a struct's child the struct's path comes first.
    repeated: an array of `type`.
    classification, method: of the field that it comes from; None for the tables' own columns.
    """

    name: str
    path: str
    type: ColumnType
    required: bool = False
    description: str = ""
    repeated: bool = False
    children: tuple["Column", ...] = ()
    classification: Classification | None = None
    method: str | None = None

    def leaves(self) -> Iterator["Column"]:
        """This column, or the scalar columns below it, in order."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()

    @property
    def polars(self) -> pl.DataType:
        """The polars type, structs and arrays included."""
        inner: pl.DataType
        inner = pl.Struct({child.name: child.polars for child in self.children}) if self.children else self.type.polars
        return pl.List(inner) if self.repeated else inner

    def bigquery(self) -> dict[str, Any]:
        """BigQuery's TableFieldSchema (https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#TableFieldSchema)."""
        names = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}
        mode = "REPEATED" if self.repeated else "REQUIRED" if self.required else "NULLABLE"
        schema: dict[str, Any] = {"name": self.name, "type": names.get(self.type, self.type.value), "mode": mode}
        if self.description:
            schema["description"] = self.description
        if self.children:
            schema["fields"] = [child.bigquery() for child in self.children]
        return schema


def own(name: str, type: ColumnType, description: str, *, required: bool = True) -> Column:
    """A table's own column, which comes from no field."""
    return Column(name, name, type, required, description)


@dataclass(frozen=True)
class Table:
    """One table.

    partition_by: the TIMESTAMP column whose day is the partition.
    labels: BigQuery labels; `lane` says which of the two lanes it belongs to, where it belongs to one.
    """

    dataset: str
    name: str
    columns: tuple[Column, ...]
    partition_by: str
    description: str
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """`dataset.table`."""
        return f"{self.dataset}.{self.name}"

    def leaves(self) -> list[Column]:
        return [leaf for column in self.columns for leaf in column.leaves()]

    def polars(self) -> dict[str, pl.DataType]:
        """Column name -> polars type: the schema of a frame of rows of this table."""
        return {column.name: column.polars for column in self.columns}

    def bigquery(self) -> list[dict[str, Any]]:
        """The table's schema as BigQuery's REST API takes it."""
        return [column.bigquery() for column in self.columns]
