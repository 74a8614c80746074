"""Shapes of requests: only the keys that are understood pass, everything else is refused or left out.

The emulator keeps keys that it does not know and also takes some under a second name: so a request is rebuilt from
what was checked, never passed on as it came.
"""

import re
from collections.abc import Iterable
from typing import Any

from iam.engine import TableName
from iam.references import DATASET, PROJECT, UnreadableSQLError, parse, tables
from scripts.stack.gateway import errors

Json = dict[str, Any]

TABLE_ID = re.compile(r"[\w -]{1,1024}")
DESTINATION_ID = re.compile(r"[\w -]{1,1024}(\$[0-9A-Z_]+)?")
"""A table, or one of its partitions."""
PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
RESULTS = "_results"
"""The emulator's dataset of anonymous results: one table a job, named for it."""

READ_ONLY = frozenset(
    """
    kind id selfLink etag type creationTime lastModifiedTime location numBytes numRows numLongTermBytes numPhysicalBytes
    numTotalLogicalBytes numActiveLogicalBytes numLongTermLogicalBytes numTotalPhysicalBytes numActivePhysicalBytes
    numLongTermPhysicalBytes numTimeTravelPhysicalBytes numPartitions streamingBuffer statistics
    """.split()  # noqa: SIM905
)
"""Keys of a table resource that BigQuery itself sets; clients send them back."""
TABLE_KEYS = frozenset(
    """
    tableReference schema friendlyName description labels expirationTime timePartitioning rangePartitioning clustering
    requirePartitionFilter view materializedView defaultCollation tableConstraints maxStaleness resourceTags
    """.split()  # noqa: SIM905
)
VIEW_KEYS = frozenset({"query", "useLegacySql"})

QUERY_KEYS = frozenset(
    """
    query destinationTable createDisposition writeDisposition defaultDataset priority allowLargeResults useQueryCache
    flattenResults maximumBillingTier maximumBytesBilled useLegacySql parameterMode queryParameters schemaUpdateOptions
    timePartitioning rangePartitioning clustering
    """.split()  # noqa: SIM905
)
IGNORED_QUERY_KEYS = frozenset({"destinationEncryptionConfiguration", "scriptOptions"})
LOAD_KEYS = frozenset(
    """
    destinationTable schema sourceFormat writeDisposition createDisposition skipLeadingRows fieldDelimiter quote
    allowQuotedNewlines allowJaggedRows encoding maxBadRecords ignoreUnknownValues autodetect nullMarker
    timePartitioning rangePartitioning clustering schemaUpdateOptions parquetOptions useAvroLogicalTypes
    decimalTargetTypes """.split()  # noqa: SIM905
)
COPY_KEYS = frozenset({"sourceTable", "sourceTables", "destinationTable", "createDisposition", "writeDisposition"})
JOB_KEYS = frozenset({"dryRun", "labels", "jobTimeoutMs"})
REQUEST_KEYS = frozenset(
    """
    query defaultDataset maxResults timeoutMs dryRun useQueryCache useLegacySql parameterMode queryParameters location
    formatOptions labels maximumBytesBilled requestId jobCreationMode jobTimeoutMs
    """.split()  # noqa: SIM905
)
"""Of the body of jobs.query."""


def only(given: Any, known: Iterable[str], what: str, ignored: Iterable[str] = ()) -> Json:
    """`given` without the ignored keys and without keys that say nothing. Raises for a key that is not known.

    A key that is not known is left out when it switches nothing on: clients send `"continuous": false` and the like.
    """
    if not isinstance(given, dict):
        raise errors.invalid(f"{what} must be an object.")
    names = set(known)
    said = {key: value for key, value in given.items() if value is not None and key not in set(ignored)}
    if unknown := sorted(key for key, value in said.items() if key not in names and value not in (False, "", [], {})):
        raise errors.not_served(f"{what} with {unknown[0]!r}")
    return {key: value for key, value in said.items() if key in names}


def table_name(reference: Any, project: str, pattern: re.Pattern[str] = TABLE_ID) -> TableName:
    """The name in a tableReference, without a partition. The project may be left out."""
    given = only(reference, ("projectId", "datasetId", "tableId"), "A table reference")
    name = TableName(
        str(given.get("projectId", project)), str(given.get("datasetId", "")), str(given.get("tableId", ""))
    )
    checks = ((PROJECT, name.project), (DATASET, name.dataset), (pattern, name.table))
    if not all(check.fullmatch(part) for check, part in checks):
        raise errors.invalid("A table reference needs a projectId, a datasetId and a tableId.")
    return TableName(name.project, name.dataset, name.table.partition("$")[0])


def default_dataset(reference: Any, project: str) -> tuple[str, str] | None:
    """(project, dataset) of a defaultDataset, or None."""
    if reference is None:
        return None
    given = only(reference, ("projectId", "datasetId"), "A default dataset")
    owner, dataset = str(given.get("projectId", project)), str(given.get("datasetId", ""))
    if not PROJECT.fullmatch(owner) or not DATASET.fullmatch(dataset):
        raise errors.invalid("A default dataset needs a datasetId.")
    return owner, dataset


def check_parameters(given: Any) -> None:
    """The names of query parameters are identifiers: the emulator writes them into its own SQL."""
    if given is None:
        return
    if not isinstance(given, list) or not all(isinstance(parameter, dict) for parameter in given):
        raise errors.invalid("queryParameters must be a list of objects.")
    for parameter in given:
        name = parameter.get("name")
        if name and not (isinstance(name, str) and PARAMETER.fullmatch(name)):
            raise errors.invalid("The name of a query parameter has letters, digits and underscores.")


def table_resource(given: Any, name: TableName) -> Json:
    """The body of tables.insert, patch or update for the table that the path names."""
    said = only(given, TABLE_KEYS, "A table", READ_ONLY)
    # `null` in a patch takes a setting away; a view's definition cannot be taken away.
    said |= {
        key: None for key, value in given.items() if value is None and key in TABLE_KEYS - {"view", "materializedView"}
    }
    check_defaults(mapping(said.get("schema")).get("fields"))
    reference = {"projectId": name.project, "datasetId": name.dataset, "tableId": name.table}
    return {**said, "tableReference": reference}


def check_defaults(fields: Any) -> None:
    """A column's default is a value, in BigQuery too: no subquery, which would read for who inserts."""
    for field in fields if isinstance(fields, list) else ():
        default = mapping(field).get("defaultValueExpression")
        try:
            trees = parse(f"SELECT {default}") if default is not None else []
            plain = len(trees) <= 1 and not any(list(tables(tree, "", None)) for tree in trees)
        except (UnreadableSQLError, ValueError):
            plain = False
        if not plain:
            raise errors.not_served("A default value that reads a table, or that is not understood,")
        check_defaults(mapping(field).get("fields"))


def mapping(value: Any) -> Json:
    """`value` where it is an object, else an empty one: what a request leaves out and what it gets wrong look alike."""
    return value if isinstance(value, dict) else {}
