"""Runs a method both ways."""

from collections.abc import Mapping, Sequence
from typing import Any
from unittest import mock

import polars as pl

from dataflow.contract import Constraints, Field, FieldType
from dataflow.keys import TokenKey
from dataflow.methods import Context, Method, text

KEY = TokenKey(bytes(range(32)))

KINDS: dict[FieldType, pl.DataType] = {
    FieldType.STRING: pl.String(),
    FieldType.INTEGER: pl.Int64(),
    FieldType.NUMBER: pl.Float64(),
    FieldType.BOOLEAN: pl.Boolean(),
    FieldType.TIMESTAMP: pl.Datetime("us", "UTC"),
    FieldType.DATE: pl.Date(),
}


def field(type: FieldType) -> Field:
    return Field("x", "x", type, False, None, "", Constraints())


def columnar(
    method: Method, type: FieldType, values: Sequence[Any], others: Mapping[str, Sequence[Any]] | None = None
) -> list[Any]:
    """What the expression makes of a column. `others` are columns beside it; `person` is the subject's token."""
    frame = pl.DataFrame([pl.Series("x", values, dtype=KINDS[type]), *_series(others or {})])
    context = Context(KEY, subject=pl.col("person") if "person" in frame.columns else None)
    expression = method.expression(pl.col("x"), field(type), context)
    assert expression is not None
    before = frame.clone()
    made = frame.select(expression.alias("x"))["x"]
    with mock.patch.object(text, "FEW", 0):
        assert frame.select(expression.alias("x"))["x"].equals(made), "a few texts and many go two ways"
    function = method.function(field(type), context)
    if function is not None:
        assert function(frame["x"]).equals(made), "the function and the expression differ"
    assert frame.equals(before), "a method must leave its column as it was: the raw row is made of it"
    return made.to_list()


def plain(
    method: Method, type: FieldType, values: Sequence[Any], others: Mapping[str, Sequence[Any]] | None = None
) -> list[Any]:
    """The same, one value at a time in plain Python."""
    others = others or {}
    rows = [dict(zip(others, row, strict=True)) for row in zip(*others.values(), strict=True)] or [{}] * len(values)
    return [
        None if value is None else method.reference(value, field(type), Context(KEY, row=row, person=row.get("person")))
        for value, row in zip(values, rows, strict=True)
    ]


def _series(others: Mapping[str, Sequence[Any]]) -> list[pl.Series]:
    return [
        pl.Series(name, values, dtype=pl.String() if name == "person" else pl.Float64())
        for name, values in others.items()
    ]
