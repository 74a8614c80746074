"""Dead letters are kept for 14 days, then nobody can open them any more.

In BigQuery the partitions of the dataset's tables expire by themselves (`partition_expiry_days` in iam/layers.yaml).
The local emulator has no partition expiry: there `expire` deletes what is older, and `noren run` and `noren dlq expire`
call it.
"""

import datetime
from typing import Any

from google.api_core import exceptions as api
from google.cloud import bigquery

from dataflow.schemas import dead_letter_table, replay_table

KEPT = datetime.timedelta(days=14)
"""From when the broker accepted the message."""


def expire(client: Any, now: datetime.datetime | None = None) -> int:
    """Delete the dead letters, and the records of replays, that are older than KEPT; how many letters.

    now: UTC; the local clock by default. client: a `google.cloud.bigquery.Client`.
    """
    before = (now or datetime.datetime.now(datetime.UTC)) - KEPT
    deleted = 0
    for table in (dead_letter_table(), replay_table()):
        query = f"DELETE FROM `{client.project}.{table.id}` WHERE {table.partition_by} < @before"  # noqa: S608
        config = bigquery.QueryJobConfig(
            query_parameters=[bigquery.ScalarQueryParameter("before", "TIMESTAMP", before)]
        )
        try:
            job = client.query(query, job_config=config)
            job.result()
        except api.NotFound:
            continue
        if table == dead_letter_table():
            deleted = job.num_dml_affected_rows or 0
    return deleted
