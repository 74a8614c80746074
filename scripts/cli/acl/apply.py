"""`noren acl apply`: make the access lists of all datasets what iam/ says."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from scripts.cli.acl import target as targets
from scripts.cli.acl.plan import show, summary

if TYPE_CHECKING:
    from iam.plan import Change


@click.command("apply", epilog="Example: noren acl apply --dry-run")
@click.option("--grants-only", is_flag=True, help="Leave authorized views alone: for the time before dbt builds them.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing: `noren acl plan`.")
@click.option("--yes", is_flag=True, help="Apply in CI too: there (CI=true) it is a dry run without this.")
@click.option(
    "--let-go", multiple=True, metavar="EMAIL", help="A service identity in use that may lose its last entry."
)
@click.option("--json", "as_json", is_flag=True, help="Print the changes as a JSON list.")
@targets.options
def apply_command(
    grants_only: bool,
    dry_run: bool,
    yes: bool,
    let_go: tuple[str, ...],
    as_json: bool,
    home: Path | None,
    cloud: bool,
) -> None:
    """Make the access lists of all datasets what iam/ says; a dataset that has a file but does not exist is created.

    Every change is in the ledger `access` before it is made, with who, when and the git revision, and is copied to
    operations.ledger. iam/ledger.yaml says where the ledger of a project in the cloud lies. On the local stack it asks
    through the gateway as the service identity acl-applier, as it would in the cloud.
    """
    from iam.apply import apply
    from iam.files import load
    from iam.plan import Settings

    in_ci = targets.in_ci() and not yes
    target = targets.target(home, cloud)
    files = load(target.project)
    settings = Settings(
        grants_only=grants_only, identity=target.identity, let_go=frozenset(email.lower() for email in let_go)
    )
    record = target.record()
    if dry_run or in_ci:
        changes = apply(target.client, files, settings=settings, dry_run=True, record=record)
        show(changes + targets.tags(target, files, dry_run=True), as_json=as_json, would=True)
        if in_ci and not dry_run:
            click.echo("In CI this is a dry run: give --yes to apply.", err=True)
        return

    def say(change: "Change") -> None:
        if not as_json:
            click.echo(str(change))

    try:
        changes = apply(target.client, files, settings=settings, record=record, say=say)
        changes += targets.tags(target, files, record, say=say)
    finally:
        target.copy(record)
    if as_json:
        show(changes, as_json=True, would=False)
    else:
        click.echo(summary(changes))
