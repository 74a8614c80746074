"""A materialized view reports `enableRefresh` and `refreshIntervalMs`, and its options can be altered.

Without it dbt's materialized views fail after they are made: dbt compares their options with the table resource and
finds None. Where an option differs it then says `ALTER MATERIALIZED VIEW ... SET OPTIONS`, which the emulator cannot
parse. The defaults are BigQuery's
(https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#MaterializedViewDefinition).
"""

import argparse
import re
from typing import Any

import sqlglot
from local_bigquery.catalog import ddl as catalog
from local_bigquery.sql.dialect import BigQueryDialect
from local_bigquery.sql.rules import ddl as rules
from sqlglot import exp

DEFAULTS: dict[str, Any] = {"enableRefresh": True, "refreshIntervalMs": str(30 * 60_000)}
ALTER = re.compile(r"^ALTER\s+MATERIALIZED\s+VIEW\s+(.*)$", re.IGNORECASE | re.DOTALL)


def given(tree: exp.Expression) -> dict[str, Any]:
    """The options of a materialized view that a statement sets, as the REST resource has them."""
    resource: dict[str, Any] = {}
    for option in tree.find_all(exp.Property):
        value = option.args.get("value")
        if option.name.lower() == "enable_refresh" and isinstance(value, exp.Boolean):
            resource["enableRefresh"] = bool(value.this)
        elif option.name.lower() == "refresh_interval_minutes" and isinstance(value, exp.Literal):
            resource["refreshIntervalMs"] = str(int(float(value.name) * 60_000))
    return resource


def apply(options: argparse.Namespace) -> None:  # noqa: ARG001 - every patch is called the same way
    definition, alteration, normalise = catalog._definition, catalog._alteration, rules.normalise

    def define(tree: Any, project_id: str, dataset_id: str) -> Any:
        resource = definition(tree, project_id, dataset_id)
        if view := resource.get("materializedView"):
            view |= DEFAULTS | given(tree)
        return resource

    def alter(stored: Any, action: Any, reference: Any, evaluate: Any) -> Any:
        changes = alteration(stored, action, reference, evaluate)
        if stored.materializedView and isinstance(action, exp.AlterSet) and (changed := given(action)):
            changes["materializedView"] = changed
        return changes

    def parse_alter(tree: Any) -> Any:
        text = tree.sql(dialect=BigQueryDialect).strip() if isinstance(tree, exp.Command) else ""
        if match := ALTER.match(text):
            return normalise(sqlglot.parse_one(f"ALTER TABLE {match[1]}", dialect=BigQueryDialect))
        return normalise(tree)

    catalog._definition, catalog._alteration, rules.normalise = define, alter, parse_alter
