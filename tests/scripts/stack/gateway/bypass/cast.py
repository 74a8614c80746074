"""Who tries, and at what.

The analyst may read anonymized__*, warehouse__* and marts__*; raw__* and the rest must stay closed to her. dbt writes
warehouse__* and marts__*.
"""

ANALYST = "ana@example.com"
DBT = "dbt@noren-test.iam.gserviceaccount.com"
RAW = "raw__app.app_event"


def reference(dataset: str, table: str) -> dict[str, str]:
    return {"projectId": "noren-test", "datasetId": dataset, "tableId": table}
