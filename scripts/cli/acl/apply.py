"""`noren acl apply`: make the access lists of all datasets what iam/ says."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scripts.cli.acl import target as targets

if TYPE_CHECKING:
    from iam.apply import Change


@click.command("apply", epilog="Example: noren acl apply --dry-run")
@click.option("--grants-only", is_flag=True, help="Leave authorized views alone: for the time before dbt builds them.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the changes as a JSON list.")
@targets.options
def apply_command(grants_only: bool, dry_run: bool, as_json: bool, home: Path | None, cloud: bool) -> None:
    """Make the access lists of all datasets what iam/ says; a dataset that has a file but does not exist is created.

    On the local stack it asks through the gateway as the service identity acl-applier, as it would in the cloud.
    """
    from iam.apply import apply
    from iam.files import load

    target = targets.target(home, cloud)
    files = load(target.project)

    def say(change: "Change") -> None:
        if not as_json:
            click.echo(f"{'would: ' if dry_run else ''}{change}")

    changes = apply(target.client, files, grants_only=grants_only, dry_run=dry_run, say=say)
    if as_json:
        click.echo(json.dumps([change.as_json() for change in changes], indent=2))
    elif not changes:
        click.echo(f"The access lists of {len(files.datasets)} datasets are what iam/ says.")
