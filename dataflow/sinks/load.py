"""Parquet load jobs with job ids: the sink of the local stack and of backfills.

A job's id is made of the commit group, the table and an attempt, so a second try of the same write is the same job
(https://cloud.google.com/bigquery/docs/running-jobs#generate-jobid). Load jobs are atomic.
"""

import io
import logging
from typing import Any

import polars as pl
from google.api_core import exceptions as api
from google.cloud import bigquery
from requests import exceptions as http
from tenacity import before_sleep_log, retry, retry_if_exception_type, stop_after_delay, wait_random_exponential

from dataflow.errors import NorenError
from dataflow.schemas import Table

log = logging.getLogger(__name__)

PASSING = (
    api.ServiceUnavailable,
    api.InternalServerError,
    api.BadGateway,
    api.GatewayTimeout,
    api.TooManyRequests,
    http.ConnectionError,
    http.Timeout,
)
"""Failures that pass by themselves: waited out with exponential backoff and full jitter."""

PATIENCE_SECONDS = 300

MOST_ATTEMPTS = 20

_patient = retry(
    retry=retry_if_exception_type(PASSING),
    wait=wait_random_exponential(multiplier=0.2, max=20),
    stop=stop_after_delay(PATIENCE_SECONDS),
    before_sleep=before_sleep_log(log, logging.WARNING),
    reraise=True,
)


class LoadSink:
    """Writes rows to BigQuery tables by load jobs."""

    def __init__(self, client: bigquery.Client) -> None:
        self._client = client

    @_patient
    def ensure(self, table: Table) -> None:
        """Create the table when it is missing, and add the nullable columns that it lacks.

        Raises NorenError when its dataset is missing, or when the live table has a column in another type or lacks one
        that is no nullable column of its own: required, or a part of a live one.
        """
        reference = f"{self._client.project}.{table.id}"
        try:
            live = self._client.get_table(reference)
        except api.NotFound:
            self._create(table, reference)
            return
        have = {field.name: field.to_api_repr() for field in live.schema}
        missing = [column for column in table.columns if column.name not in have]
        for column in missing:
            if column.required:
                raise NorenError(
                    f"{table.id}: the live table has no column {column.name}, and a required one cannot be added; "
                    "make it optional in the contract."
                )
        for column in table.columns:
            if column.name in have:
                _compare(f"{table.id}.{column.name}", have[column.name], column.bigquery())
        if missing:
            live.schema = [*live.schema, *(bigquery.SchemaField.from_api_repr(column.bigquery()) for column in missing)]
            try:
                self._client.update_table(live, ["schema"])
            except api.PreconditionFailed:  # another pipeline changed the table in between
                self.ensure(table)

    def recover(self, table: Table, batch_id: str) -> bool:  # noqa: ARG002
        """Always False: by the ids of its jobs `write` learns what an earlier process began."""
        return False

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()  # type: ignore[no-untyped-call]

    def _create(self, table: Table, reference: str) -> None:
        fresh = bigquery.Table(reference, schema=table.bigquery())
        fresh.time_partitioning = bigquery.TimePartitioning(type_="DAY", field=table.partition_by)
        fresh.description = table.description
        fresh.labels = table.labels
        try:
            self._client.create_table(fresh, exists_ok=True)
        except api.NotFound as error:
            raise NorenError(f"{table.dataset}: there is no such dataset; run noren acl apply first.") from error

    def write(self, table: Table, rows: pl.DataFrame, batch_id: str) -> None:
        """Write the rows of one commit group to one table, once, however often it is called.

        rows: the table's columns but for `batch_id`.
        Raises NorenError when BigQuery refuses the rows: nothing of the group is in this table then.
        """
        rows = rows.with_columns(pl.lit(batch_id).alias("batch_id")).select(table.polars().keys())
        buffer = io.BytesIO()
        rows.write_parquet(buffer, compression="snappy")
        for attempt in range(MOST_ATTEMPTS):
            if self._attempt(table, buffer, batch_id, attempt):
                return
        raise NorenError(f"{table.id}: group {batch_id} was not written in {MOST_ATTEMPTS} attempts.")

    @_patient
    def _attempt(self, table: Table, buffer: io.BytesIO, batch_id: str, attempt: int) -> bool:
        """One job. False when it failed without a trace in the table: then the next attempt is free to write."""
        job_id = f"{batch_id}-{table.dataset}-{table.name}-{attempt}"
        buffer.seek(0)
        config = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.PARQUET,
            write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            schema=[bigquery.SchemaField.from_api_repr(field) for field in table.bigquery()],
        )
        try:
            job: Any = self._client.load_table_from_file(
                buffer,
                f"{self._client.project}.{table.id}",
                job_id=job_id,
                job_config=config,
                size=buffer.getbuffer().nbytes,
            )
        except api.Conflict:
            job = self._client.get_job(job_id)  # an earlier try of this very write
        try:
            job.result()
        except api.BadRequest as error:
            reason = (job.error_result or {}).get("reason", "invalid")
            raise NorenError(f"{table.id}: BigQuery refuses the rows of group {batch_id} ({reason}).") from error
        except api.GoogleAPICallError:
            if job.state != "DONE":
                raise  # only asking failed
            return self._written(table, batch_id)
        return True

    def _written(self, table: Table, batch_id: str) -> bool:
        """Whether the table has rows of the group, asked of the table itself."""
        query = f"SELECT 1 FROM `{self._client.project}.{table.id}` WHERE batch_id = @batch LIMIT 1"  # noqa: S608
        config = bigquery.QueryJobConfig(query_parameters=[bigquery.ScalarQueryParameter("batch", "STRING", batch_id)])
        return any(True for _ in self._client.query_and_wait(query, job_config=config))


def _compare(where: str, live: dict[str, Any], want: dict[str, Any]) -> None:
    """Raises NorenError unless rows of the wanted column fit into the live one: one type, and no part that it lacks."""
    if _kind(live) != _kind(want):
        raise NorenError(f"{where}: the live column is {' '.join(_kind(live))}, not {' '.join(_kind(want))}.")
    parts = {part["name"]: part for part in live.get("fields") or []}
    for part in want.get("fields") or []:
        if part["name"] not in parts:
            raise NorenError(
                f"{where}.{part['name']}: the live column has no such part, and one cannot be added to it while the "
                "pipeline writes; add it to the table first, or drop the field."
            )
        _compare(f"{where}.{part['name']}", parts[part["name"]], part)


def _kind(field: dict[str, Any]) -> tuple[str, ...]:
    """A column's type, in one spelling, and that it is repeated where it is."""
    names = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}
    kind = str(field["type"])
    repeated = ("REPEATED",) if field.get("mode") == "REPEATED" else ()
    return (*repeated, names.get(kind, kind))
