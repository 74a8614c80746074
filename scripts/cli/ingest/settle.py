"""`noren ingest settle`: the current state of a stream of changes, and what was deleted forgotten."""

import json
from pathlib import Path

import click

from scripts.cli.ingest.target import target


@click.command(epilog="Example: noren ingest settle customer")
@click.argument("stream")
@click.option("--home", type=click.Path(path_type=Path), help="Home of the running stack [.noren/local].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def settle(stream: str, home: Path | None, as_json: bool) -> None:
    """Make the view of STREAM's current state, and delete the values of rows that were deleted at the source.

    noren ingest postgres does it itself. For change events that come over a topic run it by the hour.
    """
    from dataflow.ingest.settle import settle as work

    to = target(stream, home, None)
    forgotten = work(to.client, to.contract, to.anonymizer.policy, to.keys)
    if as_json:
        click.echo(json.dumps({"stream": stream, "forgotten": forgotten}))
    else:
        click.echo(f"{stream}: {forgotten:,} earlier rows of deleted keys are gone")
