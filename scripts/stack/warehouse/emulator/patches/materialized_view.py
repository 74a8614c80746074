"""A materialized view reports `enableRefresh` and `refreshIntervalMs`.

Without it dbt's materialized views fail after they are made: dbt compares their options with the table resource and
finds None. The defaults are BigQuery's (https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#MaterializedViewDefinition).
"""

import argparse
from typing import Any

from local_bigquery.catalog import ddl
from sqlglot import exp

DEFAULT_MINUTES = 30


def apply(options: argparse.Namespace) -> None:  # noqa: ARG001
    definition = ddl._definition

    def patched(tree: Any, project_id: str, dataset_id: str) -> Any:
        resource = definition(tree, project_id, dataset_id)
        if view := resource.get("materializedView"):
            given = {
                prop.name.lower(): prop.args["value"] for prop in tree.find_all(exp.Property) if "value" in prop.args
            }
            minutes, enabled = given.get("refresh_interval_minutes"), given.get("enable_refresh")
            view["enableRefresh"] = not (isinstance(enabled, exp.Boolean) and not enabled.this)
            view["refreshIntervalMs"] = str(int(float(minutes.name if minutes else DEFAULT_MINUTES) * 60_000))
        return resource

    ddl._definition = patched
