"""Dead letters are kept for 14 days, then nobody can open them any more.

In BigQuery the partitions of the dataset's tables expire by themselves (`partition_expiry_days` in iam/layers.yaml).
The local emulator has no partition expiry: there `expire` deletes what is older, and `noren run` and `noren dlq expire`
call it.
"""

import datetime
import logging
import threading
from typing import Any

from google.api_core import exceptions as api
from google.cloud import bigquery
from requests.exceptions import RequestException

from dataflow.schemas import dead_letter_table, replay_table

log = logging.getLogger(__name__)

FIRST_SECONDS, EVERY_SECONDS = 60, 3_600

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


def keep_expiring(client: Any, stop: threading.Event) -> None:
    """`expire` every hour until `stop`; a warehouse that is away is asked again the next time. For a thread."""
    wait = FIRST_SECONDS
    while not stop.wait(wait):
        wait = EVERY_SECONDS
        try:
            if deleted := expire(client):
                log.warning("%d dead letters were older than %d days and are deleted", deleted, KEPT.days)
        except (api.GoogleAPIError, RequestException) as error:
            log.warning("old dead letters are not deleted yet: %s", type(error).__name__)
