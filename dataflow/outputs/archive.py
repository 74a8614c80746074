"""The archive: anonymized rows as Parquet by date and hour of their receive time, in a directory or a bucket.

`<stream>/date=2026-01-15/hour=10/<journal>-<first entry>-<last entry>.parquet`: Hive's way of naming partitions, which
BigQuery's external tables, Spark and DuckDB read as columns. Receive time is as coarse as the policy makes it.
"""

import io
import logging
from collections.abc import Sequence

import polars as pl
from google.api_core import exceptions as api
from requests import exceptions as http
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_random_exponential

from dataflow.objects import Objects
from dataflow.outputs.base import Run
from dataflow.outputs.waiting import waiting

log = logging.getLogger(__name__)

SECONDS = 60.0
"""Rows wait this long for company: well below the five minutes that the archive may be behind."""

MOST_BYTES = 64 << 20
"""Of rows in memory that make one object at most, about: bounds memory."""

PATIENCE_SECONDS = 300

PARTITION = pl.col("receive_time").dt.strftime("date=%Y-%m-%d/hour=%H").fill_null("date=none/hour=none")


class Archive:
    """Writes anonymized rows to `objects`, below the stream's name."""

    name = "archive"
    roles: Sequence[str] = ("anonymized",)

    def __init__(self, objects: Objects, stream: str, seconds: float = SECONDS, most_bytes: int = MOST_BYTES) -> None:
        self.seconds = seconds
        self.most_bytes = most_bytes
        self._objects = objects
        self._stream = stream

    def put(self, run: Run) -> None:
        """One object for each hour of the run, unless it is there."""
        frames = [
            entry.rows["anonymized"].with_columns(
                pl.lit(entry.number, dtype=pl.Int64).alias("entry"), pl.int_range(pl.len(), dtype=pl.Int64).alias("row")
            )
            for entry in run.entries
            if "anonymized" in entry.rows and not entry.rows["anonymized"].is_empty()
        ]
        if not frames:
            return
        rows = pl.concat(frames, how="diagonal_relaxed")  # versions may differ in columns
        hours = rows["receive_time"].dt.truncate("1h").unique()
        partitions = hours.to_frame().select(PARTITION).to_series().sort()
        for partition in partitions:
            # a copy of the rows is as much memory again: only where they are of several hours
            part = rows if len(partitions) == 1 else rows.filter(partition == PARTITION)
            buffer = io.BytesIO()
            part.write_parquet(buffer, compression="zstd")
            name = f"{self._stream}/{partition}/{run.journal}-{run.first:012d}-{run.last:012d}.parquet"
            self._create(name, buffer.getvalue())

    def close(self) -> None:
        """Nothing is held."""

    @retry(
        retry=retry_if_exception_type((api.ServerError, api.TooManyRequests, http.ConnectionError, http.Timeout)),
        wait=wait_random_exponential(multiplier=0.2, max=20),
        stop=stop_after_delay(PATIENCE_SECONDS),
        before_sleep=waiting(log),
        reraise=True,
    )
    def _create(self, name: str, data: bytes) -> None:
        self._objects.create(name, data)
