"""Column types, before any system's dialect: what a table's column, and the output of a method, can be."""

from enum import StrEnum

import polars as pl


class ColumnType(StrEnum):
    """Column types by their GoogleSQL names."""

    STRING = "STRING"
    INT64 = "INT64"
    FLOAT64 = "FLOAT64"
    BOOL = "BOOL"
    TIMESTAMP = "TIMESTAMP"
    DATE = "DATE"
    BYTES = "BYTES"
    STRUCT = "STRUCT"

    @property
    def polars(self) -> pl.DataType:
        """The polars type of a scalar column."""
        return _POLARS[self]


_POLARS: dict[str, pl.DataType] = {
    "STRING": pl.String(),
    "INT64": pl.Int64(),
    "FLOAT64": pl.Float64(),
    "BOOL": pl.Boolean(),
    "TIMESTAMP": pl.Datetime("us", "UTC"),
    "DATE": pl.Date(),
    "BYTES": pl.Binary(),
}
