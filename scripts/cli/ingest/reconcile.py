"""`noren ingest reconcile`: events that an import and the live stream both wrote are there once."""

import json
from pathlib import Path

import click

from scripts.cli.ingest.target import target


@click.command(epilog="Example: noren ingest reconcile app_event")
@click.argument("stream")
@click.option("--home", type=click.Path(path_type=Path), help="Home of the running stack [.noren/local].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def reconcile(stream: str, home: Path | None, as_json: bool) -> None:
    """Delete what imports wrote once more of STREAM's events; the live stream's rows stay.

    Imports beside a pipeline on the same machine need none of it. Run it after an import from another machine, once the
    stream has caught up. It may be run at any time and again: it reads two columns of both tables.
    """
    from dataflow.ingest.reconcile import reconcile as work

    to = target(stream, home, None)
    deleted = work(to.client, to.contract, to.anonymizer.policy)
    if as_json:
        click.echo(json.dumps({"stream": stream, "deleted": deleted}))
    else:
        click.echo(f"{stream}: {deleted:,} events that an import had written once more")
