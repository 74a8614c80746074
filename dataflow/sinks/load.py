"""Parquet load jobs with job ids: the sink of the local stack and of backfills.

A job's id is made of the commit group, the table and an attempt, so a second try of the same write is the same job
(https://cloud.google.com/bigquery/docs/running-jobs#generate-jobid). Load jobs are atomic.
"""

import io
import itertools
import time
from collections.abc import Callable
from typing import Any

import polars as pl
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.cloud import bigquery
from requests import exceptions as http

from dataflow.errors import NorenError
from dataflow.schemas import Table
from dataflow.sinks import ensure
from dataflow.sinks.parquet import to_parquet
from dataflow.sinks.patience import CALL_SECONDS, NO_RETRY, NotYet, Passing, Patience, described, passing_reason
from dataflow.sinks.question import written

MOST_ATTEMPTS = 20
"""Jobs for one write; those that fail for a quota do not count."""

MOST_PARTITIONS = 3_000
"""Days that the rows of one job may span: a job may change 4,000 partitions
(https://cloud.google.com/bigquery/quotas#partitioned_tables)."""

_LOST_JOB_SECONDS = 10
"""How long a job that exists (409) may be unknown (404) before it counts as orphaned: BigQuery answers so for a moment
(https://github.com/googleapis/python-bigquery/issues/2134)."""

ORPHANED = "orphaned"
"""The reason for which a job failed that nobody knows."""


class LoadSink:
    """Writes rows to BigQuery tables by load jobs.

    settle_streams: makes an end of the table's write streams that an earlier process, with the other sink, left open.
    """

    def __init__(
        self,
        client: bigquery.Client,
        patience: Patience | None = None,
        settle_streams: Callable[[Table], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._patient = patience or Patience()
        self._settle_streams = settle_streams
        self._begun: set[tuple[str, str]] = set()
        self._locations: dict[str, str] = {}

    def ensure(self, table: Table) -> None:
        """As `Sink.ensure`. Raises NorenError."""
        self._asked(table, "preparing the table", lambda: ensure.ensure(self._client, table))

    def recover(self, table: Table, batch_id: str) -> bool:
        """Always False: `write` asks, when it has the rows."""
        self._settle_streams(table)
        self._begun.add((table.id, batch_id))
        return False

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def write(self, table: Table, rows: pl.DataFrame, batch_id: str) -> None:
        """As `Sink.write`: by one job, or by one after the other where rows of very many days are in a group."""
        rows, ends = _parts(table, rows)
        done = 0
        if (table.id, batch_id) in self._begun:
            done = self.written(table, rows, batch_id)  # the other sink leaves parts
        for end in ends:
            if end > done:
                self._load(table, rows, batch_id, done, end)
                done = end
        self._begun.discard((table.id, batch_id))

    def written(self, table: Table, rows: pl.DataFrame, batch_id: str) -> int:
        """How many rows of the group the table has. rows: all of the group."""
        return self._patient(
            f"{table.id}: asking for group {batch_id}", lambda: written(self._client, table, rows, batch_id)
        )

    def settle(self, table: Table, batch_id: str, offset: int) -> None:
        """Wait for every job that was begun for the group's rows from `offset` on; how it ended does not matter."""
        for attempt in range(MOST_ATTEMPTS):
            job_id = _job_id(table, batch_id, offset, attempt)
            if self._wait(table, job_id, _Clock(0)) == ORPHANED:
                return

    def _load(self, table: Table, rows: pl.DataFrame, batch_id: str, start: int, end: int) -> None:
        """Write rows `start` to `end` of a group, once."""
        buffer = to_parquet(table, rows[start:end], batch_id)
        attempts = itertools.count()
        failed = 0

        def attempt() -> None:
            nonlocal failed
            while failed < MOST_ATTEMPTS:
                job_id = _job_id(table, batch_id, start, next(attempts))
                submitted = self._submit(table, buffer, job_id)
                reason = _outcome(submitted) if _done(submitted) else self._wait(table, job_id, _Clock())
                if reason is None or self.written(table, rows, batch_id) >= end:
                    return
                kind = passing_reason(reason)
                failed += kind is not Passing.QUOTA
                if submitted is None:
                    continue  # it was an earlier try that failed, whenever that was
                if kind is None and reason != ORPHANED:
                    raise NorenError(f"{table.id}: BigQuery refuses the rows of group {batch_id} ({reason}).")
                raise NotYet(kind or Passing.OUTAGE, f"the load job failed ({reason})")
            raise NorenError(f"{table.id}: group {batch_id} was not written in {MOST_ATTEMPTS} attempts.")

        self._patient(f"{table.id}: loading group {batch_id}", attempt)

    def _submit(self, table: Table, buffer: io.BytesIO, job_id: str) -> Any:
        """The job, begun now; None when it was begun before."""
        options = bigquery.ParquetOptions()
        options.enable_list_inference = True  # else an array becomes a struct of `list` and `element`
        config = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.PARQUET,
            write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            schema=[bigquery.SchemaField.from_api_repr(field) for field in table.bigquery()],
        )
        config.parquet_options = options

        def submit() -> Any:
            buffer.seek(0)
            try:
                return self._client.load_table_from_file(
                    buffer,
                    f"{self._client.project}.{table.id}",
                    job_id=job_id,
                    job_config=config,
                    size=buffer.getbuffer().nbytes,
                    location=self._location(table),
                    num_retries=0,
                    timeout=CALL_SECONDS,
                )
            except api.Conflict:
                return None

        return self._asked(table, f"sending job {job_id}", submit)

    def _wait(self, table: Table, job_id: str, lost: "_Clock") -> str | None:
        """The reason for which a job failed, None when it did not; ORPHANED when there is no such job.

        lost: how long a job may be unknown.
        """
        began = time.monotonic()

        def find() -> Any:
            try:
                return self._client.get_job(
                    job_id,
                    location=self._location(table),
                    retry=NO_RETRY,
                    timeout=CALL_SECONDS,
                )
            except api.NotFound:
                return None

        while True:
            job = self._asked(table, f"waiting for job {job_id}", find)
            if job is None and lost.over():
                return ORPHANED
            if _done(job):
                return _outcome(job)
            # a fifth of the time so far: what is waited too long stays small beside what the job takes
            time.sleep(min(max(0.05, (time.monotonic() - began) / 5), 2.0))

    def _location(self, table: Table) -> str:
        """Where the dataset is: a job is found only with its location."""
        if table.dataset not in self._locations:
            reference = f"{self._client.project}.{table.dataset}"
            found = self._client.get_dataset(reference, retry=NO_RETRY, timeout=CALL_SECONDS)
            self._locations[table.dataset] = found.location
        return self._locations[table.dataset]

    def _asked[T](self, table: Table, doing: str, call: Callable[[], T]) -> T:
        """Raises NorenError for what does not pass."""
        try:
            return self._patient(f"{table.id}: {doing}", call)
        except (api.GoogleAPICallError, auth.GoogleAuthError, http.RequestException) as error:
            # BigQuery's own text is left out: it may quote a row
            raise NorenError(f"{table.id}: {doing} is refused ({described(error)}).") from None


class _Clock:
    """Says when some seconds are over."""

    def __init__(self, seconds: float = _LOST_JOB_SECONDS) -> None:
        self._end = time.monotonic() + seconds

    def over(self) -> bool:
        return time.monotonic() >= self._end


def _done(job: Any) -> bool:
    return job is not None and job.state == "DONE"


def _outcome(job: Any) -> str | None:
    """Why a job failed, in BigQuery's word for it; None when it did not."""
    return str(job.error_result.get("reason", "unknown")) if job.error_result else None


def _job_id(table: Table, batch_id: str, start: int, attempt: int) -> str:
    part = f"-from{start}" if start else ""
    return f"{batch_id}-{table.dataset}-{table.name}{part}-{attempt}"


def _parts(table: Table, rows: pl.DataFrame) -> tuple[pl.DataFrame, list[int]]:
    """The rows and where each job's end among them; in order of time where they need several jobs."""
    days = rows[table.partition_by].dt.date()
    if days.n_unique() <= MOST_PARTITIONS:
        return rows, [rows.height]
    rows = rows.sort(table.partition_by, maintain_order=True)
    number = rows[table.partition_by].dt.date().rank("dense") - 1
    ends = (number // MOST_PARTITIONS).value_counts(name="rows").sort(table.partition_by)["rows"].cum_sum()
    return rows, ends.to_list()
