"""Audit logs of the documented shape, in the emulator: who granted what is outside of the files, who read what."""

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from dataflow.contract import load_contracts
from dataflow.errors import NorenError
from dataflow.policy import load_policy
from dataflow.project import Project
from iam.audit import Granted, granted
from iam.drift import drift
from iam.live import Live
from iam.who_read import Classified, classified, sql

REPOSITORY = Project.find(Path(__file__))
P = "noren-test"
APPLIER = f"acl-applier@{P}.iam.gserviceaccount.com"
LOGS = "audit_logs"
COLUMNS = (
    "logName STRING, timestamp TIMESTAMP, protopayload_auditlog STRUCT<serviceName STRING, methodName STRING, "
    "resourceName STRING, authenticationInfo STRUCT<principalEmail STRING>, metadataJson STRING>"
)
"""The columns that are read here; an export has more.
https://cloud.google.com/logging/docs/export/bigquery#audit-payload-fields"""


@pytest.fixture(scope="module")
def log(admin):
    """log("activity", "2026-01-02T03:04:05", "ada@example.com", "raw__app", {...}): one line of an export."""
    admin.create_dataset(LOGS)
    for name in ("activity", "data_access"):
        admin.query(f"CREATE TABLE {LOGS}.cloudaudit_googleapis_com_{name} ({COLUMNS})").result()

    def write(name: str, at: str, who: str, resource: str, metadata: dict[str, object]) -> None:
        row = {
            "timestamp": f"{at}Z",
            "protopayload_auditlog": {
                "serviceName": "bigquery.googleapis.com",
                "resourceName": f"projects/{P}/datasets/{resource}",
                "authenticationInfo": {"principalEmail": who},
                "metadataJson": json.dumps(metadata),
            },
        }
        assert admin.insert_rows_json(f"{P}.{LOGS}.cloudaudit_googleapis_com_{name}", [row]) == []

    yield write
    admin.delete_dataset(LOGS, delete_contents=True)


def change(*members: str, views: tuple[str, ...] = ()) -> dict[str, object]:
    """A datasetChange that leaves these readers."""
    policy = {"bindings": [{"role": "roles/bigquery.dataViewer", "members": list(members)}]}
    dataset = {"datasetName": f"projects/{P}/datasets/x", "acl": {"policy": policy, "authorizedViews": list(views)}}
    return {"datasetChange": {"dataset": dataset, "reason": "UPDATE"}}


def test_drift_says_what_is_outside_of_the_files_and_who_granted_it(admin, files, log):
    assert [d.kind for d in drift(Live(admin), files, ignore=[LOGS])] == []
    resource = Live(admin).dataset("operations")
    outside = [
        {"role": "READER", "groupByEmail": "analysts@example.com"},
        {"view": {"projectId": P, "datasetId": "marts__product", "tableId": "top_screens"}},
    ]
    path = f"projects/{P}/datasets/marts__product/tables/top_screens"
    kept = [entry for entry in resource["access"] if entry.get("groupByEmail") != "data-engineers@example.com"]
    Live(admin).patch("operations", [*kept, *outside], resource["etag"])
    log("activity", "2026-01-01T00:00:00", "old@example.com", "operations", change("group:data-engineers@example.com"))
    log("activity", "2026-01-02T00:00:00", "eve@example.com", "operations", change("group:Analysts@example.com"))
    log(
        "activity",
        "2026-01-03T00:00:00",
        "bob@example.com",
        "operations",
        change("group:analysts@example.com", views=(path,)),
    )
    try:
        found = drift(Live(admin), files, partial(granted, admin, LOGS), [LOGS])
        assert [str(d) for d in found] == [
            "operations: outside of the files: READER group analysts@example.com, "
            "granted by eve@example.com at 2026-01-02 00:00:00 UTC",
            f"operations: outside of the files: view {P}.marts__product.top_screens, "
            "granted by bob@example.com at 2026-01-03 00:00:00 UTC",
            "operations: in the files and not live: READER group data-engineers@example.com",
        ]
        assert found[0].as_json()["granted_by"] == "eve@example.com"
    finally:
        now = Live(admin).dataset("operations")
        Live(admin).patch("operations", resource["access"], now["etag"])


def test_a_dataset_without_a_file_and_a_file_without_a_dataset_are_drift(admin, files, log):
    found = drift(Live(admin), files)
    assert [str(d) for d in found] == [f"{LOGS}: the dataset has no file in iam/datasets/"]


def test_who_granted_what_was_there_before_the_logs_is_not_told(admin, files, log):
    entry = files.datasets["marts__places"][3]
    log("activity", "2026-01-01T00:00:00", "x@example.com", "marts__places", change("group:business@example.com"))
    assert granted(admin, LOGS, "marts__places", [entry]) == {}
    log("activity", "2026-01-02T00:00:00", "y@example.com", "marts__places", change())
    log("activity", "2026-01-03T00:00:00", "z@example.com", "marts__places", change("group:business@example.com"))
    assert granted(admin, LOGS, "marts__places", [entry]) == {
        entry: Granted("z@example.com", datetime(2026, 1, 3, tzinfo=UTC))
    }


def test_logs_that_are_none_are_one_sentence(admin, files):
    with pytest.raises(NorenError, match="is no dataset of audit logs"):
        granted(admin, "x` UNION ALL", "raw__app", [])
    with pytest.raises(NorenError, match="the audit logs in nowhere cannot be read"):
        granted(admin, "nowhere", "raw__app", [])


def read(*fields: str, **more: object) -> dict[str, object]:
    job = f"projects/{P}/jobs/j1"
    return {"tableDataRead": {"fields": list(fields), "reason": "JOB", "jobName": job, **more}}


def test_who_read_tells_classified_columns_of_contracts_alone(admin, log):
    columns = [
        Classified("raw__app.app_event", "user_id", "identifier"),
        Classified("raw__app.app_event", "device.ip", "network"),
    ]
    log("data_access", "2026-01-01T00:00:00", "ana@example.com", "raw__app/tables/app_event", read("user_id", "screen"))
    log("data_access", "2026-01-02T00:00:00", "bo@example.com", "raw__app/tables/app_event", read("screen"))
    log("data_access", "2026-01-03T00:00:00", "cy@example.com", "raw__app/tables/app_event", read("device"))
    truncated = read("screen", fieldsTruncated=True)
    log("data_access", "2026-01-04T00:00:00", "di@example.com", "raw__app/tables/app_event$20260104", truncated)
    log("data_access", "2026-01-05T00:00:00", "ed@example.com", "raw__app/tables/other", read("user_id"))
    admin.query(f"CREATE OR REPLACE VIEW {LOGS}.who_read AS {sql(P, LOGS, columns)}").result()
    rows = admin.query_and_wait(f"SELECT * FROM {LOGS}.who_read ORDER BY time, column_name")
    assert [(row["who"], row["column_name"], row["classification"], row["certain"]) for row in rows] == [
        ("ana@example.com", "user_id", "identifier", True),
        ("cy@example.com", "device.ip", "network", True),
        ("di@example.com", "device.ip", "network", False),
        ("di@example.com", "user_id", "identifier", False),
    ]


def test_the_classes_come_from_the_contracts():
    found = classified(load_contracts(REPOSITORY.contracts).values(), load_policy(REPOSITORY.policy))
    assert Classified("raw__app.app_event", "user_id", "identifier") in found
    assert Classified("anonymized__app.app_event", "event_token", "identifier") in found
    assert Classified("anonymized__app.app_event", "event_time", "quasi_identifier") in found
    assert not {column.classification for column in found} & {"internal", "public"}
