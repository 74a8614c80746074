"""Rows as Parquet: required columns are required in the file, by either way of writing it."""

from typing import Any

import pyarrow.parquet as pq
import pytest

from dataflow.errors import NorenError
from dataflow.sinks.parquet import to_parquet
from tests.dataflow.sinks.cases import COLUMNS, ROWS, TIME, Table, frame
from tests.dataflow.sinks.test_arrow import STRICT

WHOLE = {"at": TIME, "s": {"k": "x", "in": {"k": 1}}, "r": [{"k": "y"}]}


@pytest.mark.parametrize("row", [WHOLE, WHOLE | {"s": None}], ids=["polars", "arrow"])
def test_modes_and_values_are_those_of_the_table(row: dict[str, Any]) -> None:
    file = to_parquet(STRICT, frame(STRICT, [row]), "b")
    assert pq.read_table(file).to_pylist() == [row | {"batch_id": "b"}]
    lines = [line.split() for line in str(pq.ParquetFile(file).schema).splitlines() if "field_id" in line]
    assert [f"{line[0]} {line[3].rstrip(chr(59))}" for line in lines[1:]] == [
        "required at",
        "optional s",
        "required k",
        "required in",
        "required k",
        "optional r",
        "repeated list",
        "optional element",
        "required k",
        "required batch_id",
    ]


def test_every_type_comes_back() -> None:
    table = Table("d", "t", COLUMNS, "at", "")
    rows = [row | {"batch_id": "b"} for row in ROWS]
    assert pq.read_table(to_parquet(table, frame(table), "b")).to_pylist() == rows


def test_a_null_that_bigquery_would_refuse_is_one_sentence() -> None:
    with pytest.raises(NorenError, match=r"^d\.strict: BigQuery would refuse the rows of group b: at is required"):
        to_parquet(STRICT, frame(STRICT, [WHOLE | {"at": None}]), "b")
