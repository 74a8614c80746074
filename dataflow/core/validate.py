"""Checks that are cheaper on a column than on a value: timestamps, dates, patterns, and times that cannot be."""

import datetime
from dataclasses import dataclass

import polars as pl

from dataflow.contract import Contract, Field, FieldType
from dataflow.core.rejects import Reason, Reject
from dataflow.errors import NorenError

FUTURE_ALLOWANCE = 10 * 60 * 1_000_000
"""Microseconds that a device's clock may be ahead of the broker's."""

EARLIEST = 946_684_800_000_000
"""2000-01-01 UTC in microseconds: a clock that was never set says 1970 or 1980."""

BIGQUERY_RANGE = (-62_135_596_800_000_000, 253_402_300_799_999_999)
"""The years 1 to 9999 in microseconds: what a TIMESTAMP column holds."""

STORABLE_DATES = (datetime.date.min, datetime.date.max)
"""The years 1 to 9999: what a DATE column holds."""

UUID = r"^[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}$"

RECEIVED = "#received"
"""Frame column: when the broker accepted the message, microseconds."""

INDEX = "#index"
"""Frame column: which event of the batch."""


@dataclass(frozen=True)
class _Check:
    """good: true where the (present) value passes."""

    field: Field
    good: pl.Expr
    reason: Reason
    message: str


class Validator:
    """The columnar checks of one contract. Also turns text into timestamps and dates."""

    def __init__(self, contract: Contract) -> None:
        leaves = contract.leaves()
        self._text = [leaf for leaf in leaves if leaf.type in (FieldType.TIMESTAMP, FieldType.DATE)]
        self._checks = [check for leaf in leaves for check in _checks(contract, leaf)]

    def validate(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Reject]]:
        """(the rows that pass, with typed times; a reject for each other row, by its first failing check)."""
        if frame.is_empty():
            return frame.with_columns(*(pl.col(leaf.path).cast(_parsed(leaf)[0]) for leaf in self._text)), []
        frame = frame.with_columns(
            *(_parsed(leaf)[1] for leaf in self._text),
            *(pl.col(leaf.path).alias(f"#{leaf.path}") for leaf in self._text),
        )
        verdict = frame.select(
            # an absent value passes: whether it may be absent the decoder has checked
            (check.good | pl.col(_source(check.field)).is_null()).fill_null(False).alias(str(number))
            for number, check in enumerate(self._checks)
        )
        good = verdict.select(pl.all_horizontal(pl.all()).alias("good"))["good"] if self._checks else None
        rejects: list[Reject] = []
        if good is not None and not good.all():
            failed = verdict.with_columns(frame[INDEX]).filter(~good)
            for row in failed.iter_rows(named=True):
                check = next(check for number, check in enumerate(self._checks) if not row[str(number)])
                rejects.append(Reject(row[INDEX], check.reason, check.field.path, check.message))
            frame = frame.filter(good)
        return frame.drop(f"#{leaf.path}" for leaf in self._text), rejects


def _source(field: Field) -> str:
    """The column that says whether a value is present: for parsed fields the text before it was parsed."""
    return f"#{field.path}" if field.type in (FieldType.TIMESTAMP, FieldType.DATE) else field.path


def _parsed(leaf: Field) -> tuple[pl.DataType, pl.Expr]:
    if leaf.type is FieldType.DATE:
        return pl.Date(), pl.col(leaf.path).str.to_date("%Y-%m-%d", strict=False)
    # %+ alone takes RFC 3339 and a little more
    text = pl.col(leaf.path)
    parsed = text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False, ambiguous="null")
    return pl.Datetime("us", "UTC"), parsed


def _checks(contract: Contract, leaf: Field) -> list[_Check]:
    column = pl.col(leaf.path)
    checks: list[_Check] = []
    if leaf.type is FieldType.TIMESTAMP:
        message = "must be an RFC 3339 time with a zone, such as 2024-01-15T10:30:00Z"
        storable = column.dt.timestamp("us").is_between(*BIGQUERY_RANGE)
        checks.append(_Check(leaf, storable, Reason.INVALID_TIMESTAMP, message))
    if leaf.type is FieldType.DATE:
        storable = column.is_between(*STORABLE_DATES)
        checks.append(_Check(leaf, storable, Reason.INVALID_DATE, "must be a date such as 2024-01-15"))
    if leaf.path == contract.event_time:
        micros = column.dt.timestamp("us")
        ahead = micros <= pl.col(RECEIVED) + FUTURE_ALLOWANCE
        minutes = FUTURE_ALLOWANCE // 60_000_000
        message = f"lies more than {minutes} minutes after the message was received"
        checks.append(_Check(leaf, ahead, Reason.FUTURE_EVENT, message))
        checks.append(_Check(leaf, micros >= EARLIEST, Reason.TOO_OLD, "lies before the year 2000"))
    pattern = UUID if leaf.constraints.format == "uuid" else leaf.constraints.pattern
    if pattern is not None:
        _compile(contract, leaf, pattern)
        kind = "must be a UUID" if leaf.constraints.format == "uuid" else "does not match the contract's pattern"
        checks.append(_Check(leaf, column.str.contains(pattern), Reason.INVALID_FORMAT, kind))
    return checks


def _compile(contract: Contract, leaf: Field, pattern: str) -> None:
    """Raises NorenError when Rust's regex does not take the pattern (no look-around, no back-references)."""
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        why = [line for line in str(error).splitlines() if "error: " in line][-1].rpartition("error: ")[2]
        raise NorenError(f"{contract.stream}.yaml: {leaf.path}: pattern: {why.rstrip('.')}.") from error
