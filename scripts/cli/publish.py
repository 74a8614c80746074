"""`noren publish`: send events to a topic of the local stack."""

import datetime
import secrets
from pathlib import Path

import click

from dataflow.contract import load_contracts
from dataflow.errors import NorenError
from dataflow.project import Project
from scripts.stack import endpoints
from scripts.stack.streams import LocalTopics, read_lines

SIMULATED = "app_event"
"""The stream whose events can be made up."""


@click.command(epilog="Example: noren publish app_event events.ndjson")
@click.argument("stream")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--simulate", "count", type=click.IntRange(1), help="Instead of FILE: so many simulated app events.")
@click.option("--home", type=click.Path(path_type=Path), help="Home of the running stack [.noren/local].")
def publish(stream: str, file: Path | None, count: int | None, home: Path | None) -> None:
    """Publish each line of FILE as an event of STREAM, in order. Nothing is checked: that is the pipeline's work.

    Simulated events are those of scripts/demo: of a hundred, about one is malformed, one is sent twice and one is late.
    """
    project = Project.find()
    contracts = load_contracts(project.contracts)
    if stream not in contracts:
        raise NorenError(f"{stream} is no stream: there are contracts for {', '.join(contracts)}.")
    payloads = _payloads(stream, file, count)
    stack = endpoints.load((home or project.state / "local").resolve())
    with LocalTopics(stack.project_id, stack.pubsub) as topics:
        topics.ensure([contracts[stream]])
        accepted = topics.publish(stream, payloads)
    click.echo(f"{len(accepted):,} events published to {topics.topic(stream)}")


def _payloads(stream: str, file: Path | None, count: int | None) -> list[bytes]:
    if (file is None) == (count is None):
        raise NorenError("what is published is either FILE or --simulate with a number.")
    if file is not None:
        return read_lines(file)
    if stream != SIMULATED:
        raise NorenError(f"only events of {SIMULATED} are simulated, none of {stream}: give a FILE.")
    from scripts.main_job.simulate import simulate

    assert count is not None
    return simulate(count, secrets.randbits(64), datetime.datetime.now(datetime.UTC)).payloads
