"""An emulator with all patches and a bare one, and what both are given to load."""

import io
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from google.cloud import bigquery

from scripts.stack.endpoints import Endpoints

PATCHES = (
    "secret",
    "bigquery_only",
    "quiet_logs",
    "unfinished_jobs",
    "single_submission",
    "upload_files",
    "upload_parts",
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
