"""Flat columns packed into a table's: an object becomes a struct."""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from dataflow.schemas import Column


class Packing:
    """How a table's columns are made from flat ones.

    leaves: the columns that are one value an event: scalars and arrays. They are asked for by their path.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self.leaves = [leaf for column in columns for leaf in _whole(column)]

    def packed(self, values: Mapping[str, pl.Series]) -> list[pl.Series]:
        """The columns in order. An object all of whose parts are null is null itself, unless it is required."""
        return [_packed(column, values) for column in self._columns]


def _whole(column: Column) -> Iterator[Column]:
    if not column.children or column.repeated:
        yield column
        return
    for child in column.children:
        yield from _whole(child)


def _packed(column: Column, values: Mapping[str, pl.Series]) -> pl.Series:
    if not column.children or column.repeated:
        return values[column.path].alias(column.name)
    parts = pl.DataFrame([_packed(child, values) for child in column.children])
    if column.required or any(not part.null_count() for part in parts.get_columns()):
        return parts.to_struct(column.name)
    some = pl.any_horizontal(pl.all().is_not_null())
    return parts.select(pl.when(some).then(pl.struct(pl.all())).alias(column.name)).to_series()
