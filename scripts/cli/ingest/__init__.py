"""`noren ingest`: sources that end, through the same core as the streams.

A table of verbs like that of `noren` itself: each is a module of its own and imported when it is called.
"""

import importlib

import click

VERBS = {
    "files": ("scripts.cli.ingest.files:files", "Import files and directories: JSON lines, CSV, Parquet."),
    "landed": ("scripts.cli.ingest.landed:landed", "Import what a scheduled query landed from a database."),
    "logging": ("scripts.cli.ingest.logging:logging", "Import what a sink of Cloud Logging has published."),
    "raw": ("scripts.cli.ingest.raw:raw", "Anonymize raw events again, under a new policy."),
    "postgres": ("scripts.cli.ingest.postgres:postgres", "Import a table of a PostgreSQL database, and its changes."),
    "settle": ("scripts.cli.ingest.settle:settle", "Show the current state of changes, forget what was deleted."),
}
"""verb -> (module:command, one line of help)"""


class Verbs(click.Group):
    """A click group that imports a verb's module only when the verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's interface)
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(verb, VERBS[verb][1]) for verb in sorted(VERBS)])


@click.group(cls=Verbs, epilog="Example: noren ingest files app_event logs/2024 --mapping app_event.eras.yaml")
def ingest() -> None:
    """Import into a stream's tables. Every import may be killed, resumed and run twice: nothing is there twice."""
