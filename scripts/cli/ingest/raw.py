"""`noren ingest raw`: a stream's raw events once more, under a new policy."""

import os
from pathlib import Path

import click

from dataflow.errors import NorenError
from scripts.cli.ingest.report import conclude, reporting, stopping
from scripts.cli.ingest.target import options, target


@click.command(epilog="Example: noren ingest raw app_event --policy dataflow/policy.yaml --dry-run")
@click.argument("stream")
@click.option("--policy", "file", type=click.Path(path_type=Path), help="Policy file [what the pipeline runs under].")
@options
def raw(
    stream: str, file: Path | None, home: Path | None, country_file: Path | None, as_json: bool, dry_run: bool
) -> None:
    """Anonymize the raw events of STREAM again and replace their anonymized rows, all in one job.

    Until that job is done the old rows are what readers see. What raw no longer has keeps its old row.
    """
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # as the pipeline runs it; read when polars is imported
    from dataclasses import replace

    from dataflow import names
    from dataflow.bundle.start import production
    from dataflow.ingest.prepare import reader_of
    from dataflow.ingest.preview import preview
    from dataflow.ingest.reanonymize import Reanonymize
    from dataflow.policy import check_policy, load_policy
    from dataflow.sinks.load import LoadSink
    from dataflow.sources.bigquery import RawSource

    to = target(stream, home, country_file)
    if file is not None:
        if production():
            raise NorenError("outside of development only a published policy is used: publish it, then leave --policy.")
        policy = load_policy(file)
        check_policy(policy, {stream: to.contract})
        to = replace(to, anonymizer=to.under(policy))
    anonymizer = to.reading(reader_of(to.contract, mapped=True))
    source = RawSource(to.client, to.contract)
    replaced = 0
    with reporting(as_json=as_json) as report, stopping() as stop:
        if dry_run:
            progress = preview(anonymizer, source, stop, report)
        else:
            work = Reanonymize(
                anonymizer,
                to.client,
                LoadSink(to.client),
                to.keys,
                to.home / "journal",
                f"{names.topic(stream)}-raw",
            )
            try:
                progress, replaced = work.run(source, stop, report)
            finally:
                work.close()
    if as_json:
        return
    if progress.finished and not dry_run:
        click.echo(f"{stream}: {progress.raw:,} raw events anonymized again, {replaced:,} rows replaced")
    else:
        conclude(progress, as_json=as_json)
