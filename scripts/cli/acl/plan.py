"""`noren acl plan`: what `noren acl apply` would change."""

import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scripts.cli.acl import target as targets

if TYPE_CHECKING:
    from iam.plan import Change

DIFFERENT = 2
"""Exit code of `--exit-code` when something would change; 1 is a failure."""


@click.command("plan", epilog="Example: noren acl plan --exit-code")
@click.option("--grants-only", is_flag=True, help="Leave authorized views alone: for the time before dbt builds them.")
@click.option("--exit-code", is_flag=True, help="Exit with 2 when something would change.")
@click.option("--json", "as_json", is_flag=True, help="Print the changes as a JSON list.")
@targets.options
def plan_command(grants_only: bool, exit_code: bool, as_json: bool, home: Path | None, cloud: bool) -> None:
    """Say what differs between iam/ and the live datasets, and change nothing.

    READER and roles/bigquery.dataViewer are the same, so is the case of an e-mail. An entry that would be removed and
    stays all the same (the last owner, the applier itself, a service identity in use) is told as kept.
    """
    from iam.apply import apply
    from iam.files import load
    from iam.plan import Settings

    target = targets.target(home, cloud)
    files = load(target.project)
    settings = Settings(grants_only=grants_only, identity=target.identity)
    changes = apply(target.client, files, settings=settings, dry_run=True, record=target.record())
    changes += targets.tags(target, files, dry_run=True)
    show(changes, as_json=as_json, would=True)
    if exit_code and any(change.changes for change in changes):
        sys.exit(DIFFERENT)


def show(changes: "Iterable[Change]", *, as_json: bool, would: bool) -> None:
    """The changes of a plan and their number."""
    changes = list(changes)
    if as_json:
        click.echo(json.dumps([change.as_json() for change in changes], indent=2))
        return
    for change in changes:
        click.echo(f"{'would: ' if would and change.changes else ''}{change}")
    click.echo(summary(changes))


def summary(changes: "Iterable[Change]") -> str:
    """`2 datasets: 1 created, 3 added, 1 removed`."""
    changes = [change for change in changes if change.changes]
    if not changes:
        return "Nothing to change: the access lists are what iam/ says."
    words = {"create": "created", "add": "added", "remove": "removed", "renew": "renewed"}
    counts = Counter(change.action for change in changes)
    places = {change.dataset for change in changes}
    tags = sum(place.startswith("policy tag ") for place in places)
    datasets = len(places) - tags
    told = ", ".join(f"{counts[action]} {word}" for action, word in words.items() if counts[action])
    where = [f"{n} {word}{'s' * (n != 1)}" for n, word in ((datasets, "dataset"), (tags, "policy tag")) if n]
    return f"{', '.join(where)}: {told}"
