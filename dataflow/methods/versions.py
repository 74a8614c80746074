"""Coarser versions."""

import re
from typing import Annotated, ClassVar

import msgspec
import polars as pl

from dataflow.contract import Field
from dataflow.methods.base import PERSONAL, TEXT, Context, Function, Method


class ReduceVersion(Method, frozen=True):
    """The first numbers of a dotted version. String in, string out; what does not begin with a number becomes null.

    parts: how many numbers stay, 1 to 3.
    Not reversible. Leaks the kept numbers: a rare old version narrows a crowd. Lane: anonymous, as a quasi-identifier.
    """

    name = "reduce_version"
    own_bytes = True
    accepts = TEXT
    leaks = "the kept numbers: a rare old version narrows a crowd"
    unfit_for = PERSONAL
    lane = "anonymous"
    scales: ClassVar = {"parts": "more"}
    parts: Annotated[int, msgspec.Meta(ge=1, le=3)] = 1

    @property
    def _pattern(self) -> str:
        return rf"^([0-9]+(?:\.[0-9]+){{0,{self.parts - 1}}})"

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        return column.map_batches(self._reduced, return_dtype=pl.String)

    def function(self, field: Field, context: Context) -> Function:
        return self._reduced

    def _reduced(self, versions: pl.Series) -> pl.Series:
        from dataflow.methods.loops.versions import reduced

        return reduced(versions, self.parts)

    def reference(self, value: object, field: Field, context: Context) -> str | None:
        found = re.match(self._pattern, str(value))
        return found[1] if found else None
