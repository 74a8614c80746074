"""Keep, drop, constant."""

import polars as pl

from dataflow.contract import Field, FieldType
from dataflow.methods.base import ANY, PERSONAL, Context, Function, Method


class Keep(Method, frozen=True):
    """The value as it is. Any type in, the same out; reversible, since nothing is hidden.

    Leaks everything: not for what the contract classifies as personal. Lane: anonymous, of what is public.
    """

    name = "keep"
    accepts = ANY
    leaks = "everything"
    reversible = True
    unfit_for = PERSONAL
    lane = "anonymous"

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        return column

    def function(self, field: Field, context: Context) -> Function:
        return _same

    def reference(self, value: object, field: Field, context: Context) -> object:
        return value


def _same(values: pl.Series) -> pl.Series:
    return values


class Drop(Method, frozen=True):
    """No column at all: what a field without a rule gets. Any type in, nothing out; leaks nothing, is not reversible.
    Lane: anonymous."""

    name = "drop"
    accepts = ANY
    leaks = "nothing"
    lane = "anonymous"

    def expression(self, column: pl.Expr, field: Field, context: Context) -> None:
        return None

    def reference(self, value: object, field: Field, context: Context) -> None:
        return None


class Constant(Method, frozen=True):
    """One value for all events that have the field. String, integer, number or boolean in, the same type out.

    value: of the field's type; no blank for null, that would be `drop`.
    Not reversible. Leaks whether the field was there. Lane: anonymous.
    """

    name = "constant"
    accepts = frozenset({FieldType.STRING, FieldType.INTEGER, FieldType.NUMBER, FieldType.BOOLEAN})
    leaks = "whether the field was there"
    lane = "anonymous"
    value: bool | int | float | str

    def fault(self, field: Field) -> str:
        kinds: dict[FieldType, tuple[type, ...]] = {
            FieldType.STRING: (str,),
            FieldType.INTEGER: (int,),
            FieldType.NUMBER: (int, float),
            FieldType.BOOLEAN: (bool,),
        }
        fits = type(self.value) in kinds[field.type]
        if fits and field.type is FieldType.INTEGER:
            fits = -(2**63) <= int(self.value) < 2**63
        return "" if fits else f"value {self.value!r} is no {field.type}; give one of the field's type."

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        value = float(self.value) if field.type is FieldType.NUMBER else self.value
        return pl.when(column.is_not_null()).then(pl.lit(value, dtype=_CONSTANTS[field.type]))

    def reference(self, value: object, field: Field, context: Context) -> object:
        return float(self.value) if field.type is FieldType.NUMBER else self.value


_CONSTANTS: dict[FieldType, type[pl.DataType]] = {
    FieldType.STRING: pl.String,
    FieldType.INTEGER: pl.Int64,
    FieldType.NUMBER: pl.Float64,
    FieldType.BOOLEAN: pl.Boolean,
}
