"""Patches of who gets in, what is understood and what is logged, each beside what fails without it."""

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types

from dataflow.errors import NorenError
from tests.scripts.stack.warehouse.patches.emulators import Emulator


def test_start_up_without(launch: Any, tmp_path: Path) -> None:
    with (
        pytest.raises(NorenError, match=r"warehouse did not start: .*TimeZone"),
        launch(tmp_path, "start_up").running(),
    ):
        pass


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
