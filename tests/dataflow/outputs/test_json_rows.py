"""Rows as JSON: what every type of a column looks like."""

import base64
import datetime
import json

import polars as pl

from dataflow.outputs.json_rows import json_rows


def shown(rows: pl.DataFrame) -> list[object]:
    return [json.loads(row) for row in json_rows(rows).to_pylist()]


def test_bytes_are_base64_at_any_depth_and_null_stays_null() -> None:
    data = b"\x00\xff"
    rows = pl.DataFrame({"b": [data, None], "s": [{"n": 1, "b": data}, None], "l": [[data], []], "f": [1.5, None]})
    text = base64.b64encode(data).decode()
    assert shown(rows) == [
        {"b": text, "s": {"n": 1, "b": text}, "l": [text], "f": 1.5},
        {"b": None, "s": None, "l": [], "f": None},
    ]


def test_times_are_rfc_3339_with_their_microseconds() -> None:
    time = datetime.datetime(2026, 1, 15, 10, 30, 0, 123456, tzinfo=datetime.UTC)
    rows = pl.DataFrame({"t": [time], "d": [time.date()], "s": [{"t": time}], "l": [[time]]})
    text = "2026-01-15T10:30:00.123456+00:00"
    assert shown(rows) == [{"t": text, "d": "2026-01-15", "s": {"t": text}, "l": [text]}]


def test_text_is_escaped() -> None:
    text = 'a"b\\c\nd\u2028é\U0001f600'
    assert shown(pl.DataFrame({text: [text]})) == [{text: text}]


def test_no_rows_are_no_lines() -> None:
    assert shown(pl.DataFrame(schema={"a": pl.String})) == []
