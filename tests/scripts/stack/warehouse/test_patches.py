"""Each patch beside what fails without it: the same call on an emulator with all patches and on a bare one."""

import collections
import concurrent.futures
import datetime
import io
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.api_core.exceptions import BadRequest, Conflict, GoogleAPICallError, NotFound
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types

from dataflow.errors import NorenError
from dataflow.sinks.write_service import Piece, WriteService
from scripts.stack.endpoints import Endpoints
from scripts.stack.gateway.upstream import identity
from scripts.stack.warehouse.measure import measure

PATCHES = (
    "secret",
    "bigquery_only",
    "quiet_logs",
    "unfinished_jobs",
    "single_submission",
    "upload_files",
    "typed_bytes",
    "old_results",
    "etag",
    "ctas_destination",
    "set_struct",
    "materialized_view",
    "column_names",
    "nested_columns",
    "one_offset",
    "row_groups",
    "script_dry_run",
)
ENDLESS = (
    "SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 1000000)) a, UNNEST(GENERATE_ARRAY(1, 1000000)) b WHERE a*b = 7"
)
A_DAY_OLDER = """
import sys, duckdb
sql = "UPDATE jobs SET creation_time = creation_time - 25 * 3600 * 1000 WHERE job_id = 'asked-yesterday'"
duckdb.connect(sys.argv[1]).execute(sql)
"""
PARQUET = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_APPEND")
ROWS = pa.table({"id": [1, 2, 3], "tags": [["a"], [], ["b", "c"]], "at": [{"lat": 35.6}, {"lat": 35.7}, None]})


def parquet(table: pa.Table) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(table, file)
    file.seek(0)
    return file


def load(client: bigquery.Client, job_id: str, table: str = "d.loaded") -> Any:
    return client.load_table_from_file(parquet(ROWS), table, job_id=job_id, job_config=PARQUET)


class Emulator:
    """An emulator that was killed once in mid-job and mid-upload, and started again."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints, self.client = endpoints, endpoints.warehouse_client()

    @property
    def uploads(self) -> list[Path]:
        return list((self.endpoints.home.data("warehouse") / "uploads").iterdir())

    def log(self) -> str:
        return self.endpoints.home.log("warehouse").read_text()

    def rows(self, sql: str) -> list[dict[str, Any]]:
        return [dict(row) for row in self.client.query_and_wait(sql)]


def start_twice(launch: Any, home: Path, *without: str) -> Iterator[Emulator]:
    with (stack := launch(home, *without)).running() as endpoints:
        client = endpoints.warehouse_client()
        client.create_dataset("d")
        load(client, "load-before-the-kill").result()
        client.query("SELECT 'taro' AS name", job_id="asked-yesterday").result()
        client.query(ENDLESS, job_id="running-at-the-kill", job_retry=None)
        upload = f"{endpoints.warehouse}/upload/bigquery/v2/projects/noren-test/jobs?uploadType=resumable"
        client._http.post(upload, json={"configuration": {"load": {}}}).raise_for_status()
        os.kill(endpoints["warehouse"].pid, signal.SIGKILL)
    state = endpoints.home.data("warehouse") / "emulator.duckdb"
    subprocess.run([stack.environment.python, "-c", A_DAY_OLDER, str(state)], check=True)
    with launch(home, *without).running() as endpoints:
        yield Emulator(endpoints)


@pytest.fixture(scope="module")
def patched(launch: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    yield from start_twice(launch, tmp_path_factory.mktemp("patched"))


@pytest.fixture(scope="module")
def bare(launch: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    yield from start_twice(launch, tmp_path_factory.mktemp("bare"), *PATCHES)


def test_start_up_without(launch: Any, tmp_path: Path) -> None:
    with (
        pytest.raises(NorenError, match=r"warehouse did not start: .*TimeZone"),
        launch(tmp_path, "start_up").running(),
    ):
        pass


def load_bytes(emulator: Emulator, table: str) -> list[dict[str, Any]]:
    """What is read back of a Parquet file with a BYTES column, loaded under a schema."""
    config = bigquery.LoadJobConfig(source_format="PARQUET", schema=[bigquery.SchemaField("sealed", "BYTES")])
    file = parquet(pa.table({"sealed": [b"\x00\xff", None]}))
    emulator.client.load_table_from_file(file, table, job_config=config).result()
    return emulator.rows(f"SELECT sealed FROM {table} ORDER BY sealed")


def test_typed_bytes(patched: Emulator) -> None:
    assert load_bytes(patched, "d.sealed") == [{"sealed": None}, {"sealed": b"\x00\xff"}]


def test_typed_bytes_without(bare: Emulator) -> None:
    with pytest.raises(BadRequest, match="from_base64"):
        load_bytes(bare, "d.sealed")


def status_without_secret(emulator: Emulator, path: str) -> int:
    try:
        with urllib.request.urlopen(emulator.endpoints.warehouse + path, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


DATASETS = "/bigquery/v2/projects/noren-test/datasets"


def test_secret(patched: Emulator) -> None:
    assert [status_without_secret(patched, path) for path in (DATASETS, "/", "/docs", "/discovery/v1/apis")] == [
        401
    ] * 4
    assert [dataset.dataset_id for dataset in patched.client.list_datasets()] == ["d"]


def test_secret_without(bare: Emulator) -> None:
    assert status_without_secret(bare, DATASETS) == 200


def read_session(emulator: Emulator, metadata: list[tuple[str, str]]) -> str:
    """The Storage API's answer: the session's data format, or the status code's name."""
    request = types.CreateReadSessionRequest(
        parent="projects/noren-test",
        read_session={"table": "projects/noren-test/datasets/d/tables/loaded", "data_format": "ARROW"},
    )
    with grpc.insecure_channel(emulator.endpoints.warehouse_grpc) as channel:
        call = channel.unary_unary(
            "/google.cloud.bigquery.storage.v1.BigQueryRead/CreateReadSession",
            types.CreateReadSessionRequest.serialize,
            types.ReadSession.deserialize,
        )
        try:
            return str(call(request, metadata=metadata, timeout=10).data_format.name)
        except grpc.RpcError as error:
            return str(error.code().name)


def test_secret_storage_api(patched: Emulator) -> None:
    assert read_session(patched, []) == "UNAUTHENTICATED"
    assert read_session(patched, [("x-noren-stack", "wrong")]) == "UNAUTHENTICATED"
    assert read_session(patched, [("x-noren-stack", patched.endpoints.secret)]) == "ARROW"


def test_secret_storage_api_without(bare: Emulator) -> None:
    assert read_session(bare, []) == "ARROW"


def provoke(emulator: Emulator) -> str:
    """Make the emulator stumble over a personal value, inside and in SQL; the log after it."""
    job = emulator.client.query("SELECT 1", job_id="read-badly")
    job.result()
    with pytest.raises(GoogleAPICallError):
        emulator.client._connection.api_request(
            "GET", "/projects/noren-test/queries/read-badly", query_params={"pageToken": "taro@example.com"}
        )
    with pytest.raises(GoogleAPICallError):
        emulator.rows("ALTER PROJECT `taro@example.com` SET x")
    return emulator.log()


def test_quiet_logs(patched: Emulator) -> None:
    log = provoke(patched)
    assert "internal error ValueError at " in log
    assert "taro" not in log


def test_quiet_logs_without(bare: Emulator) -> None:
    log = provoke(bare)
    assert "invalid literal for int() with base 10: 'taro@example.com'" in log
    assert "ALTER PROJECT `taro@example.com`" in log


def test_unfinished_jobs(patched: Emulator) -> None:
    job = patched.client.get_job("running-at-the-kill")
    assert (job.state, job.error_result["reason"]) == ("DONE", "stopped")
    assert "stopped while the job was running" in job.error_result["message"]


def test_unfinished_jobs_without(bare: Emulator) -> None:
    assert bare.client.get_job("running-at-the-kill").state == "RUNNING"


def submit_at_once(emulator: Emulator, job_id: str) -> collections.Counter[str]:
    """Submit one job six times at once; how many got which answer."""

    def submit(_: int) -> str:
        sql = "INSERT INTO d.inserted VALUES (1)"
        try:
            emulator.client.query(sql, job_id=job_id, retry=None, job_retry=None).result()
        except GoogleAPICallError as error:
            return type(error).__name__
        return "accepted"

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        return collections.Counter(pool.map(submit, range(6)))


ONCE = {"accepted": 1, "Conflict": 5}


def test_single_submission(patched: Emulator) -> None:
    patched.rows("CREATE TABLE d.inserted (id INT64)")
    assert [submit_at_once(patched, f"once-{round_}") for round_ in range(3)] == [ONCE, ONCE, ONCE]
    assert patched.rows("SELECT COUNT(*) AS n FROM d.inserted") == [{"n": 3}]


def test_single_submission_without(bare: Emulator) -> None:
    bare.rows("CREATE TABLE d.inserted (id INT64)")
    assert any(submit_at_once(bare, f"once-{round_}") != ONCE for round_ in range(10))


def test_upload_files_after_a_kill_and_after_a_conflict(patched: Emulator) -> None:
    assert patched.uploads == []
    load(patched.client, "load-once").result()
    with pytest.raises(Conflict):
        load(patched.client, "load-once")
    assert patched.uploads == []


def test_upload_files_without(bare: Emulator) -> None:
    assert len(bare.uploads) == 1
    load(bare.client, "load-once").result()
    with pytest.raises(Conflict):
        load(bare.client, "load-once")
    assert len(bare.uploads) == 2


def test_load_job_with_a_fixed_id_is_done_once_across_a_kill(patched: Emulator) -> None:
    with pytest.raises(Conflict):
        load(patched.client, "load-before-the-kill")
    job = patched.client.get_job("load-before-the-kill")
    assert (job.state, job.error_result, job.output_rows) == ("DONE", None, 3)


def test_load_job_keeps_nested_and_repeated_values(patched: Emulator) -> None:
    load(patched.client, "nested", "d.nested").result()
    assert patched.rows("SELECT id, tags, at FROM d.nested ORDER BY id") == [
        {"id": 1, "tags": ["a"], "at": {"lat": 35.6}},
        {"id": 2, "tags": [], "at": {"lat": 35.7}},
        {"id": 3, "tags": ["b", "c"], "at": None},
    ]


def test_old_results(patched: Emulator) -> None:
    with pytest.raises(NotFound):
        list(patched.client.get_job("asked-yesterday").result())
    patched.client.query("SELECT 'hanako' AS name", job_id="asked-today").result()
    assert [row.name for row in patched.client.get_job("asked-today").result()] == ["hanako"]


def test_old_results_without(bare: Emulator) -> None:
    assert [row.name for row in bare.client.get_job("asked-yesterday").result()] == ["taro"]


def update_at_once(emulator: Emulator) -> collections.Counter[str]:
    """Patch one dataset six times at once, all with the etag that they read before; how many got which answer."""
    datasets = [emulator.client.get_dataset("d") for _ in range(6)]

    def update(number: int) -> str:
        datasets[number].description = f"writer {number} of {time.monotonic()}"
        try:
            emulator.client.update_dataset(datasets[number], ["description"], retry=None)
        except GoogleAPICallError as error:
            return type(error).__name__
        return "accepted"

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        return collections.Counter(pool.map(update, range(6)))


def test_etag(patched: Emulator) -> None:
    assert [update_at_once(patched) for _ in range(3)] == [{"accepted": 1, "PreconditionFailed": 5}] * 3


def test_etag_without(bare: Emulator) -> None:
    assert any(update_at_once(bare) != {"accepted": 1, "PreconditionFailed": 5} for _ in range(10))


NOT_BIGQUERY = {
    "SELECT * FROM read_text('/etc/hostname')": "Table-valued function not found",
    "SELECT * FROM READ_CSV('/etc/hostname')": "Table-valued function not found",
    "SELECT * FROM query('SELECT 42')": "Table-valued function not found",
    "WITH a AS (SELECT 1) SELECT * FROM a WHERE EXISTS (SELECT * FROM duckdb_settings())": "function not found",
    "SELECT * FROM `emulator`.main.jobs": "Access Denied",
    "PRAGMA version": "no BigQuery SQL",
    "EXPORT DATA OPTIONS (uri = 'file:///tmp/noren-*.csv', format = 'CSV') AS SELECT 1 AS a": "begin with gs://",
    "CREATE OR REPLACE TABLE d.stolen AS SELECT * FROM read_text('/etc/hostname')": "function not found",
}


@pytest.mark.parametrize("sql", NOT_BIGQUERY)
def test_bigquery_only(patched: Emulator, sql: str) -> None:
    with pytest.raises(GoogleAPICallError, match=NOT_BIGQUERY[sql]):
        patched.rows(sql)


@pytest.mark.parametrize("uri", ["/etc/hostname", "file:///etc/hostname", "gs://../../../../../etc/hostname"])
def test_bigquery_only_in_load_jobs(patched: Emulator, uri: str) -> None:
    with pytest.raises(BadRequest, match="begin with gs://"):
        patched.client.load_table_from_uri(uri, "d.stolen", job_config=bigquery.LoadJobConfig(autodetect=True)).result()


def test_bigquery_only_without(bare: Emulator) -> None:
    assert len(bare.rows("SELECT content FROM read_text('/etc/hostname')")) == 1
    assert len(bare.rows("SELECT job_id FROM `emulator`.main.jobs")) > 0
    assert bare.rows("SELECT * FROM query('SELECT 42 AS n')") == [{"n": 42}]


def test_measure_loads_every_row_and_leaves_nothing(patched: Emulator) -> None:
    found = measure(patched.endpoints, rows=10, jobs=2)
    assert (found["rows"], found["jobs"]) == (20, 2)
    assert found["rows_per_second"] > 0
    assert [dataset.dataset_id for dataset in patched.client.list_datasets()] == ["d"]


def create_as_select(emulator: Emulator) -> bigquery.QueryJob:
    job = emulator.client.query("CREATE OR REPLACE TABLE d.made AS SELECT x FROM UNNEST([1, 2]) x")
    assert list(job.result()) == []
    return job


def test_ctas_destination(patched: Emulator) -> None:
    assert str(create_as_select(patched).destination) == "noren-test.d.made"
    assert patched.rows("SELECT x FROM d.made ORDER BY x") == [{"x": 1}, {"x": 2}]


def test_ctas_destination_without(bare: Emulator) -> None:
    assert create_as_select(bare).destination is None


SET_STRUCT = """
    DECLARE lowest, highest INT64; DECLARE days ARRAY<DATE>;
    SET (lowest, highest) = (SELECT AS STRUCT MIN(x), MAX(x) FROM UNNEST([3, 1, 2]) x);
    SET (days) = (SELECT AS STRUCT ARRAY_AGG(DISTINCT d) FROM UNNEST([DATE '2026-01-02']) d);
    SELECT lowest, highest, days
"""


def test_set_struct(patched: Emulator) -> None:
    assert patched.rows(SET_STRUCT) == [{"lowest": 1, "highest": 3, "days": [datetime.date(2026, 1, 2)]}]


def test_set_struct_refuses_another_number_of_fields(patched: Emulator) -> None:
    with pytest.raises(BadRequest, match=r"variables \(2\) and of struct fields \(1\)"):
        patched.rows("DECLARE a, b INT64; SET (a, b) = (SELECT AS STRUCT 1); SELECT a")


def test_set_struct_without(bare: Emulator) -> None:
    with pytest.raises(BadRequest, match="Unimplemented type for cast"):
        bare.rows(SET_STRUCT)


def refresh(emulator: Emulator, options: str) -> tuple[Any, Any]:
    emulator.rows("CREATE OR REPLACE TABLE d.base AS SELECT 1 AS x")
    emulator.rows(f"CREATE MATERIALIZED VIEW d.seen {options} AS SELECT x, COUNT(*) AS n FROM d.base GROUP BY x")
    table = emulator.client.get_table("d.seen")
    return table.mview_enable_refresh, table.mview_refresh_interval


def test_materialized_view(patched: Emulator) -> None:
    assert refresh(patched, "") == (True, datetime.timedelta(minutes=30))
    patched.rows("ALTER MATERIALIZED VIEW d.seen SET OPTIONS (enable_refresh = false, refresh_interval_minutes = 90)")
    table = patched.client.get_table("d.seen")
    assert (table.mview_enable_refresh, table.mview_refresh_interval) == (False, datetime.timedelta(minutes=90))
    assert patched.rows("SELECT x, n FROM d.seen") == [{"x": 1, "n": 1}]


def test_materialized_view_without(bare: Emulator) -> None:
    assert refresh(bare, "OPTIONS (refresh_interval_minutes = 60)") == (None, None)
    with pytest.raises(BadRequest, match=r"(?i)unexpected materialized"):
        bare.rows("ALTER MATERIALIZED VIEW d.seen SET OPTIONS (enable_refresh = false)")


def insert_into(emulator: Emulator, column: str) -> list[dict[str, Any]]:
    """What insertAll says of a text in a column of numbers with this name."""
    table = bigquery.Table(f"{emulator.client.project}.d.named", [bigquery.SchemaField("plain", "STRING")])
    emulator.client.delete_table(table, not_found_ok=True)
    emulator.client.query_and_wait(f"CREATE TABLE d.named AS SELECT 1 AS `{column}`")
    found: list[dict[str, Any]] = emulator.client.insert_rows_json(table, [{column: "x"}], retry=None)
    return found


HOSTILE = "n' ELSE (SELECT 'run') END, CASE WHEN true THEN '"


def test_column_names(patched: Emulator) -> None:
    [refused] = insert_into(patched, HOSTILE)
    assert [error["location"] for error in refused["errors"]] == [HOSTILE]


def test_column_names_without(bare: Emulator) -> None:
    with pytest.raises(GoogleAPICallError):
        insert_into(bare, HOSTILE)


def with_a_part_more(emulator: Emulator, name: str) -> list[str]:
    """Parts of a struct and of an array of structs after an update of the schema that adds `more` to both."""

    def fields(*parts: str) -> list[bigquery.SchemaField]:
        inner = [bigquery.SchemaField(part, "STRING") for part in parts]
        modes = {"one": "NULLABLE", "many": "REPEATED"}
        return [bigquery.SchemaField(name, "RECORD", mode, fields=inner) for name, mode in modes.items()]

    table = emulator.client.create_table(bigquery.Table(f"{emulator.client.project}.d.{name}", fields("part")))
    table.schema = fields("part", "more")
    emulator.client.update_table(table, ["schema"])
    live = emulator.client.get_table(table)
    return [f"{column.name}.{part.name}" for column in live.schema for part in column.fields]


def test_nested_columns(patched: Emulator) -> None:
    assert with_a_part_more(patched, "grown") == ["one.part", "one.more", "many.part", "many.more"]


def test_nested_columns_without(bare: Emulator) -> None:
    assert with_a_part_more(bare, "grown") == ["one.part", "many.part"]


def rows_of_one_offset(emulator: Emulator, rounds: int) -> set[int]:
    """Rows of streams to which four clients append the same 300 rows at once, at offset 0; until they are not 300."""
    service = WriteService(emulator.endpoints.warehouse_grpc, emulator.endpoints.secret)
    rows = pa.table({"id": pa.array(range(300))})
    batch = rows.to_batches()[0].serialize().to_pybytes()
    found: set[int] = set()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for _ in range(rounds):
            name = f"d.streamed_{uuid.uuid4().hex[:8]}"
            emulator.rows(f"CREATE TABLE {name} (id INT64)")
            stream, _ = service.create(f"projects/noren-test/datasets/d/tables/{name.removeprefix('d.')}")

            def append(stream: str = stream) -> None:
                list(service.append(stream, rows.schema, [Piece(0, 300, batch)], 0))

            for call in [pool.submit(append) for _ in range(4)]:
                call.result()
            found.add(emulator.rows(f"SELECT COUNT(*) AS n FROM {name}")[0]["n"])
            if found - {300}:
                break
    return found


def test_one_offset(patched: Emulator) -> None:
    assert rows_of_one_offset(patched, 3) == {300}


def test_one_offset_without(bare: Emulator) -> None:
    assert rows_of_one_offset(bare, 30) - {300}


def rows_of_a_member(emulator: Emulator, table: str) -> int:
    """Rows that a member of a group sees of a table whose row access policy names the group."""
    emulator.client.query(f"CREATE TABLE d.{table} AS SELECT 1 AS x").result()
    grant = f"CREATE ROW ACCESS POLICY p ON d.{table} GRANT TO ('group:g@example.com') FILTER USING (true)"
    emulator.client.query(grant).result()
    emulator.client._http.headers["authorization"] = identity("ana@example.com", ["g@example.com"])
    try:
        return emulator.client.query(f"SELECT * FROM d.{table}").result().total_rows
    finally:
        del emulator.client._http.headers["authorization"]
        emulator.client.query(f"DROP ALL ROW ACCESS POLICIES ON d.{table}").result()


def test_row_groups(patched: Emulator) -> None:
    assert rows_of_a_member(patched, "for_a_group") == 1


def test_row_groups_without(bare: Emulator) -> None:
    assert rows_of_a_member(bare, "for_a_group") == 0


def tables_of_a_script(emulator: Emulator, table: str) -> list[str]:
    emulator.client.query(f"CREATE TABLE d.{table} (x STRING)").result()
    script = f"DECLARE v STRING DEFAULT (SELECT max(x) FROM d.{table}); SELECT v"
    job = emulator.client.query(script, job_config=bigquery.QueryJobConfig(dry_run=True))
    return [found.table_id for found in job.referenced_tables]


def test_script_dry_run(patched: Emulator) -> None:
    assert tables_of_a_script(patched, "in_a_script") == ["in_a_script"]


def test_script_dry_run_without(bare: Emulator) -> None:
    assert tables_of_a_script(bare, "in_a_script") == []
