"""Arrays: a frame's column holds a whole array; methods and checks are made for the values in it."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from dataflow.contract import Field, FieldType
from dataflow.core.rejects import Reason, Reject
from dataflow.schemas.columns import OF_FIELD

TIMES = (FieldType.TIMESTAMP, FieldType.DATE)


@dataclass(frozen=True)
class ArrayCheck:
    """A check of each value of one leaf inside an array.

    good: given the expression of a (parsed) value, whether it passes.
    """

    array: Field
    leaf: Field
    good: Callable[[pl.Expr], pl.Expr]
    reason: Reason
    message: str

    def expression(self) -> pl.Expr:
        """Whether every value passes, of the array as it was decoded."""
        return holds(pl.col(self.array.path), self.array, self.leaf, lambda value: self.good(parse(value, self.leaf)))


@dataclass(frozen=True)
class ArrayValidator:
    """The checks of a contract's arrays, and their times and dates out of text."""

    arrays: list[Field]
    checks: list[ArrayCheck]
    index: str

    def validate(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Reject]]:
        """(the rows that pass, with typed times; a reject for each other row, by its first failing check)."""
        rejects: list[Reject] = []
        if self.checks and not frame.is_empty():
            verdict = frame.select(check.expression().alias(str(number)) for number, check in enumerate(self.checks))
            good = verdict.select(pl.all_horizontal(pl.all()).alias("good"))["good"]
            for row in verdict.with_columns(frame[self.index].alias("index")).filter(~good).iter_rows(named=True):
                check = next(check for number, check in enumerate(self.checks) if not row[str(number)])
                rejects.append(Reject(row["index"], check.reason, check.leaf.path, check.message))
            frame = frame.filter(good) if rejects else frame
        timed = [array for array in self.arrays if any(leaf.type in TIMES for leaf in array.leaves())]
        return frame.with_columns(parsed(pl.col(array.path), array).alias(array.path) for array in timed), rejects


def decoded_type(field: Field) -> pl.DataType:
    """The type of a decoded column: times and dates are text still."""
    if field.items is not None:
        return pl.List(decoded_type(field.items))
    if field.type is FieldType.OBJECT:
        return pl.Struct({child.name: decoded_type(child) for child in field.children})
    return pl.String() if field.type in TIMES else OF_FIELD[field.type].polars


def changed(column: pl.Expr, field: Field, change: Callable[[pl.Expr, Field], pl.Expr | None]) -> pl.Expr | None:
    """The column with `change` done to every value in it; None when nothing is left.

    A null item of a changed array goes: BigQuery's arrays hold none
    (https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#array_type). No array is an empty array,
    for the same reason.
    """
    if field.items is not None:
        inner = changed(pl.element(), field.items, change)
        return None if inner is None else column.list.eval(inner).list.drop_nulls().fill_null([])
    if field.type is not FieldType.OBJECT:
        return change(column, field)
    parts = [
        part.alias(child.name)
        for child in field.children
        if (part := changed(column.struct.field(child.name), child, change)) is not None
    ]
    if not parts:
        return None
    return pl.struct(parts) if field.required else pl.when(column.is_not_null()).then(pl.struct(parts))


def holds(column: pl.Expr, field: Field, leaf: Field, check: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """Whether `check` is true of every value of `leaf`, which is `field` or lies below it; an absent value passes."""
    if field.items is not None:
        every = column.list.eval(holds(pl.element(), field.items, leaf, check)).list.all()
        return (every | column.is_null()).fill_null(False)
    for child in field.children:
        if any(leaf is below for below in child.leaves()):
            return holds(column.struct.field(child.name), child, leaf, check)
    return (check(column) | column.is_null()).fill_null(False)


def parsed(column: pl.Expr, field: Field) -> pl.Expr:
    """The array with its texts turned into times and dates; one that is none would be null, so check before."""
    made = changed(column, field, parse)
    assert made is not None
    return made


def parse(text: pl.Expr, leaf: Field) -> pl.Expr:
    """One text, or what is no time or date as it is."""
    if leaf.type is FieldType.DATE:
        return text.str.to_date("%Y-%m-%d", strict=False)
    if leaf.type is FieldType.TIMESTAMP:
        return text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False, ambiguous="null")
    return text
