"""Events that an import wrote and the live stream too, or two imports: the import's row goes, in one statement a table.

On one machine the drivers of a stream keep out of each other's way (dataflow/journal/neighbours.py). What is left are
imports from elsewhere, and events that reach the live stream for the first time when deduplication has forgotten that
an import had them. Rows of the live stream always stay: BigQuery may not let go of rows that were just streamed.
"""

from google.cloud import bigquery

from dataflow.contract import Contract
from dataflow.ingest.driver import KIND
from dataflow.policy import Policy
from dataflow.schemas import anonymized_table, raw_table


def reconcile(client: bigquery.Client, contract: Contract, policy: Policy) -> int:
    """Delete what imports wrote once more; how many anonymized rows that were. Repeated, it deletes nothing more.

    Of rows with one event token the live stream's stays, else that of the first import by its `batch_id`: the same in
    both tables, so a row of raw keeps its anonymized one, also where this was interrupted between the two.
    """
    deleted = 0
    for table in (raw_table(contract), anonymized_table(contract, policy)):
        name = f"`{client.project}.{table.id}`"
        places = (
            "SELECT event_token, batch_id, ROW_NUMBER() OVER (PARTITION BY event_token "  # noqa: S608  (our own names)
            f"ORDER BY STARTS_WITH(batch_id, '{KIND}'), batch_id) AS place FROM {name}"
        )
        job = client.query(
            f"DELETE FROM {name} WHERE STARTS_WITH(batch_id, '{KIND}') AND CONCAT(event_token, batch_id) IN "  # noqa: S608
            f"(SELECT CONCAT(event_token, batch_id) FROM ({places}) WHERE place > 1)"
        )
        job.result()
        deleted = int(job.num_dml_affected_rows or 0)
    return deleted
