"""Load jobs on the emulator: each group is in each table once, whatever was tried before."""

import datetime
import io
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery

from dataflow.clients import bigquery_client
from dataflow.errors import NorenError
from dataflow.schemas import Table
from dataflow.schemas.columns import Column, ColumnType
from dataflow.sinks.load import LoadSink
from scripts.stack.endpoints import Endpoints
from tests.dataflow.sinks.network import Network

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


@pytest.fixture(scope="module")
def client(servers: Endpoints) -> bigquery.Client:
    return servers.warehouse_client()


@pytest.fixture(scope="module")
def sink(client: bigquery.Client) -> LoadSink:
    return LoadSink(client)


@pytest.fixture(scope="module")
def dataset(client: bigquery.Client) -> str:
    return client.create_dataset(f"raw__{uuid.uuid4().hex[:8]}").dataset_id


@pytest.fixture
def table(dataset: str) -> Table:
    """One that does not exist yet."""
    return Table(dataset, f"t_{uuid.uuid4().hex[:8]}", COLUMNS, "at", "A table.", {"stream": "visit"})


@pytest.fixture
def batch() -> str:
    return f"{uuid.uuid4().hex[:12]}-00000007"


def frame(table: Table, rows: list[dict[str, Any]] = ROWS) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={name: kind for name, kind in table.polars().items() if name != "batch_id"})


def stored(client: bigquery.Client, table: Table) -> list[dict[str, Any]]:
    return [dict(row) for row in client.query_and_wait(f"SELECT * FROM {table.id} ORDER BY id")]


def failed_job(client: bigquery.Client, job_id: str) -> None:
    """A load job that ended with an error, for a reason that has nothing to do with the rows."""
    parquet = io.BytesIO()
    pl.DataFrame({"id": ["x"]}).write_parquet(parquet)
    parquet.seek(0)
    config = bigquery.LoadJobConfig(source_format="PARQUET", create_disposition="CREATE_NEVER")
    with pytest.raises(GoogleAPICallError):
        client.load_table_from_file(parquet, "gone.gone", job_id=job_id, job_config=config).result()
    assert client.get_job(job_id).state == "DONE"


def test_a_missing_table_is_made_as_it_is_described(client: bigquery.Client, sink: LoadSink, table: Table) -> None:
    sink.ensure(table)
    live = client.get_table(table.id)
    assert (live.description, live.labels) == ("A table.", {"stream": "visit"})
    assert (live.time_partitioning.type_, live.time_partitioning.field) == ("DAY", "at")
    assert [field.to_api_repr() for field in live.schema] == [
        bigquery.SchemaField.from_api_repr(field).to_api_repr() for field in table.bigquery()
    ]


def test_a_table_that_is_there_stays_as_it_is(client: bigquery.Client, sink: LoadSink, table: Table) -> None:
    sink.ensure(table)
    before = client.get_table(table.id).etag
    sink.ensure(table)
    assert client.get_table(table.id).etag == before


def test_without_its_dataset_it_says_what_to_run(sink: LoadSink) -> None:
    with pytest.raises(NorenError, match=r"^raw__none: there is no such dataset; run noren acl apply first\.$"):
        sink.ensure(Table("raw__none", "t", COLUMNS, "at", ""))


def test_a_live_column_of_another_type_is_one_sentence(client: bigquery.Client, sink: LoadSink, table: Table) -> None:
    client.query_and_wait(f"CREATE TABLE {table.id} (id STRING NOT NULL, at TIMESTAMP NOT NULL, day STRING)")
    with pytest.raises(NorenError) as refused:
        sink.ensure(Table(table.dataset, table.name, COLUMNS[:3], "at", ""))
    assert str(refused.value) == f"{table.id}.day: the live column is STRING, not DATE."


def test_a_live_part_of_another_type_is_named_by_its_path(
    client: bigquery.Client, sink: LoadSink, table: Table
) -> None:
    client.query_and_wait(f"CREATE TABLE {table.id} (place STRUCT<name STRING, floor STRUCT<n STRING>>)")
    with pytest.raises(NorenError) as refused:
        sink.ensure(Table(table.dataset, table.name, (PLACE,), "at", ""))
    assert str(refused.value) == f"{table.id}.place.floor.n: the live column is STRING, not INTEGER."


def test_a_missing_nullable_column_is_added_and_a_required_one_refused(
    client: bigquery.Client, sink: LoadSink, table: Table
) -> None:
    client.query_and_wait(f"CREATE TABLE {table.id} (id STRING NOT NULL)")
    sink.ensure(Table(table.dataset, table.name, (COLUMNS[0], COLUMNS[2]), "at", ""))
    assert [field.name for field in client.get_table(table.id).schema] == ["id", "day"]
    with pytest.raises(NorenError, match=rf"^{table.id}: the live table has no column at, and a required one cannot"):
        sink.ensure(table)


def test_rows_of_every_type_come_back_as_they_were(
    client: bigquery.Client, sink: LoadSink, table: Table, batch: str
) -> None:
    sink.ensure(table)
    sink.write(table, frame(table), batch)
    assert stored(client, table) == [row | {"batch_id": batch} for row in ROWS]


def test_written_twice_is_written_once(client: bigquery.Client, sink: LoadSink, table: Table, batch: str) -> None:
    sink.ensure(table)
    for _ in range(2):
        sink.write(table, frame(table), batch)
    assert [row["id"] for row in stored(client, table)] == ["a", "b"]
    assert client.get_job(f"{batch}-{table.dataset}-{table.name}-0").state == "DONE"


def test_another_group_is_written_beside_it(client: bigquery.Client, sink: LoadSink, table: Table, batch: str) -> None:
    sink.ensure(table)
    sink.write(table, frame(table), batch)
    sink.write(table, frame(table, ROWS[:1]), batch[:-1] + "8")
    assert [row["id"] for row in stored(client, table)] == ["a", "a", "b"]


def test_after_jobs_that_failed_the_next_attempt_writes(
    client: bigquery.Client, sink: LoadSink, table: Table, batch: str
) -> None:
    sink.ensure(table)
    for attempt in range(2):
        failed_job(client, f"{batch}-{table.dataset}-{table.name}-{attempt}")
    sink.write(table, frame(table), batch)
    assert [row["id"] for row in stored(client, table)] == ["a", "b"]
    assert client.get_job(f"{batch}-{table.dataset}-{table.name}-2").error_result is None


def test_a_job_that_failed_although_its_rows_are_in_is_not_repeated(
    client: bigquery.Client, sink: LoadSink, table: Table, batch: str
) -> None:
    sink.ensure(table)
    sink.write(table, frame(table), "by-hand")
    client.query_and_wait(f"UPDATE {table.id} SET batch_id = '{batch}' WHERE true")
    failed_job(client, f"{batch}-{table.dataset}-{table.name}-0")
    sink.write(table, frame(table), batch)
    assert [row["id"] for row in stored(client, table)] == ["a", "b"]


def test_it_does_not_try_for_ever(
    client: bigquery.Client, sink: LoadSink, table: Table, batch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink.ensure(table)
    monkeypatch.setattr("dataflow.sinks.load.MOST_ATTEMPTS", 1)
    failed_job(client, f"{batch}-{table.dataset}-{table.name}-0")
    with pytest.raises(NorenError, match=rf"^{table.id}: group {batch} was not written in 1 attempts\.$"):
        sink.write(table, frame(table), batch)
    assert stored(client, table) == []


def test_rows_that_are_refused_are_told_without_a_value(
    client: bigquery.Client, sink: LoadSink, table: Table, batch: str
) -> None:
    sink.ensure(table)
    rows = [ROWS[0], ROWS[1] | {"at": None}]
    with pytest.raises(NorenError) as refused:
        sink.write(table, frame(table, rows), batch)
    assert str(refused.value) == f"{table.id}: BigQuery refuses the rows of group {batch} (invalid)."
    assert stored(client, table) == []


@pytest.fixture
def through(servers: Endpoints) -> Iterator[Callable[..., tuple[LoadSink, Network]]]:
    """through("refuse", "lose", ...): a sink whose connections are treated like that."""
    made: list[Network] = []

    def make(*plan: str) -> tuple[LoadSink, Network]:
        made.append(Network(servers.warehouse, *plan))
        return LoadSink(bigquery_client(servers.project_id, made[-1].url, servers.secret)), made[-1]

    yield make
    for network in made:
        network.close()


def test_a_warehouse_that_is_away_is_waited_for(
    client: bigquery.Client, through: Callable[..., tuple[LoadSink, Network]], table: Table, batch: str
) -> None:
    sink, network = through("refuse", "refuse", "refuse")
    sink.ensure(table)
    sink.write(table, frame(table), batch)
    assert network.treated[:4] == ["refuse"] * 3 + ["pass"]
    assert [row["id"] for row in stored(client, table)] == ["a", "b"]


@pytest.mark.parametrize("lost", range(3))
def test_an_answer_that_is_lost_writes_nothing_twice(
    client: bigquery.Client,
    sink: LoadSink,
    through: Callable[..., tuple[LoadSink, Network]],
    table: Table,
    batch: str,
    lost: int,
) -> None:
    sink.ensure(table)
    faulty, network = through(*["lose"] * (lost + 1))
    faulty.write(table, frame(table), batch)
    assert network.treated[: lost + 2] == ["lose"] * (lost + 1) + ["pass"]
    assert [row["id"] for row in stored(client, table)] == ["a", "b"]
