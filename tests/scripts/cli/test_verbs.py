"""Every verb of the command line, and that its help imports none of them."""

import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from scripts.cli import noren
from scripts.cli.verbs import Verbs

HELP_MAY_IMPORT = {"scripts", "scripts.cli", "scripts.cli.verbs"}


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command below the group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("words", commands(noren), ids=" ".join)
def test_every_verb_has_help_with_an_example_of_itself(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(noren, [*words, "--help"])
    assert (done.exit_code, re.search(rf"Example: .*noren {' '.join(words)}", done.stdout) is not None) == (0, True)


def test_the_help_of_all_verbs_imports_none() -> None:
    program = (
        "import sys; from scripts.cli import noren; "
        "noren.main(['--help'], standalone_mode=False); print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    imported = set(done.stderr.split())
    assert {name for name in imported if name.split(".")[0] == "scripts"} == HELP_MAY_IMPORT
    assert imported & {"polars", "pyarrow", "numpy", "numba", "google.auth", "grpc", "msgspec", "yaml"} == set()
    assert "bench     Measure speed." in done.stdout


def test_an_unknown_verb_is_said() -> None:
    done = CliRunner().invoke(noren, ["acl", "aply"])
    assert (done.exit_code, "No such command 'aply'" in done.stderr) == (2, True)


def test_a_verb_is_imported_when_it_is_called() -> None:
    group = Verbs("some", verbs={"split": ("shlex:split", "Not imported."), "gone": ("no.such.module:f", "Nor this.")})
    context = click.Context(group)
    assert group.list_commands(context) == ["gone", "split"]
    assert "Nor this." in group.get_help(context)
    with pytest.raises(ModuleNotFoundError, match="no"):
        group.get_command(context, "gone")
