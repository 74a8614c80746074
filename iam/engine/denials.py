"""BigQuery's own words for a refusal, so that clients and people see here what they see in the cloud.

https://cloud.google.com/bigquery/docs/error-messages
"""

from collections.abc import Iterable

from iam.engine.names import DatasetName, TableName
from iam.engine.rights import PERMISSIONS, Action

DENIED = "Access Denied: "


def no_query(table: TableName) -> str:
    return f"{DENIED}Table {table}: User does not have permission to query table {table}, or perhaps it does not exist."


def no_table(table: TableName, action: Action) -> str:
    return f"{DENIED}Table {table}: Permission {PERMISSIONS[action]} denied on table {table} (or it may not exist)."


def no_dataset(dataset: DatasetName, action: Action) -> str:
    permission = "bigquery.datasets.get" if action is Action.METADATA else PERMISSIONS[action]
    return f"{DENIED}Dataset {dataset}: Permission {permission} denied on dataset {dataset} (or it may not exist)."


def no_project(project: str, permission: str) -> str:
    return f"{DENIED}Project {project}: User does not have {permission} permission in project {project}."


def no_columns(title: str, table: TableName, columns: Iterable[str]) -> str:
    names = [f"{table.project}.{table.dataset}.{table.table}.{column}" for column in sorted(columns)]
    return (
        f"{DENIED}BigQuery BigQuery: User has neither fine-grained reader nor masked get permission to get data "
        f'protected by policy tag "{title}" on column{"s" if len(names) > 1 else ""} {", ".join(names)}.'
    )


def not_understood(view: TableName, why: str) -> str:
    """Not BigQuery's: the engine closes what it does not understand."""
    return f"{DENIED}View {view}: {why}"


def no_rows_of(table: TableName) -> str:
    """For what needs every row of a table that has row access policies."""
    return (
        f"{DENIED}Table {table}: User does not have permission to access all rows of table {table}, "
        "which has row access policies."
    )
