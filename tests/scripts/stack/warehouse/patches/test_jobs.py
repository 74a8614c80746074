"""Patches of jobs, uploads and datasets, each beside what fails without it."""

import collections
import concurrent.futures
import io
import json
import re
import time
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.api_core.exceptions import Conflict, GoogleAPICallError, NotFound

from scripts.stack.warehouse.measure import measure
from tests.scripts.stack.warehouse.patches.emulators import Emulator, load


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


def send(emulator: Emulator, job: dict[str, Any], data: bytes, boundary: str = "b") -> Any:
    """Upload in one request, as Google's clients write it."""
    head = f"--{boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n{json.dumps(job)}\r\n"
    body = f"{head}--{boundary}\r\ncontent-type: */*\r\n\r\n".encode() + data + f"\r\n--{boundary}--".encode()
    return emulator.client._http.post(
        f"{emulator.endpoints.warehouse}/upload/bigquery/v2/projects/noren-test/jobs?uploadType=multipart",
        data=body,
        headers={"content-type": f'multipart/related; boundary="{boundary}"'},
    )


def peak_of_short_lines(emulator: Emulator) -> int:
    """Bytes that the emulator's memory rises by at most over an upload of 6 MB, which is refused."""
    process = Path(f"/proc/{emulator.endpoints['warehouse'].pid}")
    process.joinpath("clear_refs").write_text("5")  # the peak counts from here
    before = psutil.Process(int(process.name)).memory_info().rss
    answer = send(emulator, {"configuration": {"load": {"sourceFormat": "CLAY"}}}, b"1\n" * 3_000_000)
    assert answer.status_code == 400
    found = re.search(r"VmHWM:\s+(\d+) kB", process.joinpath("status").read_text())
    assert found is not None
    return int(found[1]) * 1024 - before


def test_upload_parts(patched: Emulator) -> None:
    assert peak_of_short_lines(patched) < 60_000_000


def test_upload_parts_without(bare: Emulator) -> None:
    assert peak_of_short_lines(bare) > 120_000_000


@pytest.mark.parametrize("data", [b"", b"a", b"a\r\n", b"\r\na\r\n\r\n", b"--b", b"a\rb\n\n", b"a\r\n\r\n--c"])
def test_upload_parts_are_what_was_sent(patched: Emulator, data: bytes) -> None:
    table = {"projectId": "noren-test", "datasetId": "d", "tableId": f"sent_{data.hex()}"}
    fields = [{"name": "line", "type": "BYTES"}]
    file = io.BytesIO()
    pq.write_table(pa.table({"line": [data]}), file, compression="none")  # the bytes stand in it as they are
    load = {"destinationTable": table, "sourceFormat": "PARQUET", "schema": {"fields": fields}}
    answer = send(patched, {"configuration": {"load": load}}, file.getvalue())
    assert (answer.status_code, answer.json()["status"]) == (200, {"state": "DONE"})
    assert patched.rows(f"SELECT line FROM d.sent_{data.hex()}") == [{"line": data}]


def test_load_job_with_a_fixed_id_is_done_once_across_a_kill(patched: Emulator) -> None:
    with pytest.raises(Conflict):
        load(patched.client, "load-before-the-kill")
    job = patched.client.get_job("load-before-the-kill")
    assert (job.state, job.error_result, job.output_rows) == ("DONE", None, 3)


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


def test_measure_loads_every_row_and_leaves_nothing(patched: Emulator) -> None:
    found = measure(patched.endpoints, rows=10, jobs=2)
    assert (found["rows"], found["jobs"]) == (20, 2)
    assert found["rows_per_second"] > 0
    assert [dataset.dataset_id for dataset in patched.client.list_datasets()] == ["d"]
