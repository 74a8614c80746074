"""`noren acl who-read`: who read which classified column, and when."""

import json
from pathlib import Path

import click

from dataflow.errors import NorenError
from scripts.cli.acl import target as targets

COLUMNS = ("time", "who", "table_name", "column_name", "classification", "certain")


@click.command("who-read", epilog="Example: noren acl who-read --logs audit_logs --days 7 --table raw__app.app_event")
@click.option("--logs", required=True, metavar="DATASET", help="Exported audit logs: `dataset` or `project.dataset`.")
@click.option("--view", is_flag=True, help="Make the view operations.who_read, and print nothing else.")
@click.option("--sql", "only_sql", is_flag=True, help="Print the view's SQL.")
@click.option("--days", type=click.IntRange(min=1), default=7, show_default=True, help="How far to look back.")
@click.option("--table", metavar="DATASET.TABLE", help="Only this table.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@targets.options
def who_read_command(
    logs: str,
    view: bool,
    only_sql: bool,
    days: int,
    table: str | None,
    as_json: bool,
    home: Path | None,
    cloud: bool,
) -> None:
    """Say who read which classified column, from BigQuery's data-access audit logs.

    The classes are those of the contracts. A read that the log tells without its columns counts for all of them, and is
    not certain. For the view, authorize operations.who_read on the dataset of the logs, in iam/authorized_views/.
    """
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud import bigquery

    from dataflow.contract import load_contracts
    from dataflow.policy import load_policy
    from iam.who_read import VIEW, classified, sql

    target = targets.target(home, cloud)
    project = target.project
    columns = classified(load_contracts(project.contracts).values(), load_policy(project.policy))
    query = sql(project.id, logs, columns)
    if only_sql:
        click.echo(query)
        return
    try:
        if view:
            dataset, name = VIEW
            target.client.query_and_wait(f"CREATE OR REPLACE VIEW `{project.id}`.{dataset}.{name} AS\n{query}")
            click.echo(f"{dataset}.{name}: {len(columns)} classified columns")
            return
        parameters = [
            bigquery.ScalarQueryParameter("days", "INT64", days),
            bigquery.ScalarQueryParameter("table", "STRING", table),
        ]
        rows = target.client.query_and_wait(
            f"SELECT * FROM ({query}) WHERE time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL @days DAY) "  # noqa: S608
            "AND (@table IS NULL OR table_name = @table) ORDER BY time, who, table_name, column_name",
            job_config=bigquery.QueryJobConfig(query_parameters=parameters),
        )
        found = [{column: row[column] for column in COLUMNS} for row in rows]
    except GoogleAPICallError as error:
        raise NorenError(f"the audit logs in {logs} cannot be read: {error.message}") from error
    if as_json:
        click.echo(json.dumps(found, indent=2, default=str))
        return
    for row in found:
        doubt = "" if row["certain"] else ", as far as the log tells"
        what = f"{row['table_name']}.{row['column_name']} ({row['classification']}{doubt})"
        click.echo(f"{row['time']:%Y-%m-%d %H:%M:%S} {row['who']} read {what}")
    click.echo(f"{len(found)} reads of classified columns in {days} day{'s' * (days != 1)}")
