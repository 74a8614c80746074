"""`noren ingest logging`: what a log sink of Cloud Logging has published, until there is no more."""

import json
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataflow.contract import Format, load_contracts
from dataflow.errors import NorenError
from dataflow.project import Project
from scripts.cli.ingest.report import stopping

if TYPE_CHECKING:
    from dataflow.pull.driver import Progress


class Idle:
    """Sets `stop` when the source has had nothing for `seconds` and all that came is in the tables."""

    def __init__(self, stop: threading.Event, seconds: float) -> None:
        self._stop = stop
        self._seconds = seconds
        self._seen = -1
        self._since = time.monotonic()

    def __call__(self, progress: "Progress") -> None:
        if progress.accounted != self._seen or not progress.committed or not progress.quiet:
            self._seen, self._since = progress.accounted, time.monotonic()
        elif time.monotonic() - self._since >= self._seconds:
            self._stop.set()


@click.command(epilog="Example: noren ingest logging request --idle 30")
@click.argument("stream")
@click.option("--home", type=click.Path(path_type=Path), help="Home of the running stack [.noren/local].")
@click.option(
    "--idle", type=click.FloatRange(0.5), default=10.0, show_default=True, help="Seconds without a log entry: the end."
)
@click.option("--json", "as_json", is_flag=True, help="The result as JSON.")
def logging(stream: str, home: Path | None, idle: float, as_json: bool) -> None:
    """Import the log entries that a sink of Cloud Logging has published to the topic of STREAM, then end.

    The pull loop does it, so it may be killed and run again; noren run STREAM does the same without an end. The
    contract has format log_entry; an entry is told by insertId, timestamp and logName, as Cloud Logging itself does.
    Entries that a sink exported to files: noren ingest files STREAM PATHS.
    """
    os.umask(0o077)  # the journal is for its owner only
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # as the pipeline runs it; read when polars is imported
    project = Project.find()
    contracts = load_contracts(project.contracts)
    if stream not in contracts:
        raise NorenError(f"{stream} is no stream: there are contracts for {', '.join(contracts)}.")
    if contracts[stream].format is not Format.LOG_ENTRY:
        raise NorenError(f"{stream}: its contract has format {contracts[stream].format}; log entries need log_entry.")
    from scripts.cli.run import build, line
    from scripts.cli.site import site

    pipeline = build(project, stream, site(project, home, in_cloud=False))
    try:
        with stopping() as stop:
            final = pipeline.run(stop, Idle(stop, idle))
    finally:
        pipeline.close()
    click.echo(json.dumps(final.to_dict()) if as_json else line(final))
