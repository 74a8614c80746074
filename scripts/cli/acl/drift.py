"""`noren acl drift`: live datasets against the files."""

import json
import sys
from pathlib import Path

import click

from scripts.cli.acl import target as targets
from scripts.cli.acl.plan import DIFFERENT


@click.command("drift", epilog="Example: noren acl drift --logs audit_logs --json")
@click.option(
    "--logs", metavar="DATASET", help="Exported audit logs, `dataset` or `project.dataset`: tells who granted."
)
@click.option("--ignore", multiple=True, metavar="DATASET", help="A dataset that is meant to have no file.")
@click.option("--json", "as_json", is_flag=True, help="Print the differences as a JSON list.")
@targets.options
def drift_command(logs: str | None, ignore: tuple[str, ...], as_json: bool, home: Path | None, cloud: bool) -> None:
    """Say what is live and in no file, and what is in a file and not live: access entries, row access policies, and
    with --cloud readers of policy tags. Exit code 2 when there is a difference.

    With --logs also who granted what is outside of the files, and when, from the table
    cloudaudit_googleapis_com_activity of Cloud Logging's export.
    """
    from functools import partial

    from iam.audit import granted
    from iam.drift import drift, drift_of_rows
    from iam.files import load
    from iam.live import Live

    target = targets.target(home, cloud)
    who = partial(granted, target.client, logs) if logs else None
    files = load(target.project)
    live = Live(target.client)
    found = [*drift(live, files, who, ignore), *drift_of_rows(live, files)]
    if files.policy_tags and (services := target.tag_services()) is not None:
        from iam.tags import drift_of_tags

        found += drift_of_tags(services, files)
    if as_json:
        click.echo(json.dumps([difference.as_json() for difference in found], indent=2))
    else:
        for difference in found:
            click.echo(str(difference))
        if not found:
            click.echo("The live access lists are what iam/ says, and every dataset has a file.")
    sys.exit(DIFFERENT if found else 0)
