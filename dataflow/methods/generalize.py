"""Coarser values: places, times, versions, addresses."""

import datetime
import ipaddress
import re
from typing import Annotated, ClassVar, Literal

import msgspec
import polars as pl

from dataflow.contract import Field, FieldType
from dataflow.methods.base import PERSONAL, TEXT, Context, Method


class CoarsenLocation(Method, frozen=True):
    """A coordinate rounded to a grid. Number in, number out.

    decimals: of a degree, 0 to 4; 2 is a cell of about 1.1 km north to south.
    Leaks the cell: alone at night in a rural cell is a home. Four points identify most people (de Montjoye 2013).
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


class TruncateTime(Method, frozen=True):
    """The start of the unit that the moment lies in, in UTC. Timestamp in, timestamp out. Leaks the unit."""

    name = "truncate_time"
    accepts = frozenset({FieldType.TIMESTAMP})
    leaks = "the unit of time"
    scales: ClassVar = {"unit": ("day", "hour", "minute", "second")}
    unit: Literal["second", "minute", "hour", "day"] = "hour"

    def effect(self) -> str:
        return f"times to the {self.unit}"

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        return column.dt.truncate({"second": "1s", "minute": "1m", "hour": "1h", "day": "1d"}[self.unit])

    def reference(self, value: object, field: Field, context: Context) -> datetime.datetime:
        assert isinstance(value, datetime.datetime)
        start = value.replace(microsecond=0)
        if self.unit != "second":
            start = start.replace(second=0)
        if self.unit in ("hour", "day"):
            start = start.replace(minute=0)
        return start.replace(hour=0) if self.unit == "day" else start


class ReduceVersion(Method, frozen=True):
    """The first numbers of a dotted version. String in, string out; what does not begin with a number becomes null.

    parts: how many numbers stay, 1 to 3.
    """

    name = "reduce_version"
    accepts = TEXT
    leaks = "the kept numbers: a rare old version narrows a crowd"
    unfit_for = PERSONAL
    scales: ClassVar = {"parts": "more"}
    parts: Annotated[int, msgspec.Meta(ge=1, le=3)] = 1

    @property
    def _pattern(self) -> str:
        return rf"^([0-9]+(?:\.[0-9]+){{0,{self.parts - 1}}})"

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        return column.str.extract(self._pattern, 1)

    def reference(self, value: object, field: Field, context: Context) -> str | None:
        found = re.match(self._pattern, str(value))
        return found[1] if found else None


OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4 = rf"^(?:{OCTET}\.){{3}}{OCTET}$"


class TruncateIp(Method, frozen=True):
    """The network an IP address lies in, as its first address. String in, string out; what is no address becomes null.

    v4, v6: bits that stay of an IPv4 (0 to 24) or IPv6 (0 to 64) address. An IPv6 address that is made of an IPv4 one
    (mapped, or 6to4, RFC 3056) counts as IPv4: its leading 48 bits are all zero or hold the whole address.
    """

    name = "truncate_ip"
    accepts = TEXT
    leaks = "the network: a small company's /24 is the company"
    scales: ClassVar = {"v4": "more", "v6": "more"}
    v4: Annotated[int, msgspec.Meta(ge=0, le=24)] = 24
    v6: Annotated[int, msgspec.Meta(ge=0, le=64)] = 48

    def effect(self) -> str:
        return f"networks of {2 ** (32 - self.v4):,} IPv4 addresses"

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        return column.map_batches(self._truncate, return_dtype=pl.String)

    def _truncate(self, values: pl.Series) -> pl.Series:
        """IPv4 to /24 by text; every other address one by one, each once."""
        if self.v4 != 24:
            return self._each(values)
        plain = values.str.contains(IPV4)
        short = values.str.strip_chars_end("0123456789") + "0"
        if plain.all():
            return short
        return short.zip_with(plain.fill_null(False), self._each(values.filter(~plain), over=values))

    def _each(self, values: pl.Series, over: pl.Series | None = None) -> pl.Series:
        """The networks of `over` (default: of `values`), where they stand among `values`; null elsewhere."""
        known = values.drop_nulls().unique()
        networks = pl.Series([self._one(value) for value in known], dtype=pl.String)
        target = values if over is None else over
        return target.replace_strict(known, networks, default=None, return_dtype=pl.String)

    def _one(self, value: str) -> str | None:
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return None
        if isinstance(address, ipaddress.IPv6Address):
            address = address.ipv4_mapped or address.sixtofour or address
        bits = self.v4 if address.version == 4 else self.v6
        number = int(address) >> (address.max_prefixlen - bits) << (address.max_prefixlen - bits)
        return str(type(address)(number))

    def reference(self, value: object, field: Field, context: Context) -> str | None:
        return self._one(str(value))
