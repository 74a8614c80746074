"""`noren dlq`: the dead letters of the running stack, and what becomes of them.

A table of verbs like that of `noren` itself: each is a module of its own and imported when it is called.
"""

import importlib

import click

VERBS = {
    "expire": ("scripts.cli.dlq.expire:expire_command", "Delete what is older than 14 days."),
    "list": ("scripts.cli.dlq.list:list_command", "Count dead letters by reason, and list the newest."),
    "replay": ("scripts.cli.dlq.replay:replay_command", "Publish again what would be accepted now."),
    "show": ("scripts.cli.dlq.show:show", "Show one dead letter; decrypted only when asked to."),
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


@click.group(cls=Verbs, epilog="Example: noren dlq list --since 2h")
def dlq() -> None:
    """Dead letters: events that could not be accepted, and why."""
