"""The `noren` command line: a table of verbs."""

import sys

import click

from dataflow.errors import NorenError
from scripts.cli.verbs import Table, Verbs

VERBS: Table = {
    "acl": ("scripts.cli.acl:acl", "Who sees what: check, plan and apply the access files of iam/."),
    "bench": ("scripts.cli.bench:bench", "Measure speed."),
    "build": ("scripts.cli.build:build_command", "Grant, build the dbt models, authorize them, and check."),
    "contract": ("scripts.cli.contract:contract", "Check, compare, draft and render the contracts."),
    "demo": ("scripts.cli.demo:demo", "Run the main job end to end on a stack of its own."),
    "dlq": ("scripts.cli.dlq:dlq", "List, show and replay dead letters."),
    "down": ("scripts.cli.down:down", "Stop the local stack."),
    "ingest": ("scripts.cli.ingest:ingest", "Import files, a database or BigQuery rows."),
    "keys": ("scripts.cli.keys:keys", "List, rotate, re-wrap and export keysets."),
    "lineage": ("scripts.cli.lineage:lineage", "Trace columns to contract fields, and prove what they carry."),
    "ledger": ("scripts.cli.ledger:ledger", "List and verify the ledgers: who did what."),
    "policy": ("scripts.cli.policy:policy", "Check, compare and publish what is done with each field."),
    "publish": ("scripts.cli.publish:publish", "Send events to a topic of the local stack."),
    "query": ("scripts.cli.query:query", "Ask BigQuery as one of the people in iam/groups.json."),
    "run": ("scripts.cli.run:run", "Run the pipeline of a stream."),
    "soak": ("scripts.cli.soak:soak", "Break the running pipeline on purpose, and count."),
    "status": ("scripts.cli.status:status", "Show what of the local stack is running, and where."),
    "token": ("scripts.cli.token:token", "Print a caller token of the local stack."),
    "up": ("scripts.cli.up:up", "Start the local stack."),
    "verify": ("scripts.cli.verify:verify", "Hold the access engine against a real BigQuery."),
}


@click.group(
    cls=Verbs, verbs=VERBS, context_settings={"help_option_names": ["-h", "--help"]}, epilog="Example: noren up"
)
@click.version_option(package_name="noren")
def noren() -> None:
    """The curtain between raw personal data and the people who analyse it."""


def main() -> None:
    """Entry point of the `noren` command. A NorenError becomes one sentence on stderr and exit code 1."""
    try:
        noren(prog_name="noren")
    except NorenError as error:
        click.echo(f"noren: {error}", err=True)
        sys.exit(1)
