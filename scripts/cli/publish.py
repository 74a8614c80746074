"""`noren publish`: send events to a topic of the local stack."""

from pathlib import Path

import click

from dataflow.contract import load_contracts
from dataflow.errors import NorenError
from dataflow.project import Project
from scripts.stack import endpoints
from scripts.stack.streams import LocalTopics, read_lines


@click.command(epilog="Example: noren publish app_event events.ndjson")
@click.argument("stream")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--home", type=click.Path(path_type=Path), help="Home of the running stack [.noren/local].")
def publish(stream: str, file: Path, home: Path | None) -> None:
    """Publish each line of FILE as an event of STREAM, in order. Nothing is checked: that is the pipeline's work."""
    project = Project.find()
    contracts = load_contracts(project.contracts)
    if stream not in contracts:
        raise NorenError(f"{stream} is no stream: there are contracts for {', '.join(contracts)}.")
    payloads = read_lines(file)
    stack = endpoints.load((home or project.state / "local").resolve())
    with LocalTopics(stack.project_id, stack.pubsub) as topics:
        topics.ensure([contracts[stream]])
        accepted = topics.publish(stream, payloads)
    click.echo(f"{len(accepted):,} events published to {topics.topic(stream)}")
