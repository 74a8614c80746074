"""Tables as contracts describe them, on the emulator: made, and given what they lack."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from google.api_core import exceptions as api
from google.cloud import bigquery

from dataflow.clients import bigquery_client
from dataflow.errors import NorenError
from dataflow.schemas import Table
from dataflow.schemas.columns import Column, ColumnType
from dataflow.sinks.ensure import ensure
from dataflow.sinks.load import LoadSink
from dataflow.sinks.question import written
from scripts.faults.faults import Fault, Faults
from scripts.faults.http import HttpFaults
from scripts.stack.endpoints import Endpoints
from tests.dataflow.sinks.cases import COLUMNS, FLOOR, PLACE, ROWS, frame, stored


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


MORE = Column("more", "place.floor.more", ColumnType.STRING)
WIDER_FLOOR = replace(FLOOR, children=(*FLOOR.children, MORE))
WIDER = replace(PLACE, children=(PLACE.children[0], WIDER_FLOOR))


def test_a_part_more_of_a_struct_is_added_and_rows_have_it(
    client: bigquery.Client, sink: LoadSink, table: Table, batch: str
) -> None:
    sink.ensure(table)
    sink.write(table, frame(table, ROWS[:1]), batch)
    wider = replace(table, columns=tuple(WIDER if column is PLACE else column for column in COLUMNS))
    sink.ensure(wider)
    place = {"name": "x", "floor": {"n": 2, "more": "y"}}
    sink.write(wider, frame(wider, [ROWS[0] | {"id": "b", "place": place}]), batch + "b")
    assert [row["place"] for row in stored(client, wider)] == [{"name": "猫", "floor": {"n": 1, "more": None}}, place]


def test_a_part_more_of_an_array_of_structs_is_added(client: bigquery.Client, sink: LoadSink, table: Table) -> None:
    sink.ensure(table)
    pairs = replace(COLUMNS[8], children=(*COLUMNS[8].children, Column("v", "pairs.v", ColumnType.INT64)))
    sink.ensure(replace(table, columns=(*COLUMNS[:8], pairs, COLUMNS[9])))
    [live] = [field for field in client.get_table(table.id).schema if field.name == "pairs"]
    assert [(part.name, part.field_type) for part in live.fields] == [("k", "STRING"), ("v", "INTEGER")]


def test_a_required_part_cannot_be_added(sink: LoadSink, table: Table) -> None:
    sink.ensure(table)
    required = replace(PLACE, children=(*PLACE.children, Column("r", "place.r", ColumnType.STRING, True)))
    with pytest.raises(NorenError, match=rf"^{table.id}\.place: the live table has no column r, and a required one"):
        sink.ensure(replace(table, columns=tuple(required if c is PLACE else c for c in COLUMNS)))


def test_a_column_that_another_version_added_stays(client: bigquery.Client, sink: LoadSink, table: Table) -> None:
    extra = Column("extra", "extra", ColumnType.STRING)
    sink.ensure(replace(table, columns=(*COLUMNS, extra)))
    sink.ensure(table)
    assert [field.name for field in client.get_table(table.id).schema][-1] == "extra"


def test_a_table_that_two_change_at_once_has_the_columns_of_both(
    client: bigquery.Client, sink: LoadSink, table: Table
) -> None:
    sink.ensure(table)
    wider = [replace(table, columns=(*COLUMNS, Column(f"c{n}", f"c{n}", ColumnType.STRING))) for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(sink.ensure, wider))
    assert {field.name for field in client.get_table(table.id).schema} >= {"c0", "c1", "c2", "c3"}


def test_the_client_makes_no_tries_of_its_own_for_they_are_silent_and_outlast_the_outage(
    servers: Endpoints, sink: LoadSink, table: Table
) -> None:
    sink.ensure(table)
    calls: list[Callable[[bigquery.Client], object]] = [
        lambda client: ensure(client, table),
        lambda client: ensure(
            client, replace(table, columns=(*table.columns, Column("more", "more", ColumnType.STRING)))
        ),
        lambda client: ensure(client, replace(table, name="another")),
        lambda client: written(client, table, frame(table), "batch"),
    ]
    for call, passed in zip(calls, (0, 1, 1, 0), strict=True):
        faults = Faults(*[None] * passed, Fault("refuse"))
        with HttpFaults(servers.warehouse, faults) as faulty:
            client = bigquery_client(servers.project_id, faulty.url, servers.secret)
            with pytest.raises(api.ServiceUnavailable):
                call(client)
        assert len(faults.injected) == 1
