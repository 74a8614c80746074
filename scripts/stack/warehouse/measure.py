"""How fast load jobs are: `python -m scripts.stack.warehouse.measure --home .noren/local --rows 100000 --jobs 10`.

Loads Parquet files of nested rows (an app event, about 360 bytes each as JSON) into a dataset of its own in a running
stack, which it deletes at the end, and prints one JSON object.
"""

import argparse
import io
import json
import time
import uuid
from pathlib import Path
from typing import Any

import click
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.stack import endpoints
from scripts.stack.endpoints import Endpoints


def batch(rows: int) -> pa.Table:
    """`rows` events with a device, a place and properties, as the anonymizer puts them out."""
    numbers = range(rows)
    event = {
        "event_token": [f"{n:044d}" for n in numbers],
        "user_token": [f"{n % 5000:044d}" for n in numbers],
        "event_type": ["page_view"] * rows,
        "timestamp": pa.array([1_700_000_000_000_000 + n for n in numbers], pa.timestamp("us", "UTC")),
        "device": [{"type": "ios", "os_version": "17", "app_version": "3.2", "device_model": "iPhone"}] * rows,
        "location": [{"latitude": 35.68, "longitude": 139.77 + n % 10 / 100} for n in numbers],
        "properties": [{"page_name": "home", "button_id": "share_location"}] * rows,
    }
    return pa.table(event)


def measure(stack: Endpoints, rows: int, jobs: int) -> dict[str, Any]:
    """Load `jobs` files of `rows` rows, one after the other, each with a fixed job id.

    Returns rows a second, milliseconds a job, CPU microseconds of the emulator a row, and its memory in MB.
    """
    from google.cloud import bigquery

    client, emulator = stack.warehouse_client(), psutil.Process(stack["warehouse"].pid)
    config = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_APPEND")
    name = f"measure_{uuid.uuid4().hex[:12]}"
    file = io.BytesIO()
    pq.write_table(batch(rows), file)
    client.create_dataset(name)
    try:
        before, began = sum(emulator.cpu_times()[:2]), time.perf_counter()
        for number in range(jobs):
            file.seek(0)
            job_id = f"{name}-{number}"
            client.load_table_from_file(file, f"{name}.events", job_id=job_id, job_config=config).result()
        seconds, cpu = time.perf_counter() - began, sum(emulator.cpu_times()[:2]) - before
    finally:
        client.delete_dataset(name, delete_contents=True)
    return {
        "rows": rows * jobs,
        "jobs": jobs,
        "rows_per_second": round(rows * jobs / seconds),
        "ms_per_job": round(1000 * seconds / jobs, 1),
        "cpu_us_per_row": round(1e6 * cpu / (rows * jobs), 2),
        "memory_mb": round(emulator.memory_info().rss / 1e6),
    }


def main() -> None:
    parser = argparse.ArgumentParser("measure", description="Measure load jobs of a running stack.")
    parser.add_argument("--home", type=Path, default=Path(".noren/local"))
    parser.add_argument("--rows", type=int, default=100_000, help="rows a job")
    parser.add_argument("--jobs", type=int, default=10)
    options = parser.parse_args()
    click.echo(json.dumps(measure(endpoints.load(options.home), options.rows, options.jobs)))


if __name__ == "__main__":
    main()
