"""A click group over a table of verbs: each is a module of its own that is imported when it is called.

`noren --help` has to answer in under 0.3 s, so the one-line help stands in the table and nothing heavy is imported.
"""

import importlib
from collections.abc import Mapping
from typing import Any

import click

type Table = Mapping[str, tuple[str, str]]
"""verb -> (module:command, one line of help)"""


class Verbs(click.Group):
    """Use as `@click.group(cls=Verbs, verbs=TABLE)`."""

    def __init__(self, *args: Any, verbs: Table, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's interface)
        return sorted(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self.verbs:
            return None
        module, _, name = self.verbs[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(verb, self.verbs[verb][1]) for verb in sorted(self.verbs)])
