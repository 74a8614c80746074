"""Load jobs on the emulator: each group is in each table once, whatever was tried before."""

import io
from collections.abc import Callable, Iterator

import polars as pl
import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery

from dataflow.clients import bigquery_client
from dataflow.errors import NorenError
from dataflow.schemas import Table
from dataflow.sinks.load import LoadSink
from scripts.faults.faults import Fault, Faults
from scripts.faults.http import HttpFaults
from scripts.stack.endpoints import Endpoints
from tests.dataflow.sinks.cases import ROWS, TIME, frame, ids, many, stored
from tests.dataflow.sinks.network import Network


def failed_job(client: bigquery.Client, job_id: str) -> None:
    """A load job that ended with an error, for a reason that has nothing to do with the rows."""
    parquet = io.BytesIO()
    pl.DataFrame({"id": ["x"]}).write_parquet(parquet)
    parquet.seek(0)
    config = bigquery.LoadJobConfig(source_format="PARQUET", create_disposition="CREATE_NEVER")
    with pytest.raises(GoogleAPICallError):
        client.load_table_from_file(parquet, "gone.gone", job_id=job_id, job_config=config).result()
    assert client.get_job(job_id).state == "DONE"


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
    assert str(refused.value) == (
        f"{table.id}: BigQuery would refuse the rows of group {batch}: at is required and null."
    )
    assert stored(client, table) == []


def test_rows_that_bigquery_refuses_are_told_by_its_reason_alone(
    client: bigquery.Client, sink: LoadSink, table: Table, batch: str
) -> None:
    sink.ensure(table)
    client.query_and_wait(f"ALTER TABLE {table.id} DROP COLUMN count")
    with pytest.raises(NorenError) as refused:
        sink.write(table, frame(table), batch)
    assert str(refused.value) == f"{table.id}: BigQuery refuses the rows of group {batch} (invalid)."
    assert (refused.value.__cause__, refused.value.__context__) == (None, None)


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


LOADS = "upload"
"""Part of the path of a load job's submission, as `/jobs/` is of asking for it."""


@pytest.mark.parametrize(
    "fault",
    [
        Fault("refuse", 429, "rateLimitExceeded"),
        Fault("refuse", 403, "quotaExceeded"),
        Fault("refuse", 500, "internalError"),
        Fault("lose", 503),
        Fault("cut"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_a_submission_that_fails_writes_once(
    client: bigquery.Client, servers: Endpoints, sink: LoadSink, table: Table, batch: str, fault: Fault
) -> None:
    sink.ensure(table)
    faults = Faults(fault, fault, only=lambda call: LOADS in call)
    with HttpFaults(servers.warehouse, faults) as faulty:
        LoadSink(bigquery_client(servers.project_id, faulty.url, servers.secret)).write(table, frame(table), batch)
    assert [found for _, found in faults.injected] == [fault, fault]
    assert [row["id"] for row in stored(client, table)] == ["a", "b"]


def test_no_answer_at_all_is_given_up_and_tried_again(
    client: bigquery.Client,
    servers: Endpoints,
    sink: LoadSink,
    table: Table,
    batch: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dataflow.sinks.load.CALL_SECONDS", 0.5)
    sink.ensure(table)
    with HttpFaults(servers.warehouse, Faults(Fault("hang"), only=lambda call: LOADS in call)) as faulty:
        LoadSink(bigquery_client(servers.project_id, faulty.url, servers.secret)).write(table, frame(table), batch)
    assert [row["id"] for row in stored(client, table)] == ["a", "b"]


@pytest.mark.parametrize("seed", [1, 2])
def test_random_faults_lose_nothing_and_write_nothing_twice(
    client: bigquery.Client, servers: Endpoints, sink: LoadSink, table: Table, batch: str, seed: int
) -> None:
    sink.ensure(table)
    faults = Faults(chance=0.3, seed=seed)
    with HttpFaults(servers.warehouse, faults) as faulty:
        through = LoadSink(bigquery_client(servers.project_id, faulty.url, servers.secret))
        for number in range(4):
            through.write(table, frame(table, ROWS[:1]), f"{batch}-{number}")
    assert faults.injected
    assert sorted(row["batch_id"] for row in stored(client, table)) == [f"{batch}-{number}" for number in range(4)]


def test_of_a_group_that_another_sink_wrote_in_part_the_rest_is_written(
    client: bigquery.Client, sink: LoadSink, table: Table, batch: str
) -> None:
    sink.ensure(table)
    sink.write(table, many(table, 3), batch)
    assert sink.recover(table, batch) is False
    sink.write(table, many(table, 5), batch)
    assert ids(client, table) == ["000000", "000001", "000002", "000003", "000004"]


def test_rows_of_more_days_than_a_job_may_change_are_written_by_several(
    client: bigquery.Client, sink: LoadSink, table: Table, batch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataflow.sinks.load.MOST_PARTITIONS", 2)
    sink.ensure(table)
    days = [3, 1, 2, 5, 4, 3]
    rows = [ROWS[1] | {"id": f"{number}", "at": TIME.replace(day=day)} for number, day in enumerate(days)]
    for _ in range(2):
        sink.recover(table, batch)
        sink.write(table, frame(table, rows), batch)
    assert ids(client, table) == ["0", "1", "2", "3", "4", "5"]
    jobs = [job.job_id.removeprefix(batch) for job in client.list_jobs(max_results=50) if job.job_id.startswith(batch)]
    name = f"-{table.dataset}-{table.name}"
    assert sorted(jobs) == [f"{name}-0", f"{name}-from2-0", f"{name}-from5-0"]
