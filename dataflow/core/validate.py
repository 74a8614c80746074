"""Checks that are cheaper on a column than on a value: timestamps, dates, patterns, and times that cannot be."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import polars as pl

from dataflow.contract import Contract, Field, FieldType
from dataflow.core.arrays import ArrayCheck, ArrayValidator
from dataflow.core.rejects import Reason, Reject
from dataflow.core.times import timestamps
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
    """good: true where the (present) value passes.

    sure: of a whole frame; true only if every present value passes. Cheaper than `good`, and all there is to do for
    most batches.
    """

    field: Field
    good: pl.Expr
    sure: Callable[[pl.DataFrame], bool]
    reason: Reason
    message: str


class Validator:
    """The columnar checks of one contract. Also turns text into timestamps and dates."""

    def __init__(self, contract: Contract) -> None:
        columns = contract.columns()
        self._arrays = _array_validator(contract, [column for column in columns if column.items is not None])
        leaves = [column for column in columns if column.items is None]
        self._text = [leaf for leaf in leaves if leaf.type in (FieldType.TIMESTAMP, FieldType.DATE)]
        self._checks = [check for leaf in leaves for check in _checks(contract, leaf, pl.col(leaf.path))]

    def validate(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Reject]]:
        """(the rows that pass, with typed times; a reject for each other row, by its first failing check)."""
        frame, rejects = self._scalars(frame)
        if not self._arrays.arrays:
            return frame, rejects
        frame, more = self._arrays.validate(frame)
        return frame, rejects + more

    def _scalars(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Reject]]:
        # a time that was read already cannot be wrong
        text = {leaf.path: column for leaf in self._text if (column := frame[leaf.path]).dtype == pl.String}
        typed = {leaf.path: _parsed(leaf, text[leaf.path]) for leaf in self._text if leaf.path in text}
        if typed:
            frame = frame.with_columns(*typed.values())
        if frame.is_empty():
            return frame, []
        parsed = all(typed[path].null_count() == text[path].null_count() for path in text)
        if parsed and all(check.sure(frame) for check in self._checks):
            return frame, []
        return self._sort_out(frame.with_columns(series.alias(f"#{path}") for path, series in text.items()))

    def _sort_out(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Reject]]:
        """Row by row which checks pass. frame: with the text of parsed columns in `#<path>`."""
        verdict = frame.select(
            # an absent value passes: whether it may be absent the decoder has checked
            (check.good | pl.col(_source(check.field, frame)).is_null()).fill_null(False).alias(str(number))
            for number, check in enumerate(self._checks)
        )
        good = verdict.select(pl.all_horizontal(pl.all()).alias("good"))["good"]
        rejects: list[Reject] = []
        failed = verdict.with_columns(frame[INDEX]).filter(~good)
        for row in failed.iter_rows(named=True):
            check = next(check for number, check in enumerate(self._checks) if not row[str(number)])
            rejects.append(Reject(row[INDEX], check.reason, check.field.path, check.message))
        return frame.filter(good).drop(
            f"#{leaf.path}" for leaf in self._text if f"#{leaf.path}" in frame.columns
        ), rejects


def _source(field: Field, frame: pl.DataFrame) -> str:
    """The column that says whether a value is present: for parsed fields the text before it was parsed."""
    return f"#{field.path}" if f"#{field.path}" in frame.columns else field.path


def _parsed(leaf: Field, text: pl.Series) -> pl.Series:
    return text.str.to_date("%Y-%m-%d", strict=False) if leaf.type is FieldType.DATE else timestamps(text)


def _checks(contract: Contract, leaf: Field, column: pl.Expr) -> list[_Check]:
    """column: the leaf's values, times and dates parsed."""
    checks: list[_Check] = []
    if leaf.type is FieldType.TIMESTAMP:
        message = "must be an RFC 3339 time with a zone, such as 2024-01-15T10:30:00Z"
        good = column.dt.timestamp("us").is_between(*BIGQUERY_RANGE)
        checks.append(_Check(leaf, good, _inside(leaf, *BIGQUERY_RANGE), Reason.INVALID_TIMESTAMP, message))
    if leaf.type is FieldType.DATE:
        message = "must be a date such as 2024-01-15"
        days = (_days(date) for date in STORABLE_DATES)
        checks.append(
            _Check(leaf, column.is_between(*STORABLE_DATES), _inside(leaf, *days), Reason.INVALID_DATE, message)
        )
    if leaf.path == contract.event_time:
        micros = column.dt.timestamp("us")
        latest = pl.col(RECEIVED) + FUTURE_ALLOWANCE
        minutes = FUTURE_ALLOWANCE // 60_000_000
        message = f"lies more than {minutes} minutes after the message was received"
        checks.append(_Check(leaf, micros <= latest, partial(_none_ahead, leaf), Reason.FUTURE_EVENT, message))
        message = "lies before the year 2000"
        checks.append(_Check(leaf, micros >= EARLIEST, _inside(leaf, EARLIEST, 1 << 63), Reason.TOO_OLD, message))
    pattern = UUID if leaf.constraints.format == "uuid" else leaf.constraints.pattern
    if pattern is not None:
        _compile(contract, leaf, pattern)
        kind = "must be a UUID" if leaf.constraints.format == "uuid" else "does not match the contract's pattern"
        fits = column.str.contains(pattern)
        checks.append(_Check(leaf, fits, partial(_all_fit, leaf, pattern), Reason.INVALID_FORMAT, kind))
    return checks


def _array_validator(contract: Contract, arrays: list[Field]) -> ArrayValidator:
    """The same checks for values inside arrays."""
    checks: list[ArrayCheck] = []
    for array in arrays:
        for leaf in array.leaves():
            for number, check in enumerate(_checks(contract, leaf, pl.element())):
                good = partial(_good, contract, leaf, number)
                checks.append(ArrayCheck(array, leaf, good, check.reason, check.message))
    return ArrayValidator(arrays, checks, INDEX)


def _good(contract: Contract, leaf: Field, number: int, value: pl.Expr) -> pl.Expr:
    """Whether one value passes the leaf's check of this number."""
    return _checks(contract, leaf, value)[number].good


def _bounds(column: pl.Series) -> tuple[int, int] | None:
    """The least and the greatest microsecond or day; None where no value is present."""
    numbers = column.cast(pl.Int64)
    low, high = numbers.min(), numbers.max()
    return None if low is None or high is None else (int(str(low)), int(str(high)))


def _inside(leaf: Field, low: int, high: int) -> Callable[[pl.DataFrame], bool]:
    def sure(frame: pl.DataFrame) -> bool:
        bounds = _bounds(frame[leaf.path])
        return bounds is None or (low <= bounds[0] and bounds[1] <= high)

    return sure


def _none_ahead(leaf: Field, frame: pl.DataFrame) -> bool:
    bounds, received = _bounds(frame[leaf.path]), _bounds(frame[RECEIVED])
    return bounds is None or received is None or bounds[1] <= received[0] + FUTURE_ALLOWANCE


def _all_fit(leaf: Field, pattern: str, frame: pl.DataFrame) -> bool:
    return frame[leaf.path].str.contains(pattern).all()


def _days(date: datetime.date) -> int:
    return (date - datetime.date(1970, 1, 1)).days


def _compile(contract: Contract, leaf: Field, pattern: str) -> None:
    """Raises NorenError when Rust's regex does not take the pattern (no look-around, no back-references)."""
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        why = [line for line in str(error).splitlines() if "error: " in line][-1].rpartition("error: ")[2]
        raise NorenError(f"{contract.stream}.yaml: {leaf.path}: pattern: {why.rstrip('.')}.") from error
