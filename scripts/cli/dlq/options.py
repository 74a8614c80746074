"""What the verbs have in common: filters, and the stack that they ask."""

import datetime
import difflib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dataflow.errors import NorenError
from dataflow.project import Project

if TYPE_CHECKING:
    from dataflow.dead_letters.table import Filter
    from dataflow.ledger import Ledger
    from scripts.stack.endpoints import Endpoints

LEDGER = "dead_letters"
"""The ledger of who opened and replayed dead letters."""

SPAN = re.compile(r"(\d+)([smhd])")
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

home_option = click.option("--home", type=click.Path(path_type=Path), help="Home of the running stack [.noren/local].")

_FILTERS = (
    click.option("--stream", "streams", multiple=True, help="Only of this stream; may be repeated [all]."),
    click.option("--reason", "reasons", multiple=True, help="Only with this reason code; may be repeated [all]."),
    click.option("--field", "fields", multiple=True, help="Only for this field; may be repeated [all]."),
    click.option("--since", help="Received at or after: 2h, 7d, or 2026-01-15T10:30Z."),
    click.option("--until", help="Received before: the same."),
)


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which dead letters are meant."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


def wanted(
    streams: tuple[str, ...],
    reasons: tuple[str, ...],
    fields: tuple[str, ...],
    since: str | None,
    until: str | None,
    replayed: bool | None = None,
) -> "Filter":
    """Raises NorenError for a reason that is in no catalogue and a time that is none."""
    from dataflow.core import Reason
    from dataflow.dead_letters.table import Filter

    for reason in reasons:
        if reason not in set(Reason):
            near = difflib.get_close_matches(reason, list(Reason), 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(Reason)}."
            raise NorenError(f"{reason}: no reason code; {hint}")
    return Filter(streams, reasons, fields, moment("--since", since), moment("--until", until), replayed)


def moment(option: str, text: str | None, now: datetime.datetime | None = None) -> datetime.datetime | None:
    """A time from text: a span before now, or ISO 8601, UTC where it names no zone. Raises NorenError."""
    if text is None:
        return None
    if span := SPAN.fullmatch(text):
        return (now or datetime.datetime.now(datetime.UTC)) - datetime.timedelta(
            seconds=int(span[1]) * SECONDS[span[2]]
        )
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise NorenError(f"{option} {text}: no time; give one like 2h, 7d or 2026-01-15T10:30Z.") from error
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def running(home: Path | None) -> "Endpoints":
    """The stack that is asked. Raises NorenError when none runs."""
    from scripts.stack import endpoints

    return endpoints.load((home or Project.find().state / "local").resolve())


def ledger(stack: "Endpoints") -> "Ledger":
    from dataflow.ledger import Ledger
    from dataflow.objects import LocalObjects

    return Ledger(LocalObjects(stack.home.root / "ledger"), LEDGER)


def write_line(stack: "Endpoints", kind: str, details: dict[str, Any]) -> int:
    """Append a line to the ledger, durably, and copy it to operations.ledger; its number.

    A copy that fails is told, not raised: the line is on record, and the next copy takes it along.
    """
    from dataflow.ledger import user
    from scripts.cli.copying import copy

    book = ledger(stack)
    line = book.append(kind, user(), details)
    copy(book, stack.warehouse_client)
    return line.number
