"""The real pull pipeline with a sink that takes each group's Arrow tables and drops them: what `noren run` costs
without a warehouse. Takes and prints what `noren run STREAM --json` does.

    python -m scripts.bench.pipeline.dropping STREAM --home HOME --json
"""

import json
import os
import signal
import threading
from pathlib import Path

import click
import polars as pl

from dataflow import names
from dataflow.contract import load_contracts
from dataflow.core import Anonymizer
from dataflow.keys import KeyRing
from dataflow.policy import load_policy
from dataflow.project import Project
from dataflow.pull.driver import Progress, PullPipeline
from dataflow.schemas import Table
from dataflow.sources.pubsub import PubSubSubscription
from scripts.stack import endpoints
from scripts.stack.pubsub import statistics


class DroppingSink:
    """Takes Arrow tables and drops them."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}

    def ensure(self, table: Table) -> None:
        """There is no table."""

    def write(self, table: Table, rows: pl.DataFrame, batch_id: str) -> None:  # noqa: ARG002  (the sink's interface)
        taken = rows.to_arrow(compat_level=pl.CompatLevel.newest())
        self.rows[table.id] = self.rows.get(table.id, 0) + taken.num_rows

    def recover(self, table: Table, batch_id: str) -> bool:  # noqa: ARG002
        return False

    def close(self) -> None:
        """Nothing is held."""


def build(project: Project, stream: str, home: Path, journal: Path) -> PullPipeline:
    """Deduplication, operators and journal as `noren run` has them; no outputs beside the tables."""
    stack = endpoints.load(home)
    keys = KeyRing.open(home / "keys")
    anonymizer = Anonymizer(load_contracts(project.contracts)[stream], load_policy(project.policy), keys)
    subscription = names.subscription(stream)
    store = statistics(stack.pubsub)["store_id"]
    source = PubSubSubscription(stack.project_id, subscription, stack.pubsub, store=store)
    return PullPipeline(anonymizer, source, DroppingSink(), keys, journal, subscription)


@click.command(epilog="Example: python -m scripts.bench.pipeline.dropping bench_arrow --home HOME --json")
@click.argument("stream")
@click.option("--home", type=click.Path(path_type=Path), required=True, help="Home of the running stack.")
@click.option("--journal", type=click.Path(path_type=Path), help="Directory of the journal [HOME/journal].")
@click.option("--json", "_json", is_flag=True, help="As `noren run` has it; it prints nothing else.")
@click.option("--profile", type=click.Path(path_type=Path), help="Write a profile of the main thread to this file.")
def main(stream: str, home: Path, journal: Path | None, profile: Path | None, _json: bool) -> None:
    """Run the pipeline of STREAM until SIGINT, and drop its rows."""
    os.umask(0o077)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    pipeline = build(Project.find(), stream, home, journal or home / "journal")

    def report(progress: Progress) -> None:
        click.echo(json.dumps(progress.to_dict()))

    try:
        if profile is None:
            pipeline.run(stop, report)
        else:
            import cProfile

            with cProfile.Profile() as profiler:
                pipeline.run(stop, report)
            profiler.dump_stats(profile)
    finally:
        pipeline.close()


if __name__ == "__main__":
    main()
