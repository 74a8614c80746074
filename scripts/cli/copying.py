"""The copy of a ledger in operations.ledger, after a command wrote to the ledger."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from dataflow.errors import NorenError

if TYPE_CHECKING:
    from google.cloud import bigquery

    from dataflow.ledger import Ledger


def copy(ledger: "Ledger", client: "Callable[[], bigquery.Client]") -> None:
    """Copy the lines that operations.ledger lacks.

    A copy that fails is told, not raised: the lines are on record, and the next copy takes them along.
    """
    from google.api_core.exceptions import GoogleAPIError

    from dataflow.ledger import mirror
    from dataflow.ledger.mirror import waiting

    if not waiting(ledger):
        return
    from dataflow.sinks.load import LoadSink

    try:
        mirror(ledger, LoadSink(client()))
    except (NorenError, GoogleAPIError) as error:
        words = str(error) if isinstance(error, NorenError) else type(error).__name__
        click.echo(f"noren: the ledger {ledger.name} is written, its copy is not yet: {words}", err=True)
