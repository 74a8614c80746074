"""`noren run`: the pipeline of one stream, in this process."""

import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataflow import names
from dataflow.errors import NorenError
from dataflow.project import Project
from scripts.cli.observe import Observer, reachable
from scripts.cli.site import site

if TYPE_CHECKING:
    from dataflow.pull.driver import Progress, PullPipeline
    from dataflow.sinks.open import Name as SinkName
    from scripts.cli.site import Site


@click.command(epilog="Example: noren run app_event")
@click.argument("stream")
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    help="Home of the running stack [.noren/local]; with --cloud, of journal and keys [.noren/cloud].",
)
@click.option(
    "--cloud", is_flag=True, help="Pub/Sub and BigQuery of NOREN_PROJECT, with application default credentials."
)
@click.option("--new-keys", is_flag=True, help="With --cloud: make a key ring in HOME/keys if there is none.")
@click.option("--bundles", help="Where policies are published: a directory, gs://... or bigquery://... [HOME/bundles].")
@click.option(
    "--trust",
    type=click.Path(path_type=Path),
    help="Public key of those who publish [that of HOME; none with --cloud].",
)
@click.option(
    "--schemas",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Schemas of a registry, <id>.avsc or <id>.proto, for messages in Confluent's framing.",
)
@click.option("--archive", help="Where anonymized rows are archived: a directory or gs://... [HOME/archive].")
@click.option("--country-file", type=click.Path(path_type=Path), help="MaxMind-format file for the country of an IP.")
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    help="Serve /metrics, /healthz and /readyz on 127.0.0.1; 0 takes any free port and prints it [off].",
)
@click.option(
    "--trace-file", type=click.Path(path_type=Path, dir_okay=False), help="Append a trace of each batch: JSON lines."
)
@click.option(
    "--sink",
    type=click.Choice(["load", "storage-write"]),
    help="How rows are written: Parquet load jobs [on the local stack] or the Storage Write API [in the cloud].",
)
@click.option("--json", "as_json", is_flag=True, help="Progress as a JSON line instead of a status line.")
def run(
    stream: str,
    home: Path | None,
    cloud: bool,
    new_keys: bool,
    bundles: str | None,
    trust: Path | None,
    schemas: Path | None,
    archive: str | None,
    country_file: Path | None,
    metrics_port: int | None,
    trace_file: Path | None,
    sink: "SinkName | None",
    as_json: bool,
) -> None:
    """Run the pipeline of STREAM: Pub/Sub to raw and anonymized, until Ctrl-C.

    Anonymized rows also go to the topic STREAM-anonymized at once, and to the archive (Parquet by date and hour) within
    a minute.

    A policy that is published meanwhile (noren policy publish) is taken within seconds, between two batches.

    It may be killed at any moment and started again, also with the other sink: nothing is lost and nothing is written
    twice. A broker or warehouse that is away is waited for.

    With --cloud topics, subscriptions and datasets are those that Terraform made, NOREN_KMS_KEY names the key that
    wraps the keys, --trust who publishes policies, and HOME has to be on a disk that outlives the process.
    """
    os.umask(0o077)  # the journal is for its owner only
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # scaled by process; read when polars is imported
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", stream=sys.stderr)
    project = Project.find()
    where = site(project, home, in_cloud=cloud)
    observer = Observer(stream, metrics_port, trace_file)
    try:
        pipeline = build(
            project, stream, where, country_file, bundles, trust, schemas, observer, sink, archive, new_keys=new_keys
        )
        stop = threading.Event()
        _stop_on_signals(stop)
        if not cloud:
            _expire_dead_letters(where, stop)
        try:
            final = pipeline.run(stop, _report_json if as_json else _report_line())
        finally:
            pipeline.close()
    finally:
        observer.close()
    if not as_json:
        why = "; noren dlq list says why" if final.dead else ""
        click.echo(f"\r{line(final)}, stopped{why}", err=True)


def _stop_on_signals(stop: threading.Event) -> None:
    """Ctrl-C commits what is staged, which waits for a warehouse that is away; a second one ends at once. Nothing is
    lost by that: what is staged is committed at the next start."""

    def handle(number: int, _: object) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)


def _expire_dead_letters(where: "Site", stop: threading.Event) -> None:
    """Beside the pipeline: the emulator has no partition expiry."""
    from dataflow.dead_letters.expire import keep_expiring

    arguments = (where.client(), stop)
    threading.Thread(target=keep_expiring, args=arguments, name="expire", daemon=True).start()


def build(
    project: Project,
    stream: str,
    where: "Site",
    country_file: Path | None = None,
    bundles: str | None = None,
    trust: Path | None = None,
    schemas: Path | None = None,
    observer: Observer | None = None,
    sink_name: "SinkName | None" = None,
    archive: str | None = None,
    *,
    new_keys: bool = False,
) -> "PullPipeline":
    """The pull pipeline of one stream, on the local stack or in Google Cloud.

    bundles, trust: where policies are published and the public key of those who do, by default the home's own. Where
    none is published, the project's files are what runs, but for production.
    schemas: directory with a registry's schemas, for messages in Confluent's framing.
    observer: watches it.
    sink_name: None for the default.
    archive: where anonymized rows are archived, by default in the home.
    new_keys: make a key ring where there is none.
    Waits for a broker or warehouse that is away.
    Raises NorenError for an unknown stream, or a wrong contract or policy.
    """
    from dataflow.bundle import BundleStore, Watcher
    from dataflow.bundle.start import Starter, production
    from dataflow.contract import Format
    from dataflow.core import Anonymizer
    from dataflow.countries import Countries
    from dataflow.dead_letters import PURPOSE
    from dataflow.dead_letters.counted import Counted
    from dataflow.journal import Journal
    from dataflow.keys.signing import Verifier, development_key
    from dataflow.objects import LocalObjects
    from dataflow.objects.places import open_objects
    from dataflow.outputs.archive import Archive
    from dataflow.outputs.topic import AnonymizedTopic
    from dataflow.pull.drain import Drain
    from dataflow.pull.driver import PullPipeline
    from dataflow.pull.operate import operators
    from dataflow.schemas import raw_table
    from dataflow.sources.pubsub import PubSubSubscription
    from dataflow.sources.schemas import PubSubSchemas, WriterSchemas

    home, pubsub = where.home, where.pubsub
    keys = where.keys(new=new_keys)
    subscription = names.subscription(stream)
    sink = where.sink(sink_name, subscription)
    if where.stack is None and trust is None:
        raise NorenError("--cloud: whose policies run? Name the public key of those who publish with --trust.")
    verifier = Verifier.load(trust or development_key(home / "keys"))
    place = bundles or str(home / "bundles")
    countries = Countries(country_file) if country_file else None
    found = WriterSchemas(PubSubSchemas(pubsub), schemas)
    starter = Starter(project, stream, keys, countries, sink.ensure, found)
    watcher = Watcher(BundleStore(open_objects(place)), verifier, starter.prepare)
    anonymizer, said = starter.start(watcher, place, verifier, production())
    for operator in operators(anonymizer.contract, anonymizer.policy):
        for table in operator.tables.values():
            sink.ensure(table)
    click.echo(said, err=True)

    def waiting(sentence: str) -> None:
        click.echo(sentence, err=True)
        if observer is not None:
            observer.health.ready["pulling"] = lambda: "the source does not answer"

    store = where.prepare(anonymizer.contract, waiting)
    source = PubSubSubscription(where.project, subscription, pubsub, store=store)
    given_up = names.dead_letter_topic(stream)
    counted = Counted(
        where.client(),
        Anonymizer(anonymizer.contract, anonymizer.policy, keys, countries, found),
        keys.sealer(PURPOSE),
        LocalObjects(home / "journal" / given_up),
        lambda: Journal(LocalObjects(home / "journal"), keys.sealer("journal"), subscription).indexes(),
    )
    drain = Drain(PubSubSubscription(where.project, given_up, pubsub, store=store), counted)
    topic = f"projects/{where.project}/topics/{names.anonymized_topic(stream)}"
    # not of changes: the values of what is deleted at the source have to go, and what an archive has stays
    archived = anonymizer.contract.format is not Format.DEBEZIUM
    archives = [Archive(open_objects(archive or str(home / "archive")), stream)] if archived else []
    pipeline = PullPipeline(
        anonymizer,
        source,
        sink,
        keys,
        home / "journal",
        subscription,
        watcher,
        observer.telemetry if observer else None,
        drain,
        outputs=[AnonymizedTopic(topic, pubsub), *archives],
    )
    if observer is not None:
        client = where.client()
        observer.watch(
            pipeline,
            sink=reachable(client, f"{client.project}.{raw_table(anonymizer.contract).id}"),
            keys=lambda: None if keys.listing() else "there is no key set",
            backlog=where.backlog(source.path),
        )
    return pipeline


def line(progress: "Progress") -> str:
    """One line of progress, e.g. `app_event: 12,345 in, 12,000 raw, 200 dead, 145 duplicates, 8,000/s`."""
    rate = progress.accounted / progress.seconds if progress.seconds else 0
    return (
        f"{progress.stream}: {progress.accounted:,} in, {progress.raw:,} raw, {progress.dead:,} dead, "
        f"{progress.duplicates:,} duplicates, {rate:,.0f}/s"
    )


def _report_line() -> "Reporter":
    return Reporter(sys.stderr.isatty())


class Reporter:
    """A status line that overwrites itself on a terminal; elsewhere a line every ten seconds, when something
    changed."""

    def __init__(self, terminal: bool) -> None:
        self._terminal = terminal
        self._shown = -1
        self._next = 0.0

    def __call__(self, progress: "Progress") -> None:
        if self._terminal:
            click.echo(f"\r\x1b[K{line(progress)}", nl=False, err=True)
        elif progress.accounted != self._shown and progress.seconds >= self._next:
            self._shown, self._next = progress.accounted, progress.seconds + 10
            click.echo(line(progress), err=True)


def _report_json(progress: "Progress") -> None:
    click.echo(json.dumps(progress.to_dict()))
