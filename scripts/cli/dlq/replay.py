"""`noren dlq replay`: dead letters that would be accepted now are published again."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dataflow.project import Project
from scripts.cli.dlq.options import filters, home_option, running, wanted, write_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataflow.core import Anonymizer
    from dataflow.dead_letters.replay import Report
    from dataflow.keys import KeyRing
    from dataflow.schemas import Table
    from scripts.stack.endpoints import Endpoints


@click.command("replay", epilog="Example: noren dlq replay --stream app_event --reason wrong_type --dry-run")
@filters
@click.option("--dry-run", is_flag=True, help="Only count what would be published; nothing is changed.")
@click.option("--again", is_flag=True, help="Also those that were published again before.")
@click.option("--limit", type=click.IntRange(1), help="Look at so many at most, oldest first [all].")
@click.option(
    "--schemas",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Schemas of a registry, as for noren run.",
)
@click.option("--bundles", help="Where policies are published, as for noren run [HOME/bundles].")
@click.option("--trust", type=click.Path(path_type=Path), help="Public key of those who publish, as for noren run.")
@click.option("--country-file", type=click.Path(path_type=Path), help="As for noren run.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a list with an object a stream.")
@home_option
def replay_command(
    streams: tuple[str, ...],
    reasons: tuple[str, ...],
    fields: tuple[str, ...],
    since: str | None,
    until: str | None,
    dry_run: bool,
    again: bool,
    limit: int | None,
    schemas: Path | None,
    bundles: str | None,
    trust: Path | None,
    country_file: Path | None,
    as_json: bool,
    home: Path | None,
) -> None:
    """Publish to their topic the dead letters that the contract and policy of now accept and that no table has yet.

    Attributes stay; noren-replay-of, noren-original-message-id and noren-original-publish-time are added. Run it after
    a contract was mended, while the pipeline runs or not: a second run finds nothing left to do, and an event that
    comes twice all the same is a duplicate. A line in the ledger says who did it.
    """
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # read when polars is imported
    from dataclasses import replace

    from dataflow.dead_letters import PURPOSE
    from dataflow.dead_letters.replay import Replayer
    from dataflow.dead_letters.table import DeadLetters
    from dataflow.keys import KeyRing
    from dataflow.sinks.load import LoadSink
    from scripts.stack.streams import LocalTopics

    meant = wanted(streams, reasons, fields, since, until, None if again else False)
    stack = running(home)
    client = stack.warehouse_client()
    counts = DeadLetters(client).counts(meant)
    todo = list(streams or sorted({stream for stream, _ in counts}))
    total = sum(counts.values()) if limit is None else min(limit, sum(counts.values()))
    keys = KeyRing.open(stack.home.root / "keys")
    sink = LoadSink(client)
    ensure = (lambda _: None) if dry_run else sink.ensure
    reports: list[Report] = []
    done = 0
    with LocalTopics(stack.project_id, stack.pubsub) as topics:
        for stream in todo:
            left = None if limit is None else limit - done
            if left == 0:
                break
            anonymizer = _anonymizer(stack, stream, keys, ensure, schemas, bundles, trust, country_file)
            replayer = Replayer(client, anonymizer, keys.sealer(PURPOSE), sink, topics.publish_messages)
            progress = _Progress(done, total)
            reports.append(replayer.replay(replace(meant, streams=(stream,)), left, dry_run, progress))
            progress.end()
            done += reports[-1].letters
            if not dry_run and reports[-1].published:
                write_line(stack, "dead_letters.replayed", _details(reports[-1]))
    if as_json:
        click.echo(json.dumps([report.to_dict() for report in reports], indent=2))
        return
    for report in reports:
        for text in lines(report):
            click.echo(text)
    if not reports:
        click.echo("no dead letters")


def _anonymizer(
    stack: "Endpoints",
    stream: str,
    keys: "KeyRing",
    ensure: "Callable[[Table], None]",
    schemas: Path | None,
    bundles: str | None,
    trust: Path | None,
    country_file: Path | None,
) -> "Anonymizer":
    """What `noren run` would start under: the newest bundle, or the project's files. Raises NorenError as that does."""
    from dataflow.bundle import BundleStore, Watcher
    from dataflow.bundle.start import Starter, production
    from dataflow.countries import Countries
    from dataflow.keys.signing import Verifier, development_key
    from dataflow.objects.places import open_objects
    from dataflow.sources.schemas import PubSubSchemas, WriterSchemas

    place = bundles or str(stack.home.root / "bundles")
    verifier = Verifier.load(trust or development_key(stack.home.root / "keys"))
    countries = Countries(country_file) if country_file else None
    found = WriterSchemas(PubSubSchemas(stack.pubsub), schemas)
    starter = Starter(Project.find(), stream, keys, countries, ensure, found)
    watcher = Watcher(BundleStore(open_objects(place)), verifier, starter.prepare)
    return starter.start(watcher, place, verifier, production())[0]


def lines(report: "Report") -> list[str]:
    """The report in words, e.g. `app_event, contract 1.1.0, policy 1.0.0: 12 dead letters` and a line a reason."""
    what = "would be published" if report.dry_run else "published"
    head = f"{report.stream}, contract {report.contract_version}, policy {report.policy_version}"
    said = [f"{head}: {report.letters:,} dead letters"]
    said += [f"{count:>10,}  {what}, {reason} before" for reason, count in sorted(report.published.items())]
    for (before, now), count in sorted(report.refused.items()):
        said.append(f"{count:>10,}  still refused: {now}" + ("" if now == before else f", {before} before"))
    said += [f"{count:>10,}  in the tables already, {reason} before" for reason, count in sorted(report.landed.items())]
    said += [f"{count:>10,}  not opened by these keys, {reason}" for reason, count in sorted(report.unread.items())]
    return said


def _details(report: "Report") -> dict[str, Any]:
    return {name: value for name, value in report.to_dict().items() if name != "dry_run"}


class _Progress:
    """A line that overwrites itself on a terminal; elsewhere nothing."""

    def __init__(self, before: int, total: int) -> None:
        self._before, self._total = before, total
        self._terminal = sys.stderr.isatty()

    def __call__(self, report: "Report") -> None:
        if self._terminal:
            done = self._before + report.letters
            click.echo(f"\r\x1b[K{report.stream}: {done:,} of {self._total:,} dead letters", nl=False, err=True)

    def end(self) -> None:
        if self._terminal:
            click.echo("\r\x1b[K", nl=False, err=True)
