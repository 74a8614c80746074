"""`noren contract`: what each field of a stream is; checked, compared, drafted and rendered.

A table of verbs like that of `noren` itself: each is a module of its own and imported when it is called.
"""

import importlib

import click

VERBS = {
    "check": ("scripts.cli.contract.check:check", "Check every contract; everything that is wrong at once."),
    "diff": ("scripts.cli.contract.diff:diff", "Say what changed since BASE, and who can read whom."),
    "new": ("scripts.cli.contract.new:new", "Draft a contract from a sample of events."),
    "propose": ("scripts.cli.contract.propose:propose", "Add the undeclared fields that a running stream counted."),
    "render": ("scripts.cli.contract.render:render", "Write what is made from the contracts."),
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


@click.group(cls=Verbs, epilog="Example: noren contract check")
def contract() -> None:
    """What each field of a stream is: the files of dataflow/contracts/."""
