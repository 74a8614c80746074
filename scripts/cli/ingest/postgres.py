"""`noren ingest postgres`: a table of a PostgreSQL database into a stream's tables."""

import os
from pathlib import Path

import click

from dataflow.contract import load_contracts
from dataflow.project import Project
from scripts.cli.ingest.report import conclude, reporting, stopping
from scripts.cli.ingest.target import importing, target


@click.command(epilog="Example: noren ingest postgres customer.postgres.yaml")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--again", is_flag=True, help="Read the table whole, although it was read before.")
@click.option("--rows", type=click.IntRange(1), default=10_000, show_default=True, help="Rows read at a time.")
@importing
def postgres(
    config: Path,
    again: bool,
    rows: int,
    home: Path | None,
    country_file: Path | None,
    as_json: bool,
    dry_run: bool,
    archive: str | None,
    metrics_port: int | None,
) -> None:
    """Import what is new in the table that CONFIG names: all of it at first, then what changed.

    CONFIG is described in dataflow/sources/postgres. Rows are appended; the view <stream>_current shows the table as it
    is now, and the values of rows that were deleted there are deleted here. Run it every few minutes, e.g. by cron.
    """
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # as the pipeline runs it; read when polars is imported
    from dataflow.ingest.preview import preview
    from dataflow.ingest.settle import settle
    from dataflow.sources.postgres import PostgresSource, load_config

    found = load_config(config, load_contracts(Project.find().contracts))
    to = target(found.stream, home, country_file)
    source = PostgresSource(found, to.contract, to.keys.token_key("ingest", 0), rows)
    with reporting(as_json=as_json) as report, stopping() as stop:
        if dry_run:
            progress = preview(to.anonymizer, source, stop, report)
        else:
            with to.ingest(to.anonymizer, source.name, archive, metrics_port) as importer:
                progress = importer.run(source, stop, report, again=again)
                forgotten = settle(to.client, to.contract, to.anonymizer.policy, to.keys)
            if forgotten and not as_json:
                click.echo(f"{forgotten:,} earlier rows of deleted keys are gone, here as there", err=True)
    conclude(progress, as_json=as_json)
