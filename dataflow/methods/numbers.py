"""Coarser numbers: ranges, age bands, bounds."""

import math
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import polars as pl

from dataflow.contract import Field, FieldType
from dataflow.methods.base import NUMERIC, Context, Method

LARGEST = 2**53
"""Bound of the parameters: whole numbers up to it are exact in a float."""

_BOUNDS = msgspec.Meta(ge=-LARGEST, le=LARGEST)
_WIDTH = msgspec.Meta(gt=0, le=LARGEST)

Bounded = Annotated[int, _BOUNDS] | Annotated[float, _BOUNDS]


class Range(Method, frozen=True):
    """The lower bound of the range of equal width that a number lies in. Integer or number in, the same type out.

    width: of a range, in the field's unit, above 0. origin: where one range begins.
    minimum, maximum: bounds in the field's unit; what lies beyond counts as the bound itself (bottom and top coding).
    What is no finite number becomes null. Not reversible. Leaks the range. Lane: anonymous, as a quasi-identifier.
    """

    name = "range"
    accepts = NUMERIC
    leaks = "the range; without bounds an extreme value stands alone in its own"
    lane = "anonymous"
    scales: ClassVar = {"width": "less"}
    width: Annotated[int, _WIDTH] | Annotated[float, _WIDTH]
    origin: Bounded = 0
    minimum: Bounded | None = None
    maximum: Bounded | None = None

    def __post_init__(self) -> None:
        _ordered(self.minimum, self.maximum)

    def effect(self) -> str:
        return f"ranges of {self.width}"

    def fault(self, field: Field) -> str:
        return _whole(field, width=self.width, origin=self.origin, minimum=self.minimum, maximum=self.maximum)

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        value = _clipped(column, field, self.minimum, self.maximum)
        if field.type is FieldType.INTEGER:
            wide = value.cast(pl.Int128) - int(self.origin)
            width = pl.lit(int(self.width), dtype=pl.Int128)
            return (wide // width * width + int(self.origin)).cast(pl.Int64, strict=False)
        return value.map_batches(self._lower, return_dtype=pl.Float64, is_elementwise=True)

    def _lower(self, values: pl.Series) -> pl.Series:
        """Through numpy: polars multiplies by the inverse of a constant, and 49 * (1 / 49) is below 1."""
        with np.errstate(all="ignore"):
            steps = np.floor((values.to_numpy() - float(self.origin)) / float(self.width))
            lower = steps * float(self.width) + float(self.origin)
        return pl.Series(np.where(np.isfinite(lower), lower, np.nan)).fill_nan(None)

    def reference(self, value: object, field: Field, context: Context) -> int | float | None:
        number = _clip(value, field, self.minimum, self.maximum)
        if isinstance(number, int):
            lower = (number - int(self.origin)) // int(self.width) * int(self.width) + int(self.origin)
            return lower if -(2**63) <= lower < 2**63 else None
        if number is None:
            return None
        step = (number - float(self.origin)) / float(self.width)
        lower_bound = math.floor(step) * float(self.width) + float(self.origin) if math.isfinite(step) else math.inf
        return lower_bound if math.isfinite(lower_bound) else None


class AgeBand(Method, frozen=True):
    """The band of years of age, such as `30-39`, and `90+` from the top on. Integer (years) in, string out.

    width: of a band, years, 1 to 50. top: from this age on all share one band, 1 to 90: APPI asks that ages of 90 and
    more be capped (PPC guidelines on 匿名加工情報, unusual values).
    A negative age becomes null. Not reversible. Leaks the band. Lane: anonymous, as a quasi-identifier.
    """

    name = "age_band"
    accepts = frozenset({FieldType.INTEGER})
    output = FieldType.STRING
    leaks = "the age band"
    lane = "anonymous"
    scales: ClassVar = {"width": "less", "top": "more"}
    width: Annotated[int, msgspec.Meta(ge=1, le=50)] = 10
    top: Annotated[int, msgspec.Meta(ge=1, le=90)] = 90

    def effect(self) -> str:
        return f"bands of {self.width} years, {self.top} and more as one"

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        bands = pl.Series([self._band(age) for age in range(self.top + 1)])
        return pl.lit(bands).gather(pl.when(column >= 0).then(column.clip(0, self.top)))

    def _band(self, age: int) -> str:
        if age >= self.top:
            return f"{self.top}+"
        lower = age // self.width * self.width
        return f"{lower}-{min(lower + self.width, self.top) - 1}"

    def reference(self, value: object, field: Field, context: Context) -> str | None:
        assert isinstance(value, int)
        return self._band(value) if value >= 0 else None


class Clamp(Method, frozen=True):
    """The number, or the bound that it lies beyond. Integer or number in, the same type out.

    minimum, maximum: bounds in the field's unit, at least one of them. They come from the policy and never from the
    data: bounds that follow the data tell its extremes.
    NaN becomes null. Not reversible. Leaks every value within the bounds. Lane: anonymous, as a quasi-identifier.
    """

    name = "clamp"
    accepts = NUMERIC
    leaks = "every value within the bounds"
    lane = "anonymous"
    scales: ClassVar = {"minimum": "less", "maximum": "more"}
    minimum: Bounded | None = None
    maximum: Bounded | None = None

    def __post_init__(self) -> None:
        if self.minimum is None and self.maximum is None:
            raise ValueError("needs minimum, maximum or both")
        _ordered(self.minimum, self.maximum)

    def fault(self, field: Field) -> str:
        return _whole(field, minimum=self.minimum, maximum=self.maximum)

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        return _clipped(column, field, self.minimum, self.maximum)

    def reference(self, value: object, field: Field, context: Context) -> int | float | None:
        return _clip(value, field, self.minimum, self.maximum)


def _ordered(minimum: float | None, maximum: float | None) -> None:
    if minimum is not None and maximum is not None and minimum > maximum:
        raise ValueError("minimum must not be above maximum")


def _whole(field: Field, **parameters: float | None) -> str:
    """Why parameters do not fit an integer field; empty when they do."""
    if field.type is FieldType.INTEGER:
        for name, value in parameters.items():
            if value is not None and value != int(value):
                return f"{name} {value} is no whole number, but the field is an integer; use a whole one."
    return ""


def _clipped(column: pl.Expr, field: Field, minimum: float | None, maximum: float | None) -> pl.Expr:
    if field.type is FieldType.INTEGER:
        lower = None if minimum is None else pl.lit(int(minimum), dtype=pl.Int64)
        return column.clip(lower, None if maximum is None else pl.lit(int(maximum), dtype=pl.Int64))
    bounds = (None if bound is None else float(bound) for bound in (minimum, maximum))
    return column.fill_nan(None).clip(*bounds)


def _clip(value: object, field: Field, minimum: float | None, maximum: float | None) -> int | float | None:
    assert isinstance(value, int | float)
    kind = int if field.type is FieldType.INTEGER else float
    if value != value:
        return None
    if minimum is not None and value < minimum:
        return kind(minimum)
    return kind(maximum) if maximum is not None and value > maximum else value
