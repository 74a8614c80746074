"""A table of every column type, and rows for it."""

import datetime
from typing import Any

import polars as pl
from google.cloud import bigquery

from dataflow.schemas import Table
from dataflow.schemas.columns import Column, ColumnType

TIME = datetime.datetime(2026, 1, 15, 10, 30, 12, 345678, tzinfo=datetime.UTC)

FLOOR = Column("floor", "place.floor", ColumnType.STRUCT, children=(Column("n", "place.floor.n", ColumnType.INT64),))
PLACE = Column("place", "place", ColumnType.STRUCT, children=(Column("name", "place.name", ColumnType.STRING), FLOOR))
COLUMNS = (
    Column("id", "id", ColumnType.STRING, True, "Names the row."),
    Column("at", "at", ColumnType.TIMESTAMP, True),
    Column("day", "day", ColumnType.DATE),
    Column("count", "count", ColumnType.INT64),
    Column("ratio", "ratio", ColumnType.FLOAT64),
    Column("good", "good", ColumnType.BOOL),
    Column("sealed", "sealed", ColumnType.BYTES),
    PLACE,
    Column("pairs", "pairs", ColumnType.STRUCT, repeated=True, children=(Column("k", "pairs.k", ColumnType.STRING),)),
    Column("batch_id", "batch_id", ColumnType.STRING, True),
)

ROWS: list[dict[str, Any]] = [
    {
        "id": "a",
        "at": TIME,
        "day": datetime.date(1, 1, 1),
        "count": -(2**63),
        "ratio": 1e-300,
        "good": False,
        "sealed": b"\x00\xff",
        "place": {"name": "猫", "floor": {"n": 1}},
        "pairs": [{"k": "x"}, {"k": ""}],
    },
    {
        "id": "b",
        "at": datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=datetime.UTC),
        "day": None,
        "count": None,
        "ratio": None,
        "good": None,
        "sealed": None,
        "place": None,
        "pairs": [],
    },
]


def frame(table: Table, rows: list[dict[str, Any]] = ROWS) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={name: kind for name, kind in table.polars().items() if name != "batch_id"})


def stored(client: bigquery.Client, table: Table) -> list[dict[str, Any]]:
    return [dict(row) for row in client.query_and_wait(f"SELECT * FROM {table.id} ORDER BY id")]


def ids(client: bigquery.Client, table: Table) -> list[str]:
    return [row["id"] for row in client.query_and_wait(f"SELECT id FROM {table.id} ORDER BY id")]


def many(table: Table, count: int, text: str = "") -> pl.DataFrame:
    """Rows with the ids 000000, 000001 and so on; all else is null, or `text`."""
    at = TIME
    rows = [
        {"id": f"{number:06}", "at": at, "place": {"name": text, "floor": None}, "pairs": []} for number in range(count)
    ]
    return frame(table, rows)
