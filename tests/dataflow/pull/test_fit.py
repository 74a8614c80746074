"""Rows of another version, in the columns of the tables of now."""

import polars as pl
import pytest

from dataflow.errors import NorenError
from dataflow.pull.fit import fit
from dataflow.schemas import Column, Table
from dataflow.schemas.columns import ColumnType


def column(name: str, kind: ColumnType, *children: Column, path: str = "") -> Column:
    return Column(name, path or name, kind, children=children)


TABLE = Table(
    "d",
    "t",
    (
        column("a", ColumnType.STRING),
        column("place", ColumnType.STRUCT, column("x", ColumnType.FLOAT64), column("y", ColumnType.FLOAT64)),
        column("fresh", ColumnType.INT64),
        column("batch_id", ColumnType.STRING),
    ),
    "a",
    "",
)


def test_rows_of_the_tables_own_columns_stay_as_they_are() -> None:
    rows = pl.DataFrame(
        {"a": ["1"], "place": [{"x": 1.0, "y": 2.0}], "fresh": [3]},
        schema={name: kind for name, kind in TABLE.polars().items() if name != "batch_id"},
    )
    assert fit(rows, TABLE) is rows


def test_a_column_that_they_lack_is_null_and_one_more_is_left_out_at_any_depth() -> None:
    rows = pl.DataFrame({"gone": [1, 2], "place": [{"z": 9, "x": 1.0}, None], "a": ["1", "2"]})
    fitted = fit(rows, TABLE)
    assert fitted.to_dicts() == [
        {"a": "1", "place": {"x": 1.0, "y": None}, "fresh": None},
        {"a": "2", "place": None, "fresh": None},
    ]
    assert fitted.schema == {name: kind for name, kind in TABLE.polars().items() if name != "batch_id"}


def test_another_type_is_refused() -> None:
    with pytest.raises(NorenError, match=r"^place.x: was staged as String by an earlier version, the table of now has"):
        fit(pl.DataFrame({"a": ["1"], "place": [{"x": "1"}]}), TABLE)
