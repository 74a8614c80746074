"""Coarser times and dates."""

import datetime
from typing import ClassVar, Literal

import polars as pl

from dataflow.contract import Field, FieldType
from dataflow.methods.base import Context, Method

_EVERY = {
    "second": "1s",
    "minute": "1m",
    "hour": "1h",
    "day": "1d",
    "week": "1w",
    "month": "1mo",
    "quarter": "1q",
    "year": "1y",
}


class TruncateTime(Method, frozen=True):
    """The start of the unit that the moment lies in, in UTC. Timestamp or date in, the same type out.

    unit: second, minute, hour, day, week (from Monday), month, quarter or year; of a date only day and longer.
    Not reversible. Leaks the unit: a minute often singles out an event that somebody else saw. Lane: pseudonymized.
    """

    name = "truncate_time"
    accepts = frozenset({FieldType.TIMESTAMP, FieldType.DATE})
    leaks = "the unit of time"
    scales: ClassVar = {"unit": tuple(reversed(_EVERY))}
    unit: Literal["second", "minute", "hour", "day", "week", "month", "quarter", "year"] = "hour"

    def effect(self) -> str:
        return f"times to the {self.unit}"

    def fault(self, field: Field) -> str:
        if field.type is FieldType.DATE and self.unit in ("second", "minute", "hour"):
            return f"a date has no {self.unit}; use unit: day or longer."
        return ""

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        return column.dt.truncate(_EVERY[self.unit])

    def reference(self, value: object, field: Field, context: Context) -> datetime.date:
        assert isinstance(value, datetime.date)
        if not isinstance(value, datetime.datetime):
            return self._day(value)
        start = value.replace(microsecond=0)
        if self.unit != "second":
            start = start.replace(second=0)
        if self.unit not in ("second", "minute"):
            start = start.replace(minute=0)
        if self.unit in ("second", "minute", "hour"):
            return start
        return datetime.datetime.combine(self._day(start.date()), datetime.time(), start.tzinfo)

    def _day(self, day: datetime.date) -> datetime.date:
        match self.unit:
            case "week":
                return day - datetime.timedelta(day.weekday())
            case "month":
                return day.replace(day=1)
            case "quarter":
                return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
            case "year":
                return day.replace(month=1, day=1)
        return day
