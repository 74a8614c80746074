"""Keep and drop."""

import polars as pl

from dataflow.contract import Field
from dataflow.methods.base import ANY, PERSONAL, Context, Method


class Keep(Method, frozen=True):
    """The value as it is. Any type in, the same out. Not for what the contract classifies as personal."""

    name = "keep"
    accepts = ANY
    leaks = "everything"
    reversible = True
    unfit_for = PERSONAL
    lane = "anonymous"

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        return column

    def reference(self, value: object, field: Field, context: Context) -> object:
        return value


class Drop(Method, frozen=True):
    """No column at all. What a field without a rule gets."""

    name = "drop"
    accepts = ANY
    leaks = "nothing"
    lane = "anonymous"

    def expression(self, column: pl.Expr, field: Field, context: Context) -> None:
        return None

    def reference(self, value: object, field: Field, context: Context) -> None:
        return None
