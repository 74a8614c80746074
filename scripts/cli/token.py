"""`noren token`: a caller token of the local stack."""

from datetime import timedelta
from pathlib import Path

import click

from dataflow.errors import NorenError
from dataflow.project import Project
from scripts.stack.endpoints import load
from scripts.stack.tokens import LIFETIME, Tokens


def checked_email(email: str) -> str:
    """The address in lower case. Raises NorenError for what is no e-mail address."""
    from iam.files import EMAIL

    if not EMAIL.fullmatch(email):
        raise NorenError(f"{email} is no e-mail address: give one like ana@example.com.")
    return email.lower()


@click.command(epilog="Example: noren token --as ana@example.com")
@click.option("--as", "email", required=True, help="The person or service account that the token names.")
@click.option("--hours", type=click.FloatRange(0, 24 * 7, min_open=True), help="How long it is valid [12].")
@click.option("--home", type=click.Path(path_type=Path), help="Home of the stack [.noren/local].")
def token(email: str, hours: float | None, home: Path | None) -> None:
    """Print a token that the local stack signed: with it, any BigQuery client can ask the gateway as somebody."""
    stack = load((home or Project.find().state / "local").resolve())
    lifetime = LIFETIME if hours is None else timedelta(hours=hours)
    click.echo(Tokens(stack.home.root).issue(checked_email(email), lifetime))
