"""Rows as Arrow: the exact types and modes, and what BigQuery would refuse."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.errors import NorenError
from dataflow.schemas import Table
from dataflow.schemas.columns import Column, ColumnType
from dataflow.sinks.arrow import to_arrow
from tests.dataflow.sinks.cases import COLUMNS, ROWS, TIME, frame

INNER = Column("in", "s.in", ColumnType.STRUCT, True, children=(Column("k", "s.in.k", ColumnType.INT64, True),))
STRUCT = Column("s", "s", ColumnType.STRUCT, children=(Column("k", "s.k", ColumnType.STRING, True), INNER))
ARRAY = Column("r", "r", ColumnType.STRUCT, repeated=True, children=(Column("k", "r.k", ColumnType.STRING, True),))
STRICT = Table("d", "strict", (COLUMNS[1], STRUCT, ARRAY, COLUMNS[-1]), "at", "")


def test_types_are_those_that_bigquery_takes() -> None:
    table = Table("d", "t", COLUMNS, "at", "")
    assert to_arrow(table, frame(table), "b").schema == pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("at", pa.timestamp("us", "UTC"), nullable=False),
            ("day", pa.date32()),
            ("count", pa.int64()),
            ("ratio", pa.float64()),
            ("good", pa.bool_()),
            ("sealed", pa.binary()),
            ("place", pa.struct([("name", pa.string()), ("floor", pa.struct([("n", pa.int64())]))])),
            ("pairs", pa.list_(pa.field("element", pa.struct([("k", pa.string())])))),
            pa.field("batch_id", pa.string(), nullable=False),
        ]
    )


structs = st.none() | st.fixed_dictionaries(
    {"k": st.text(max_size=3), "in": st.fixed_dictionaries({"k": st.integers(0, 9)})}
)
arrays = st.lists(st.fixed_dictionaries({"k": st.text(max_size=3)}), max_size=3)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.fixed_dictionaries({"at": st.just(TIME), "s": structs, "r": arrays}), min_size=1, max_size=9))
def test_values_come_through_and_required_parts_of_what_is_null_are_no_nulls(rows: list[dict[str, Any]]) -> None:
    arrow = to_arrow(STRICT, frame(STRICT, rows), "b")
    arrow.validate(full=True)
    assert arrow.to_pylist() == [row | {"batch_id": "b"} for row in rows]


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ({"at": None, "s": None, "r": []}, "at"),
        ({"at": TIME, "s": {"k": None, "in": {"k": 1}}, "r": []}, "s.k"),
        ({"at": TIME, "s": {"k": "x", "in": {"k": None}}, "r": []}, "s.in.k"),
        ({"at": TIME, "s": {"k": "x", "in": None}, "r": []}, "s.in"),
        ({"at": TIME, "s": None, "r": [{"k": "x"}, {"k": None}]}, "r.k"),
    ],
)
def test_a_null_that_bigquery_would_refuse_is_named_by_its_path(row: dict[str, Any], path: str) -> None:
    with pytest.raises(NorenError) as refused:
        to_arrow(STRICT, frame(STRICT, [row]), "b")
    assert str(refused.value) == f"d.strict: BigQuery would refuse the rows of group b: {path} is required and null."


def test_rows_of_a_slice_are_those_of_the_slice() -> None:
    table = Table("d", "t", COLUMNS, "at", "")
    assert to_arrow(table, frame(table)[1:], "b").to_pylist() == [ROWS[1] | {"batch_id": "b"}]
