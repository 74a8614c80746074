"""What a table has of a commit group, asked of the table itself: the question after a crash."""

import datetime

import polars as pl
from google.cloud import bigquery

from dataflow.schemas import Table
from dataflow.sinks.patience import CALL_SECONDS, NO_RETRY


def written(client: bigquery.Client, table: Table, rows: pl.DataFrame, batch_id: str) -> int:
    """How many rows of the group the table has.

    rows: those of the group; only their partitions are looked at, for a query costs by what it reads.
    """
    query = (
        f"SELECT COUNT(*) FROM `{client.project}.{table.id}` "  # noqa: S608  (names of our own)
        f"WHERE batch_id = @batch AND {table.partition_by} BETWEEN @first AND @last"
    )
    times = rows[table.partition_by]
    first, last = times.min(), times.max()
    assert isinstance(first, datetime.datetime)
    assert isinstance(last, datetime.datetime)
    config = bigquery.QueryJobConfig(
        query_parameters=[
            bigquery.ScalarQueryParameter("batch", "STRING", batch_id),
            bigquery.ScalarQueryParameter("first", "TIMESTAMP", first),
            bigquery.ScalarQueryParameter("last", "TIMESTAMP", last),
        ]
    )
    found = client.query_and_wait(
        query, job_config=config, retry=NO_RETRY, job_retry=NO_RETRY, api_timeout=CALL_SECONDS
    )
    return int(next(iter(found))[0])
