"""SQL and jobs reach BigQuery's tables, and nothing else of DuckDB or of the machine.

Without it the emulator hands what it does not know to DuckDB: `SELECT * FROM read_text('/etc/hostname')` reads any
file, `read_parquet` the files of any table around every access check, `query('...')` runs hidden SQL,
`emulator.main.jobs` is its own state, a statement that sqlglot cannot parse (`PRAGMA`, `INSTALL`, `LOAD`) runs as it
is, and load and export jobs take paths. The gateway refuses such SQL too; this is the second door.
"""

import argparse
from pathlib import Path
from typing import Any

from local_bigquery.errors import BigQueryError, not_found
from local_bigquery.jobs import storage
from local_bigquery.sql import rules
from sqlglot import exp

STATEMENTS = (
    exp.Query,
    exp.Insert,
    exp.Update,
    exp.Delete,
    exp.Merge,
    exp.TruncateTable,
    exp.Create,
    exp.Drop,
    exp.Alter,
)
TRANSACTIONS = (exp.Transaction, exp.Commit, exp.Rollback)
NOT_PROJECTS = {"bq", "emulator", "memory", "system", "temp"}
"""Databases inside the emulator's DuckDB that are no projects; others of its own begin with two underscores."""
DUCKDB_VIEWS = ("duckdb_", "pragma_", "sqlite_")
BUILT_IN = {"EXTERNAL_QUERY"}


def only_bigquery(tree: exp.Expression, context: Any) -> exp.Expression:  # noqa: ARG001 - a rule of the package
    if not isinstance(tree, (*STATEMENTS, *TRANSACTIONS)):
        raise BigQueryError("invalidQuery", f"Syntax error: {type(tree).__name__} statements are no BigQuery SQL")
    for lateral in tree.find_all(exp.Lateral):
        raise BigQueryError("invalidQuery", f"Syntax error: Unexpected LATERAL {lateral.alias_or_name}".rstrip())
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier):
            check_table(table)
        elif not table.db and table.name.upper() not in BUILT_IN:
            function = table.this
            name = function.sql_name() if isinstance(function, exp.Func) and not function.name else function.name
            raise BigQueryError("invalidQuery", f"Table-valued function not found: {name}")
        check_database(table)
    return tree


def check_table(table: exp.Table) -> None:
    name = ".".join(part.name for part in table.parts)
    if any(mark in name for mark in "/\\") or (not table.db and table.name.lower().startswith(DUCKDB_VIEWS)):
        raise not_found("Table", name)


def check_database(table: exp.Table) -> None:
    if table.catalog.lower() in NOT_PROJECTS or table.catalog.startswith("__"):
        raise BigQueryError("accessDenied", f"Access Denied: Project {table.catalog}: it does not exist.")


def apply(options: argparse.Namespace) -> None:
    rules.STATEMENT_RULES.insert(0, only_bigquery)
    buckets = (options.data_dir / "gcs").resolve()

    def in_bucket(uri: str) -> str:
        path = (buckets / uri.removeprefix("gs://")).resolve()
        if not uri.startswith("gs://") or not Path(path).is_relative_to(buckets):
            raise BigQueryError("invalid", "Source and destination URIs begin with gs://")
        return str(path)

    storage._local = in_bucket
