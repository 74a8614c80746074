"""BigQuery's audit logs, as Cloud Logging exports them to a dataset: who granted what, and who read what.

The tables are `cloudaudit_googleapis_com_activity` and `cloudaudit_googleapis_com_data_access`, partitioned (the sink
has `--use-partitioned-tables`); what happened stands as JSON in `protopayload_auditlog.metadataJson`.
https://cloud.google.com/bigquery/docs/reference/auditlogs/rest/Shared.Types/BigQueryAuditMetadata
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dataflow.errors import NorenError
from iam.entries import Entry, Json

if TYPE_CHECKING:
    from google.cloud import bigquery

DATA_ACCESS = "cloudaudit_googleapis_com_data_access"
LOGS = re.compile(r"([a-z][a-z0-9-]*(?::[a-z0-9.-]+)?\.)?[A-Za-z0-9_]+")
"""`dataset` or `project.dataset` of the exported logs."""
EVENTS = {"datasetChange": "dataset", "datasetCreation": "dataset"}
GRANTS_SQL = """
SELECT timestamp, protopayload_auditlog.authenticationInfo.principalEmail AS who,
  protopayload_auditlog.metadataJson AS metadata
FROM `{logs}.cloudaudit_googleapis_com_activity`
WHERE protopayload_auditlog.resourceName = @resource
  AND protopayload_auditlog.metadataJson IS NOT NULL
ORDER BY timestamp
"""


@dataclass(frozen=True)
class Granted:
    """Who put an entry on a dataset, and when. who: as the audit log has it; empty when Google redacted it."""

    who: str
    at: datetime


def granted(client: "bigquery.Client", logs: str, dataset: str, wanted: Iterable[Entry]) -> dict[Entry, Granted]:
    """For each of the live entries the change that brought it, as far as the logs go back.

    logs: `dataset` or `project.dataset` of the export. An entry that the oldest change has already is not told: who
    brought it is older than the logs.
    Raises NorenError when the logs cannot be read.
    """
    wanted = list(wanted)
    found: dict[Entry, Granted] = {}
    before: frozenset[str] | None = None
    for at, who, metadata in _changes(client, logs, dataset):
        for event, part in EVENTS.items():
            if event not in metadata:
                continue
            now = frozenset(_names(metadata[event].get(part, {}).get("acl", {})))
            if event == "datasetCreation":
                before = frozenset()
            for entry in wanted:
                name = name_of(entry)
                if name in now and before is not None and name not in before:
                    found[entry] = Granted(who, at)  # the last time that it came
                elif name not in now:
                    found.pop(entry, None)
            before = now
    return found


def name_of(entry: Entry) -> str:
    """An entry as an audit log names it: `role member`, or the path of a view."""
    subject = entry.subject
    if entry.kind == "view":
        return f"projects/{subject['projectId']}/datasets/{subject['datasetId']}/tables/{subject['tableId']}"
    prefix = {"groupByEmail": "group:", "domain": "domain:", "specialGroup": "", "iamMember": ""}.get(entry.kind)
    if entry.kind == "userByEmail":
        prefix = "serviceAccount:" if str(subject).endswith("gserviceaccount.com") else "user:"
    return f"{entry.role} {prefix or ''}{str(subject).lower()}"


def _names(acl: Mapping[str, Any]) -> Iterator[str]:
    for binding in acl.get("policy", {}).get("bindings", ()):
        for member in binding.get("members", ()):
            prefix, colon, rest = str(member).partition(":")
            yield f"{binding['role']} {prefix}{colon}{rest.lower()}" if colon else f"{binding['role']} {member.lower()}"
    yield from acl.get("authorizedViews", ())


def _changes(client: "bigquery.Client", logs: str, dataset: str) -> Iterator[tuple[datetime, str, Json]]:
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud import bigquery

    if not LOGS.fullmatch(logs):
        raise NorenError(f"{logs}: is no dataset of audit logs: give `dataset` or `project.dataset`.")
    resource = f"projects/{client.project}/datasets/{dataset}"
    config = bigquery.QueryJobConfig(query_parameters=[bigquery.ScalarQueryParameter("resource", "STRING", resource)])
    try:
        rows = list(client.query_and_wait(GRANTS_SQL.format(logs=logs), job_config=config))
    except GoogleAPICallError as error:
        raise NorenError(f"the audit logs in {logs} cannot be read: {error.message}") from error
    for row in rows:
        yield row["timestamp"], row["who"] or "", json.loads(row["metadata"])
