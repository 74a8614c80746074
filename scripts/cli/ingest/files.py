"""`noren ingest files`: files and directories into a stream's tables."""

import os
from pathlib import Path

import click

from scripts.cli.ingest.report import conclude, reporting, stopping
from scripts.cli.ingest.target import importing, target


@click.command(epilog="Example: noren ingest files app_event logs/2024 --mapping app_event.eras.yaml --dry-run")
@click.argument("stream")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "kind", type=click.Choice(["jsonl", "csv", "parquet"]), help="[what each file's name says]")
@click.option("--mapping", type=click.Path(path_type=Path), help="Mapping of old schemas: see dataflow/sources/eras.")
@click.option("--again", is_flag=True, help="Read also the files that were read to their end and have not changed.")
@click.option("--rows", type=click.IntRange(1), default=50_000, show_default=True, help="Rows staged at a time.")
@importing
def files(
    stream: str,
    paths: tuple[Path, ...],
    kind: str | None,
    mapping: Path | None,
    again: bool,
    rows: int,
    home: Path | None,
    country_file: Path | None,
    as_json: bool,
    dry_run: bool,
    archive: str | None,
    metrics_port: int | None,
) -> None:
    """Import PATHS, files and directories, into the tables of STREAM.

    An event that is in the tables already, from the live stream or an earlier import, is not written again.
    """
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # as the pipeline runs it; read when polars is imported
    from dataflow.ingest.prepare import reader_of
    from dataflow.ingest.preview import preview
    from dataflow.sources.eras import load_mapping
    from dataflow.sources.files import FileFormat, FileSource, find

    found, ignored = find(paths, FileFormat(kind) if kind else None)
    to = target(stream, home, country_file)
    eras = load_mapping(mapping, to.contract) if mapping else None
    contract = reader_of(to.contract, mapped=eras is not None)
    source = FileSource(contract, found, to.keys.token_key("ingest", 0), eras, rows)
    anonymizer = to.reading(contract)
    if ignored and not as_json:
        click.echo(f"{len(ignored):,} files are passed over for their names, such as {ignored[0].name}", err=True)
    with reporting(as_json=as_json) as report, stopping() as stop:
        if dry_run:
            progress = preview(anonymizer, source, stop, report)
        else:
            with to.ingest(anonymizer, source.name, archive, metrics_port) as importer:
                done = [] if again else source.skipped(importer.finished)
                progress = importer.run(source, stop, report, again=again)
    if not dry_run and done and not as_json:
        click.echo(f"{len(done):,} of {len(found):,} files were imported before and have not changed", err=True)
    if dry_run and not as_json:
        click.echo(f"would read {len(found):,} files:")
    conclude(progress, as_json=as_json)
