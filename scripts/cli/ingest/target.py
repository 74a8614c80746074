"""Where an import goes: the tables of one stream on the stack of a home, under the rules that run there."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dataflow import names
from dataflow.project import Project

if TYPE_CHECKING:
    from google.cloud import bigquery

    from dataflow.contract import Contract
    from dataflow.core import Anonymizer
    from dataflow.ingest.driver import Ingest
    from dataflow.keys import KeyRing
    from dataflow.policy import Policy

OPTIONS = (
    click.option("--home", type=click.Path(path_type=Path), help="Home of the running stack [.noren/local]."),
    click.option("--country-file", type=click.Path(path_type=Path), help="MaxMind-format file, as for noren run."),
    click.option("--json", "as_json", is_flag=True, help="Progress as JSON lines; the last one is the result."),
    click.option("--dry-run", is_flag=True, help="Say what would be read, mapped and refused; write nothing."),
)

METRICS_PORT = click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    help="Serve /metrics, /healthz and /readyz on 127.0.0.1; 0 takes any free port and prints it [off].",
)
ARCHIVE = click.option("--archive", help="Where rows are archived, as for noren run [HOME/archive].")


def importing(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of what imports rows: those of every import, `archive` and `metrics_port`."""
    return options(ARCHIVE(METRICS_PORT(command)))


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every import has."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class Target:
    """One stream's tables and what writes them.

    anonymizer: under the bundle that runs, or the project's files where none is published.
    """

    home: Path
    anonymizer: "Anonymizer"
    keys: "KeyRing"
    client: "bigquery.Client"
    country: Any

    @property
    def contract(self) -> "Contract":
        return self.anonymizer.contract

    def reading(self, contract: "Contract") -> "Anonymizer":
        """The anonymizer for events as a source has them (`reader_of`)."""
        from dataflow.core import Anonymizer

        return Anonymizer(contract, self.anonymizer.policy, self.keys, self.country)

    def under(self, policy: "Policy") -> "Anonymizer":
        """The anonymizer of the same contract under another policy."""
        from dataflow.core import Anonymizer

        return Anonymizer(self.contract, policy, self.keys, self.country)

    @contextmanager
    def ingest(
        self, anonymizer: "Anonymizer", source: str, archive: str | None = None, metrics_port: int | None = None
    ) -> "Iterator[Ingest]":
        """The import of one source, locked, and watched as asked for.

        Changes of a database are not archived: the values of what is deleted there have to go, and archives stay.
        """
        from dataflow.contract import Format
        from dataflow.ingest.driver import Ingest
        from dataflow.ingest.known import KnownInTables
        from dataflow.objects.places import open_objects
        from dataflow.outputs.archive import Archive
        from dataflow.schemas import tables
        from dataflow.sinks.load import LoadSink
        from scripts.cli.observe import Observer

        stream, changes = self.contract.stream, self.contract.format is Format.DEBEZIUM
        written = tables(anonymizer.contract, anonymizer.policy)
        observer = Observer(stream, metrics_port, None)
        try:
            importer = Ingest(
                anonymizer,
                LoadSink(self.client),
                self.keys,
                KnownInTables(self.client, written["anonymized"], written["dead"], stream),
                self.home / "journal",
                f"{names.topic(stream)}-{source}",
                names.subscription(stream),
                outputs=[] if changes else [Archive(open_objects(archive or str(self.home / "archive")), stream)],
                telemetry=observer.telemetry,
            )
            observer.watch_import(importer.check_live)
            try:
                yield importer
            finally:
                importer.close()
        finally:
            observer.close()


def target(stream: str, home: Path | None, country_file: Path | None) -> Target:
    """Raises NorenError for an unknown stream, a wrong contract or policy, or when no stack runs in `home`."""
    from dataflow.bundle import BundleStore, Watcher
    from dataflow.bundle.start import Starter, production
    from dataflow.countries import Countries
    from dataflow.keys import KeyRing
    from dataflow.keys.signing import Verifier, development_key
    from dataflow.objects.places import open_objects
    from dataflow.sinks.load import LoadSink
    from scripts.stack import endpoints

    os.umask(0o077)  # the journal is for its owner only
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", stream=sys.stderr)
    project = Project.find()
    place = (home or project.state / "local").resolve()
    stack = endpoints.load(place)
    keys = KeyRing.open(place / "keys")
    client = stack.warehouse_client()
    country = Countries(country_file) if country_file else None
    verifier = Verifier.load(development_key(place / "keys"))
    starter = Starter(project, stream, keys, country, LoadSink(client).ensure)
    bundles = str(place / "bundles")
    watcher = Watcher(BundleStore(open_objects(bundles)), verifier, starter.prepare)
    anonymizer, said = starter.start(watcher, bundles, verifier, production())
    click.echo(said, err=True)
    return Target(place, anonymizer, keys, client, country)
