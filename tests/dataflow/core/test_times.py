"""Timestamps out of text: the compiled loop gives what the parser gives."""

import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.core.times import timestamps

TYPE = pl.Datetime("us", "UTC")


def column(*texts: str | None) -> pl.Series:
    return timestamps(pl.Series("at", texts, dtype=pl.String))


@given(st.lists(st.datetimes(), min_size=1, max_size=5), st.integers(0, 6))
def test_a_column_of_one_shape(moments: list[datetime.datetime], digits: int) -> None:
    texts = [f"{moment:%m-%dT%H:%M:%S.%f}" for moment in moments]
    whole = [
        f"{moment.year:04}-{text[: 14 + 1 + digits] if digits else text[:14]}Z"
        for moment, text in zip(moments, texts, strict=True)
    ]
    found = column(*whole)
    wanted = [datetime.datetime.fromisoformat(text).astimezone(datetime.UTC) for text in whole]
    assert (found.name, found.dtype, found.to_list()) == ("at", TYPE, wanted)


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-30T10:30:00Z",
        "2023-02-29T10:30:00Z",
        "1900-02-29T10:30:00Z",
        "2024-13-01T10:30:00Z",
        "2024-00-01T10:30:00Z",
        "2024-01-00T10:30:00Z",
        "2024-01-15T24:00:00Z",
        "2024-01-15T10:60:00Z",
        "2024-01-15T10:30:00",
        "2024/01/15T10:30:00Z",
        "2024-01-15T10:30:0٣Z",
        "yesterday at ten....",
        "",
        "Z",
    ],
)
def test_what_is_no_time_is_null_alone_and_among_others(text: str) -> None:
    assert column(text).to_list() == [None]
    assert column("2024-01-15T10:30:00Z", text).to_list() == [
        datetime.datetime(2024, 1, 15, 10, 30, tzinfo=datetime.UTC),
        None,
    ]


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2024-02-29T23:59:59Z", 1_709_251_199_000_000),
        ("2000-02-29T00:00:00Z", 951_782_400_000_000),
        ("1970-01-01T00:00:00Z", 0),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ("2024-01-15T19:30:00+09:00", 1_705_314_600_000_000),
        ("2024-01-15T10:30:00.123456789Z", 1_705_314_600_123_456),
        ("2024-01-15T10:30:00-00:00", 1_705_314_600_000_000),
    ],
)
def test_times_to_the_microsecond(text: str, micros: int) -> None:
    assert column(text).cast(pl.Int64).to_list() == [micros]
    assert column(text, "2024-01-15T10:30:00.5Z").cast(pl.Int64).to_list()[0] == micros


def test_a_leap_second_is_the_first_of_the_next_minute() -> None:
    assert column("2016-12-31T23:59:60Z").to_list() == [datetime.datetime(2017, 1, 1, tzinfo=datetime.UTC)]


def test_a_column_without_values_has_the_type_too() -> None:
    assert (column().dtype, column(None, None).dtype, column(None).to_list()) == (TYPE, TYPE, [None])
