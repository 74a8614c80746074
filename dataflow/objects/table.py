"""Objects in a BigQuery table, a row each. Create-if-absent is the id of a load job, which exists once in a project
(https://cloud.google.com/bigquery/docs/running-jobs#generate-jobid): of two writers of one name the second is told 409.
"""

import datetime
import hashlib
import io
from collections.abc import Iterator
from typing import Any

import polars as pl
from google.api_core import exceptions as api
from google.cloud import bigquery

from dataflow.errors import NorenError

SCHEMA = [
    bigquery.SchemaField("name", "STRING", "REQUIRED", description="Of the object, e.g. bundles/000000000001."),
    bigquery.SchemaField("data", "BYTES", "REQUIRED", description="The object."),
    bigquery.SchemaField("created", "TIMESTAMP", "REQUIRED", description="When the writer made it."),
]

MOST_ATTEMPTS = 20
"""Load jobs of one name: a failed job's id is used up, and the next writer takes the next one."""


class TableObjects:
    """Objects as rows of `project.dataset.table`, which is made when it is missing; its dataset is not."""

    def __init__(self, client: bigquery.Client, table: str) -> None:
        self._client = client
        self._table = table

    def create(self, name: str, data: bytes) -> bool:
        """A retry after a lost answer finds its own object: equal bytes count as created."""
        self._client.create_table(bigquery.Table(self._table, SCHEMA), exists_ok=True)
        for attempt in range(MOST_ATTEMPTS):
            if self._exists(name):
                return False
            if self._load(name, data, attempt).error_result is None:
                return self.read(name) == data
        raise NorenError(f"{name}: could not be written to {self._table} in {MOST_ATTEMPTS} attempts.")

    def read(self, name: str) -> bytes:
        rows = self._rows("SELECT data FROM `{}` WHERE name = @value", name)
        if not rows:
            raise NorenError(f"{name}: there is no such object in {self._table}.")
        data: bytes = rows[0]["data"]
        return data

    def names(self, prefix: str) -> Iterator[str]:
        yield from sorted(
            row["name"] for row in self._rows("SELECT name FROM `{}` WHERE STARTS_WITH(name, @value)", f"{prefix}/")
        )

    def delete(self, name: str) -> None:
        self._rows("DELETE FROM `{}` WHERE name = @value", name)

    def _exists(self, name: str) -> bool:
        return bool(self._rows("SELECT 1 FROM `{}` WHERE name = @value", name))

    def _rows(self, query: str, value: str) -> list[Any]:
        parameter = bigquery.ScalarQueryParameter("value", "STRING", value)
        try:
            return list(
                self._client.query_and_wait(
                    query.format(self._table), job_config=bigquery.QueryJobConfig(query_parameters=[parameter])
                )
            )
        except api.NotFound:
            return []

    def _load(self, name: str, data: bytes, attempt: int) -> Any:
        """The finished job of this attempt, ours or another writer's."""
        digest = hashlib.sha256(f"{self._table} {name}".encode()).hexdigest()[:32]
        job_id = f"object-{digest}-{attempt}"
        buffer = io.BytesIO()
        now = datetime.datetime.now(datetime.UTC)
        row = pl.DataFrame({"name": [name], "data": [data], "created": [now]})
        row.write_parquet(buffer)
        buffer.seek(0)
        config = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.PARQUET,
            write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
            schema=SCHEMA,
        )
        try:
            job: Any = self._client.load_table_from_file(buffer, self._table, job_id=job_id, job_config=config)
        except api.Conflict:
            job = self._client.get_job(job_id)
        try:
            job.result()
        except api.GoogleAPICallError:
            if job.state != "DONE":
                raise
        return job
