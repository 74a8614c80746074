"""`noren query`: ask the local BigQuery as one of the people in iam/groups.json."""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from dataflow.errors import NorenError
from dataflow.project import Project
from scripts.cli.token import checked_email
from scripts.stack.endpoints import load

WIDE = 1_000_000
"""Columns of a terminal that is none."""

PATIENCE_SECONDS = 10
"""How long a request is repeated when the gateway or the warehouse does not answer; the client's default is minutes."""


def ask(home: Path, email: str, sql: str) -> tuple[list[str], list[list[Any]]]:
    """(column names, rows) of a query asked through the gateway of the stack in `home`.

    Raises NorenError, one sentence, when the stack does not run or the query is refused or fails.
    """
    stack = load(home)
    from google.api_core.exceptions import Forbidden, GoogleAPICallError, GoogleAPIError
    from google.cloud.bigquery.retry import DEFAULT_JOB_RETRY, DEFAULT_RETRY

    from scripts.stack.callers import caller_client

    try:
        found = caller_client(stack, email).query_and_wait(
            sql,
            retry=DEFAULT_RETRY.with_timeout(PATIENCE_SECONDS),
            job_retry=DEFAULT_JOB_RETRY.with_timeout(PATIENCE_SECONDS),
        )
        return [field.name for field in found.schema], [list(row.values()) for row in found]
    except Forbidden as error:
        raise NorenError(f"{email}: {message(error)}") from None
    except GoogleAPICallError as error:
        raise NorenError(f"the query failed: {message(error)}") from None
    except GoogleAPIError:  # the client's retries are used up
        raise NorenError(f"the gateway at {stack.gateway} does not answer: `noren status` says what runs.") from None


def message(error: Any) -> str:
    """The sentence of an API error, without the request that the client puts around it."""
    sent: list[dict[str, Any]] = error.errors or [{}]
    return str(sent[0].get("message") or error.message)


@click.command(epilog='Example: noren query --as ana@example.com "SELECT count(*) FROM warehouse__app.events"')
@click.option("--as", "email", required=True, help="Who asks, e.g. ana@example.com.")
@click.option("--home", type=click.Path(path_type=Path), help="Home of the stack [.noren/local].")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as a JSON list of objects.")
@click.argument("sql")
def query(email: str, home: Path | None, as_json: bool, sql: str) -> None:
    """Run SQL on the local BigQuery, as the person or service account given, and print the rows."""
    columns, rows = ask((home or Project.find().state / "local").resolve(), checked_email(email), sql)
    if as_json:
        click.echo(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], indent=2, default=plain))
        return
    from rich.console import Console

    console = Console()
    if not console.is_terminal:  # as wide as the rows are: nothing in a pipe is cut or wrapped
        console = Console(width=WIDE)
    console.print(drawn(columns, rows))
    console.print(f"{len(rows)} row{'' if len(rows) == 1 else 's'}", highlight=False)


def drawn(columns: list[str], rows: Iterable[list[Any]]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table(*(escape(column) for column in columns), box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(escape(text(value)) for value in row))
    return table


def text(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, default=plain, ensure_ascii=False)
    return "" if value is None else str(plain(value)) if isinstance(value, bytes) else str(value)


def plain(value: Any) -> Any:
    """What JSON has no type for: bytes in Base64, as BigQuery prints them; everything else as its text."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
