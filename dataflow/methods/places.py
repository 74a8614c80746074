"""Coarser places."""

from typing import Annotated, ClassVar

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from dataflow.contract import Field, FieldType
from dataflow.methods.base import Context, Method


class CoarsenLocation(Method, frozen=True):
    """A coordinate rounded to a grid cell. Number (degrees) in, number out.

    decimals: of a degree, 0 to 4; 2 is a cell of about 1.1 km north to south.
    Not reversible. Leaks the cell: alone at night in a rural cell is a home. Four points identify most people
    (de Montjoye 2013), so a trajectory of cells is never anonymous. Lane: pseudonymized.
    """

    name = "coarsen_location"
    accepts = frozenset({FieldType.NUMBER})
    leaks = "the grid cell"
    scales: ClassVar = {"decimals": "more"}
    decimals: Annotated[int, msgspec.Meta(ge=0, le=4)] = 2

    def effect(self) -> str:
        return f"a grid of {('111 km', '11 km', '1.1 km', '110 m', '11 m')[self.decimals]}"

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        # no division by a constant here: polars multiplies by its inverse, which is another cell's name by one bit
        cell = column.round(self.decimals, mode="half_to_even")
        # -0.0 would tell on which side of zero the place lies; polars takes `+ 0.0` for nothing to do
        return pl.when(cell == 0).then(0.0).otherwise(cell)

    def reference(self, value: object, field: Field, context: Context) -> float:
        assert isinstance(value, float)
        factor = 10.0**self.decimals
        return round(value * factor) / factor + 0.0


BASE32 = "0123456789bcdefghjkmnpqrstuvwxyz"
_LETTERS = np.frombuffer(BASE32.encode(), np.uint8)


class Geohash(Method, frozen=True):
    """The geohash cell of a point (Niemeyer 2008). Number (latitude, degrees) in, string out.

    longitude: path of the field that holds the degrees east; null or out of range gives null.
    length: characters, 1 to 8; 5 is a cell of at most 4.9 km, 6 of 1.2 km, 7 of 150 m, 8 of 38 m.
    Not reversible. Leaks the cell, see coarsen_location. Lane: pseudonymized.
    """

    name = "geohash"
    accepts = frozenset({FieldType.NUMBER})
    output = FieldType.STRING
    leaks = "the cell"
    scales: ClassVar = {"length": "more"}
    longitude: Annotated[str, msgspec.Meta(min_length=1)]
    length: Annotated[int, msgspec.Meta(ge=1, le=8)] = 5

    def effect(self) -> str:
        cells = ("5,000 km", "1,250 km", "156 km", "39 km", "4.9 km", "1.2 km", "150 m", "38 m")
        return f"cells of {cells[self.length - 1]}"

    def uses(self) -> tuple[str, ...]:
        return (self.longitude,)

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        both = pl.struct(column.cast(pl.Float64).alias("y"), context.column(self.longitude).cast(pl.Float64).alias("x"))
        return both.map_batches(self._cells, return_dtype=pl.String, is_elementwise=True)

    def _cells(self, points: pl.Series) -> pl.Series:
        """The cells of a series of {y, x} in degrees."""
        y, x = points.struct.field("y"), points.struct.field("x")
        good = (y.is_between(-90, 90) & x.is_between(-180, 180)).fill_null(False)
        cells = geohashes(y.filter(good).to_numpy(), x.filter(good).to_numpy(), self.length)
        if len(cells) == len(points):
            return cells
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(points)).scatter(good.arg_true(), cells)

    def reference(self, value: object, field: Field, context: Context) -> str | None:
        """Bit by bit, by halving, as the format is defined."""
        assert isinstance(value, float)
        other = context.row.get(self.longitude)
        if not isinstance(other, float | int) or not (-90 <= value <= 90 and -180 <= other <= 180):
            return None
        halves = {"x": [-180.0, 180.0], "y": [-90.0, 90.0]}
        letters = []
        for start in range(0, 5 * self.length, 5):
            letter = 0
            for bit in range(start, start + 5):
                axis, point = ("x", float(other)) if bit % 2 == 0 else ("y", value)
                low, high = halves[axis]
                middle = (low + high) / 2
                halves[axis] = [middle, high] if point >= middle else [low, middle]
                letter = letter << 1 | (point >= middle)
            letters.append(BASE32[letter])
        return "".join(letters)


def geohashes(latitudes: NDArray[np.float64], longitudes: NDArray[np.float64], length: int) -> pl.Series:
    """Geohashes of `length` (1 to 8) characters of points that are on the globe, String.

    Exact: a cell's bounds are dyadic fractions of the range, and the comparison is made with the bound itself where
    rounding could have put a point on the other side.
    """
    bits = 5 * length
    code = _spread(_steps(longitudes, 360.0, (bits + 1) // 2)) << np.uint64(1 - bits % 2)
    code |= _spread(_steps(latitudes, 180.0, bits // 2)) << np.uint64(bits % 2)
    shifts = np.arange(bits - 5, -1, -5, dtype=np.uint64)
    letters = _LETTERS[((code[:, None] >> shifts) & np.uint64(31)).astype(np.intp)]
    ends = np.arange(0, letters.size + 1, length, dtype=np.int64)
    return pl.Series(
        pa.LargeStringArray.from_buffers(len(code), pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(letters)))
    )


def _steps(degrees: NDArray[np.float64], width: float, bits: int) -> NDArray[np.uint64]:
    """Which of 2^bits cells of a range of `width` degrees around 0 each value lies in; the last one is closed."""
    cells = 1 << bits
    size = width / cells  # exact: 45 times a power of two
    step = np.floor(degrees / size)
    step -= degrees < step * size
    step += degrees >= (step + 1) * size
    steps: NDArray[np.uint64] = np.clip(step + cells // 2, 0, cells - 1).astype(np.uint64)
    return steps


def _spread(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The bits of numbers of up to 32 bits at the even places (Hacker's Delight, 7-2)."""
    for shift, mask in (
        (16, 0x0000FFFF0000FFFF),
        (8, 0x00FF00FF00FF00FF),
        (4, 0x0F0F0F0F0F0F0F0F),
        (2, 0x3333333333333333),
        (1, 0x5555555555555555),
    ):
        numbers = (numbers | numbers << np.uint64(shift)) & np.uint64(mask)
    return numbers


__all__ = ["CoarsenLocation", "Geohash", "geohashes"]
