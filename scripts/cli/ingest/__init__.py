"""`noren ingest`: sources that end, through the same core as the streams."""

import click

from scripts.cli.verbs import Table, Verbs

VERBS: Table = {
    "files": ("scripts.cli.ingest.files:files", "Import files and directories: JSON lines, CSV, Parquet."),
    "landed": ("scripts.cli.ingest.landed:landed", "Import what a scheduled query landed from a database."),
    "logging": ("scripts.cli.ingest.logging:logging", "Import what a sink of Cloud Logging has published."),
    "raw": ("scripts.cli.ingest.raw:raw", "Anonymize raw events again, under a new policy."),
    "postgres": ("scripts.cli.ingest.postgres:postgres", "Import a table of a PostgreSQL database, and its changes."),
    "reconcile": ("scripts.cli.ingest.reconcile:reconcile", "Delete what an import and the live stream both wrote."),
    "settle": ("scripts.cli.ingest.settle:settle", "Show the current state of changes, forget what was deleted."),
}


@click.group(
    cls=Verbs, verbs=VERBS, epilog="Example: noren ingest files app_event logs/2024 --mapping app_event.eras.yaml"
)
def ingest() -> None:
    """Import into a stream's tables. Every import may be killed, resumed and run twice: nothing is there twice."""
