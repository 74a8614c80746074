"""`noren ingest landed`: what a scheduled EXTERNAL_QUERY landed, into a stream's tables."""

import os
from pathlib import Path

import click

from scripts.cli.ingest.report import conclude, reporting, stopping
from scripts.cli.ingest.target import importing, target


@click.command(epilog="Example: noren ingest landed customer --cursor updated_at")
@click.argument("stream")
@click.option("--cursor", help="Of a stream of changes: the column that moves with every change of a row.")
@click.option("--again", is_flag=True, help="Read all that landed, also what was read before.")
@importing
def landed(
    stream: str,
    cursor: str | None,
    again: bool,
    home: Path | None,
    country_file: Path | None,
    as_json: bool,
    dry_run: bool,
    archive: str | None,
    metrics_port: int | None,
) -> None:
    """Import what a scheduled query landed in raw__<domain>.<STREAM>_landed since the last time.

    Run it behind the query, by the hour. The landing table needs a TIMESTAMP column landed_at.
    """
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # as the pipeline runs it; read when polars is imported
    from dataflow.contract import Format
    from dataflow.ingest.prepare import reader_of
    from dataflow.ingest.preview import preview
    from dataflow.ingest.settle import settle
    from dataflow.sources.bigquery import LandedSource

    to = target(stream, home, country_file)
    changes = to.contract.format is Format.DEBEZIUM
    source = LandedSource(to.client, to.contract, to.keys.token_key("ingest", 0), cursor)
    anonymizer = to.reading(reader_of(to.contract, mapped=not changes))
    with reporting(as_json=as_json) as report, stopping() as stop:
        if dry_run:
            progress = preview(anonymizer, source, stop, report)
        else:
            with to.ingest(anonymizer, source.name, archive, metrics_port) as importer:
                progress = importer.run(source, stop, report, again=again)
                if changes:
                    settle(to.client, to.contract, to.anonymizer.policy, to.keys)
    conclude(progress, as_json=as_json)
