"""`noren dlq expire`: the retention of dead letters where no partition expires by itself."""

from pathlib import Path

import click

from scripts.cli.dlq.options import home_option, running


@click.command("expire", epilog="Example: noren dlq expire")
@home_option
def expire_command(home: Path | None) -> None:
    """Delete dead letters of the local stack that were received more than 14 days ago; in BigQuery partitions expire.

    A running pipeline does it by itself, every hour.
    """
    from dataflow.dead_letters.expire import expire

    click.echo(f"{expire(running(home).warehouse_client()):,} dead letters deleted")
