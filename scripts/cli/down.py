"""`noren down`: stop the local stack."""

from pathlib import Path

import click

from dataflow.project import Project
from scripts.stack import background


@click.command(epilog="Example: noren down --home .noren/demo")
@click.option("--home", type=click.Path(path_type=Path), help="Directory of data, logs and state [.noren/local].")
def down(home: Path | None) -> None:
    """Stop the local stack, whether it runs in the background or in another terminal. Its data is kept."""
    home = (home or Project.find().state / "local").resolve()
    stopped = background.stop(home)
    click.echo(f"The stack of {home} is stopped." if stopped else f"No stack runs in {home}.")
