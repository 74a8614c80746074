"""`noren acl`: the access files of iam/ and the datasets that they speak of."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataflow.project import Project

if TYPE_CHECKING:
    from google.cloud import bigquery

    from iam.apply import Change

APPLIER = "acl-applier"
"""The service identity, in iam/principals.json, that owns every dataset's access list."""


@click.group()
def acl() -> None:
    """Access as code: who sees what, from the files of iam/."""


@acl.command(epilog="Example: noren acl apply --dry-run")
@click.option("--grants-only", is_flag=True, help="Leave authorized views alone: for the time before dbt builds them.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the changes as a JSON list.")
@click.option("--home", type=click.Path(path_type=Path), help="Home of the local stack [.noren/local].")
@click.option("--cloud", is_flag=True, help="Apply to BigQuery itself, with application default credentials.")
def apply(grants_only: bool, dry_run: bool, as_json: bool, home: Path | None, cloud: bool) -> None:
    """Make the access lists of all datasets what iam/ says; a dataset that has a file but does not exist is created.

    On the local stack it asks through the gateway as the service identity acl-applier, as it would in the cloud.
    """
    from iam import apply as access
    from iam.files import load

    project = Project.find()
    client = _client(project, home, cloud)
    if client.project != project.id:
        project = Project(project.root, client.project)
    files = load(project)

    def say(change: "Change") -> None:
        if not as_json:
            click.echo(f"{'would: ' if dry_run else ''}{change}")

    changes = access.apply(client, files, grants_only=grants_only, dry_run=dry_run, say=say)
    if as_json:
        click.echo(json.dumps([change.as_json() for change in changes], indent=2))
    elif not changes:
        click.echo(f"The access lists of {len(files.datasets)} datasets are what iam/ says.")


def _client(project: Project, home: Path | None, cloud: bool) -> "bigquery.Client":
    """Of BigQuery itself, or of the stack in `home` as the applier."""
    if cloud:
        from dataflow.clients import bigquery_client

        return bigquery_client(project.id)
    from scripts.stack.callers import caller_client
    from scripts.stack.endpoints import load

    stack = load((home or project.state / "local").resolve())
    return caller_client(stack, f"{APPLIER}@{stack.project_id}.iam.gserviceaccount.com")
