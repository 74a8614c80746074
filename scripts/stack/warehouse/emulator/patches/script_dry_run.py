"""A dry run of a script names the tables that its statements reference.

Without it the dry run of several statements names none, and the gateway has no second opinion on what a script reads.
Nothing is run: the statements are taken apart and their tables resolved as the emulator itself resolves them.
"""

import argparse
from collections.abc import Iterator
from typing import Any

import sqlglot
from local_bigquery.jobs import query
from local_bigquery.sql import script
from local_bigquery.sql.dialect import BigQueryDialect
from local_bigquery.sql.rules.tables import resolve
from sqlglot import exp


def referenced(sql: str, context: Any) -> Iterator[tuple[str, str, str]]:
    for tree in sqlglot.parse(sql, dialect=BigQueryDialect):
        ctes = {cte.alias_or_name.casefold() for cte in tree.find_all(exp.CTE)} if tree else set()
        for table in tree.find_all(exp.Table) if tree else ():
            if (name := resolve(table, context, ctes)) is not None:
                yield name


def apply(options: argparse.Namespace) -> None:  # noqa: ARG001 - every patch is called the same way
    execute = query._execute

    def patched(*arguments: Any) -> Any:
        statistics, children, result = execute(*arguments)
        config, dry_run, context, statements = arguments[3], arguments[4], arguments[6], arguments[7]
        if dry_run and script.is_script([s for s in statements if s.kind != "TEMP_FUNCTION"]):
            names = sorted(set(referenced(config.query, context)))
            tables = [dict(zip(("projectId", "datasetId", "tableId"), name, strict=True)) for name in names]
            statistics = statistics.replace(referencedTables=tables)
        return statistics, children, result

    query._execute = patched
