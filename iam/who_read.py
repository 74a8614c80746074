"""Who read which classified column, and when: a view over BigQuery's data-access audit logs.

BigQuery logs a `tableDataRead` for every table that a job read, with the columns, also when it was asked through views.
So the classes of the base tables, which the contracts give, are enough. What a log left out (`fieldsTruncated`) counts
as read, and says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from dataflow.contract import Contract
from dataflow.errors import NorenError
from dataflow.policy import Policy
from iam.audit import DATA_ACCESS, LOGS
from iam.lineage.origins import origins

VIEW = ("operations", "who_read")
HARMLESS = ("internal", "public")


@dataclass(frozen=True, order=True)
class Classified:
    """A column that is worth asking after. table: `dataset.table`. column: dotted where it is nested."""

    table: str
    column: str
    classification: str


def classified(contracts: Iterable[Contract], policy: Policy) -> list[Classified]:
    """Every column of the raw and anonymized tables whose classification is neither internal nor public.

    One that is made of contract fields has theirs: event_token, event_time, what the policy derives.
    """
    return sorted(
        Classified(table, path, origin.classification)
        for table, columns in origins(contracts, policy).columns.items()
        for path, origin in columns.items()
        if origin.classification and origin.classification not in HARMLESS
    )


def sql(project: str, logs: str, columns: Iterable[Classified]) -> str:
    """The view's query: time, who, table_name, column_name, classification, reason, job,
    certain.

    logs: `dataset` or `project.dataset` of the exported audit logs. certain: false where the log does not list every
    column that was read. Raises NorenError when logs is no name of a dataset.
    """
    if not LOGS.fullmatch(logs):
        raise NorenError(f"{logs}: is no dataset of audit logs: give `dataset` or `project.dataset`.")
    source = logs if "." in logs else f"{project}.{logs}"
    named = ",\n".join(
        f"    STRUCT('{column.table}' AS table_name, '{column.column}' AS column_name, "
        f"'{column.classification}' AS classification)"
        for column in columns
    )
    if not named:
        raise NorenError("no contract has a classified column: there is nothing to ask after.")
    prefix = f"projects/{project}/datasets/"
    return f"""\
WITH reads AS (
  SELECT
    timestamp AS time,
    protopayload_auditlog.authenticationInfo.principalEmail AS who,
    REPLACE(REPLACE(protopayload_auditlog.resourceName, '{prefix}', ''), '/tables/', '.') AS table_name,
    protopayload_auditlog.metadataJson AS metadata,
    JSON_VALUE_ARRAY(protopayload_auditlog.metadataJson, '$.tableDataRead.fields') AS fields
  FROM `{source}.{DATA_ACCESS}`
  WHERE STARTS_WITH(protopayload_auditlog.resourceName, '{prefix}')
    AND JSON_QUERY(protopayload_auditlog.metadataJson, '$.tableDataRead') IS NOT NULL
),
classified AS (
  SELECT * FROM UNNEST([
{named}
  ])
)
SELECT
  reads.time,
  reads.who,
  reads.table_name,
  classified.column_name,
  classified.classification,
  JSON_VALUE(reads.metadata, '$.tableDataRead.reason') AS reason,
  JSON_VALUE(reads.metadata, '$.tableDataRead.jobName') AS job,
  EXISTS (
    SELECT 1 FROM UNNEST(reads.fields) AS field
    WHERE field = classified.column_name OR STARTS_WITH(classified.column_name, CONCAT(field, '.'))
  ) AS certain
FROM reads
JOIN classified ON classified.table_name = REGEXP_REPLACE(reads.table_name, r'\\$.*$', '')
WHERE COALESCE(JSON_VALUE(reads.metadata, '$.tableDataRead.fieldsTruncated') = 'true', FALSE)
  OR ARRAY_LENGTH(reads.fields) IS NULL
  OR EXISTS (
    SELECT 1 FROM UNNEST(reads.fields) AS field
    WHERE field = classified.column_name OR STARTS_WITH(classified.column_name, CONCAT(field, '.'))
  )
"""  # noqa: S608  names are checked above; the rest is from contracts
