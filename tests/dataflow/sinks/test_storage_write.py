"""The Storage Write API on the emulator: each group is in each table once, whatever was tried before."""

import datetime
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from google.cloud import bigquery

from dataflow.errors import NorenError
from dataflow.objects import LocalObjects
from dataflow.schemas import Table
from dataflow.schemas.columns import Column, ColumnType
from dataflow.sinks import storage_write, write_service
from dataflow.sinks.load import LoadSink
from dataflow.sinks.patience import Patience
from dataflow.sinks.storage_write import Records, StorageWriteSink
from dataflow.sinks.write_service import Piece, RefusedError, StreamGoneError, WriteService
from scripts.faults.faults import Fault, Faults
from scripts.faults.grpc import GrpcFaults
from scripts.stack.endpoints import Endpoints
from tests.dataflow.sinks.cases import COLUMNS, ROWS, TIME, frame, ids, many, stored

SMALL = 4_000
"""Bytes a request, so that a group has several."""


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(LocalObjects(tmp_path), "subscription")


@pytest.fixture
def open_sink(servers: Endpoints, client: bigquery.Client, records: Records) -> Callable[..., StorageWriteSink]:
    """open_sink(address): another process's sink, as it were, with the same records."""

    def make(address: str | None = None, outage: float = 60) -> StorageWriteSink:
        service = WriteService(address or servers.warehouse_grpc, servers.secret)
        return StorageWriteSink(service, LoadSink(client), records, servers.project_id, Patience(outage))

    return make


@pytest.fixture
def streams(open_sink: Callable[..., StorageWriteSink], table: Table) -> StorageWriteSink:
    sink = open_sink()
    sink.ensure(table)
    return sink


@pytest.fixture
def faulty(servers: Endpoints) -> Iterator[Callable[..., str]]:
    """faulty(Fault, ...): the address of a Storage API whose appends fail like that."""
    opened: list[GrpcFaults] = []

    def make(*plan: Fault | None, only: str = "AppendRows") -> str:
        opened.append(GrpcFaults(servers.warehouse_grpc, Faults(*plan, only=lambda call: call == only)))
        return opened[-1].address

    yield make
    for each in opened:
        each.__exit__()


def append_one(servers: Endpoints, table: Table, stream: str, offset: int) -> None:
    """Append one row to a stream."""
    pieces = storage_write._pieces(storage_write.to_arrow(table, many(table, 1), uuid.uuid4().hex), 0)
    assert pieces is not None
    service = WriteService(servers.warehouse_grpc, servers.secret)
    list(service.append(stream, storage_write.schema(table.columns), pieces, offset))


def numbers(count: int) -> list[str]:
    return [f"{number:06}" for number in range(count)]


def test_rows_of_every_type_come_back_as_they_were(
    client: bigquery.Client, streams: StorageWriteSink, table: Table, batch: str
) -> None:
    rows = [ROWS[0], ROWS[1] | {"at": TIME}]
    streams.write(table, frame(table, rows), batch)
    assert stored(client, table) == [row | {"batch_id": batch} for row in rows]


def test_groups_of_several_requests_follow_each_other_in_one_stream(
    client: bigquery.Client,
    streams: StorageWriteSink,
    records: Records,
    table: Table,
    batch: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(storage_write, "MOST_REQUEST_BYTES", SMALL)
    monkeypatch.setattr(storage_write, "_OVERHEAD", 0)
    for group in range(2):
        streams.write(table, many(table, 100), f"{batch}{group}")
    assert ids(client, table) == sorted(numbers(100) * 2)
    assert len(records.of(table)) == 1


@pytest.mark.parametrize(
    "fault",
    [Fault("refuse", 429), Fault("refuse", 500), Fault("lose", 503), Fault("lose", 504), Fault("cut")],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_an_append_that_fails_in_the_middle_writes_once(
    client: bigquery.Client,
    open_sink: Callable[..., StorageWriteSink],
    faulty: Callable[..., str],
    table: Table,
    batch: str,
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(storage_write, "MOST_REQUEST_BYTES", SMALL)
    monkeypatch.setattr(storage_write, "_OVERHEAD", 0)
    sink = open_sink(faulty(None, fault, fault))
    sink.ensure(table)
    sink.write(table, many(table, 100), batch)
    sink.write(table, many(table, 1), batch + "next")
    assert ids(client, table) == sorted([*numbers(100), "000000"])


def test_no_answer_at_all_is_given_up_and_tried_again(
    client: bigquery.Client,
    open_sink: Callable[..., StorageWriteSink],
    faulty: Callable[..., str],
    table: Table,
    batch: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(write_service, "APPEND_SECONDS", 0.5)
    sink = open_sink(faulty(Fault("hang")))
    sink.ensure(table)
    sink.write(table, many(table, 3), batch)
    assert ids(client, table) == numbers(3)


def test_a_stream_that_is_finalized_elsewhere_is_replaced(
    client: bigquery.Client,
    servers: Endpoints,
    streams: StorageWriteSink,
    records: Records,
    table: Table,
    batch: str,
) -> None:
    streams.write(table, many(table, 3), batch + "a")
    [stream] = records.of(table).values()
    WriteService(servers.warehouse_grpc, servers.secret).finalize(stream)
    streams.write(table, many(table, 3), batch + "b")
    assert ids(client, table) == sorted(numbers(3) * 2)
    assert list(records.of(table).values()) != [stream]


def test_after_a_restart_of_the_warehouse_that_forgot_the_stream_it_goes_on(
    client: bigquery.Client, streams: StorageWriteSink, records: Records, table: Table, batch: str
) -> None:
    streams.write(table, many(table, 3), batch + "a")
    open_stream = streams._streams[table.id]
    open_stream.name = open_stream.name[:-4] + "gone"  # to the server a stream that it never made
    streams.write(table, many(table, 3), batch + "b")
    assert ids(client, table) == sorted(numbers(3) * 2)
    assert [name for name in records.of(table).values() if name.endswith("gone")] == []


class Died(BaseException):
    """As if the process had been killed."""


def die_after(sink: StorageWriteSink, pieces: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sink dies when that many pieces of a group are in the table."""
    append = sink._service.append

    def dying(*arguments: object) -> Iterator[Piece]:
        for number, piece in enumerate(append(*arguments)):  # type: ignore[arg-type]
            if number == pieces:
                raise Died
            yield piece

    monkeypatch.setattr(sink._service, "append", dying)


@pytest.mark.parametrize("pieces", [0, 1, 3])
def test_the_next_process_goes_on_where_a_dead_one_ended(
    client: bigquery.Client,
    servers: Endpoints,
    open_sink: Callable[..., StorageWriteSink],
    records: Records,
    table: Table,
    batch: str,
    pieces: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dead, living = open_sink(), open_sink()
    dead.ensure(table)
    monkeypatch.setattr(storage_write, "MOST_REQUEST_BYTES", SMALL)
    monkeypatch.setattr(storage_write, "_OVERHEAD", 0)
    die_after(dead, pieces, monkeypatch)
    with pytest.raises(Died):
        dead.write(table, many(table, 100), batch)
    [stream] = records.of(table).values()
    assert living.recover(table, batch) is False
    assert records.of(table) == {}
    living.write(table, many(table, 100), batch)
    assert ids(client, table) == numbers(100)
    with pytest.raises(StreamGoneError):  # what the dead process may have under way arrives no more
        append_one(servers, table, stream, 100)


def test_a_group_that_was_written_whole_is_not_written_again(
    client: bigquery.Client, open_sink: Callable[..., StorageWriteSink], table: Table, batch: str
) -> None:
    first = open_sink()
    first.ensure(table)
    first.write(table, many(table, 5), batch)
    second = open_sink()
    second.recover(table, batch)
    second.write(table, many(table, 5), batch)
    assert ids(client, table) == numbers(5)


def test_a_group_that_the_other_sink_wrote_is_not_written_again(
    client: bigquery.Client, sink: LoadSink, streams: StorageWriteSink, table: Table, batch: str
) -> None:
    sink.write(table, many(table, 5), batch)
    streams.recover(table, batch)
    streams.write(table, many(table, 5), batch)
    assert ids(client, table) == numbers(5)


def test_the_streams_of_others_are_left_alone(
    client: bigquery.Client, servers: Endpoints, streams: StorageWriteSink, table: Table, batch: str, tmp_path: Path
) -> None:
    streams.write(table, many(table, 1), batch + "a")
    service = WriteService(servers.warehouse_grpc, servers.secret)
    records = Records(LocalObjects(tmp_path), "another-subscription")
    other = StorageWriteSink(service, LoadSink(client), records, servers.project_id)
    other.recover(table, batch + "b")
    other.write(table, many(table, 1), batch + "b")
    streams.write(table, many(table, 1), batch + "c")
    assert ids(client, table) == ["000000"] * 3


def test_a_new_column_is_there_in_the_next_group(
    client: bigquery.Client, streams: StorageWriteSink, table: Table, batch: str
) -> None:
    streams.write(table, frame(table, ROWS[:1]), batch + "a")
    wider = replace(table, columns=(*COLUMNS, Column("more", "more", ColumnType.STRING)))
    streams.ensure(wider)
    streams.write(wider, frame(wider, [ROWS[0] | {"id": "b", "more": "x"}]), batch + "b")
    assert [(row["id"], row["more"]) for row in stored(client, wider)] == [("a", None), ("b", "x")]


def test_a_row_that_no_request_can_hold_goes_by_a_load_job(
    client: bigquery.Client, streams: StorageWriteSink, table: Table, batch: str
) -> None:
    rows = many(table, 3, text="x" * storage_write.MOST_ROW_BYTES)
    for _ in range(2):
        streams.write(table, rows, batch)
        streams.recover(table, batch)
    assert ids(client, table) == numbers(3)
    assert client.get_job(f"{batch}-{table.dataset}-{table.name}-0").state == "DONE"


def test_a_row_of_more_than_a_usual_request_has_one_of_its_own(
    client: bigquery.Client, streams: StorageWriteSink, records: Records, table: Table, batch: str
) -> None:
    streams.write(table, many(table, 2, text="x" * (5 << 20)), batch)
    assert ids(client, table) == numbers(2)
    assert len(records.of(table)) == 1


@pytest.mark.parametrize("years", [-6, 2])
def test_rows_of_partitions_that_are_not_streamed_to_go_by_a_load_job(
    client: bigquery.Client, streams: StorageWriteSink, records: Records, table: Table, batch: str, years: int
) -> None:
    at = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(days=365 * years)
    streams.write(table, frame(table, [ROWS[1] | {"at": at}]), batch)
    assert [row["at"] for row in stored(client, table)] == [at]
    assert records.of(table) == {}


def test_rows_that_are_refused_are_told_without_a_value(
    client: bigquery.Client, streams: StorageWriteSink, table: Table, batch: str
) -> None:
    client.query_and_wait(f"ALTER TABLE {table.id} DROP COLUMN sealed")
    client.query_and_wait(f"ALTER TABLE {table.id} ADD COLUMN sealed INT64")
    with pytest.raises(NorenError) as refused:
        streams.write(table, frame(table, ROWS[:1]), batch)
    assert str(refused.value) == f"{table.id}: BigQuery refuses rows of group {batch} (1 rows have errors)."
    assert refused.value.__cause__ is None
    assert stored(client, table) == []


def test_a_column_that_somebody_dropped_is_added_again(
    client: bigquery.Client, streams: StorageWriteSink, table: Table, batch: str
) -> None:
    client.query_and_wait(f"ALTER TABLE {table.id} DROP COLUMN count")
    streams.write(table, frame(table, ROWS[:1]), batch)
    assert [row["count"] for row in stored(client, table)] == [ROWS[0]["count"]]


def test_a_table_that_is_gone_is_one_sentence(
    client: bigquery.Client, streams: StorageWriteSink, table: Table, batch: str
) -> None:
    client.delete_table(table.id)
    with pytest.raises(NorenError) as refused:
        streams.write(table, frame(table, ROWS[:1]), batch)
    assert str(refused.value) == f"{table.id}: appending group {batch} is refused (NOT_FOUND)."


def test_a_warehouse_that_stays_away_is_one_sentence(
    open_sink: Callable[..., StorageWriteSink], streams: StorageWriteSink, table: Table, batch: str
) -> None:
    with pytest.raises(NorenError, match=rf"^{table.id}: appending group {batch}: BigQuery was away for 0 s \(UNAV"):
        open_sink("127.0.0.1:9", outage=0).write(table, frame(table, ROWS[:1]), batch)


def test_a_clean_end_leaves_no_stream_open(
    servers: Endpoints, streams: StorageWriteSink, records: Records, table: Table, batch: str
) -> None:
    streams.write(table, many(table, 1), batch)
    [stream] = records.of(table).values()
    streams.close()
    assert records.of(table) == {}
    with pytest.raises(StreamGoneError):
        append_one(servers, table, stream, 1)


def test_a_gap_is_no_silent_loss(servers: Endpoints, streams: StorageWriteSink, table: Table) -> None:
    service = WriteService(servers.warehouse_grpc, servers.secret)
    name, known = service.create(f"projects/{servers.project_id}/datasets/{table.dataset}/tables/{table.name}")
    assert known == {column.name for column in COLUMNS}
    with pytest.raises(StreamGoneError):
        append_one(servers, table, name, 7)


def test_the_secret_is_asked_for(servers: Endpoints, table: Table) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        WriteService(servers.warehouse_grpc).create(f"projects/p/datasets/{table.dataset}/tables/t")
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_row_errors_are_a_refusal_without_their_text() -> None:
    error = write_service.status_pb2.Status(code=3, message="value 猫")
    with pytest.raises(RefusedError, match=r"^2 rows have errors$"):
        write_service._raise_unless_there(error, 2)
