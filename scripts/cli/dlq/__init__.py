"""`noren dlq`: the dead letters of the running stack, and what becomes of them."""

import click

from scripts.cli.verbs import Table, Verbs

VERBS: Table = {
    "expire": ("scripts.cli.dlq.expire:expire_command", "Delete what is older than 14 days."),
    "list": ("scripts.cli.dlq.list:list_command", "Count dead letters by reason, and list the newest."),
    "replay": ("scripts.cli.dlq.replay:replay_command", "Publish again what would be accepted now."),
    "show": ("scripts.cli.dlq.show:show", "Show one dead letter; decrypted only when asked to."),
}


@click.group(cls=Verbs, verbs=VERBS, epilog="Example: noren dlq list --since 2h")
def dlq() -> None:
    """Dead letters: events that could not be accepted, and why."""
