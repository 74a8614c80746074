"""A mapping: which era a row is of, and the event that it becomes."""

import datetime
import fnmatch
from collections.abc import Mapping as Row
from dataclasses import dataclass
from enum import Enum
from typing import Any

from dataflow.core.rejects import WHOLE, Reason, RefusedError
from dataflow.sources.eras.convert import Era, found
from dataflow.sources.paths import put


class Mapped(Enum):
    """What may become of a row instead of an event."""

    OUTSIDE = "outside"
    """Its time lies behind the cut-over of every era that it fits: it is somebody else's, e.g. the live stream's."""


@dataclass(frozen=True)
class Mapping:
    """The eras of one log. event_time: path of the contract's event time. digest: changes with the file's text."""

    stream: str
    eras: tuple[Era, ...]
    event_time: str
    digest: str

    def map(self, file: str, row: Row[str, Any]) -> dict[str, Any] | Mapped:
        """The event of one row. Raises RefusedError when no era fits or a value cannot be converted."""
        fits = False
        refusal: RefusedError | None = None
        for era in self.eras:
            if not _fits(era, file, row):
                continue
            try:
                event = _event(era, row)
                moment = _micros(found(event, self.event_time))
            except RefusedError as error:
                refusal = refusal or error
                continue
            if moment is None or ((era.start is None or moment >= era.start) and (era.end is None or moment < era.end)):
                return event  # a time that is none is for the core to refuse
            fits = True
        if refusal is not None:
            raise refusal
        if fits:
            return Mapped.OUTSIDE
        raise RefusedError(Reason.NOT_ALLOWED, "fits none of the mapping's eras", WHOLE)


def _fits(era: Era, file: str, row: Row[str, Any]) -> bool:
    if era.files and not any(fnmatch.fnmatch(file, pattern) for pattern in era.files):
        return False
    return all(found(row, path) is not None for path in era.has)


def _event(era: Era, row: Row[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = {}
    if era.copy:
        for path, value in _rest(row, era.read, ""):
            put(event, path, value)
    for rule in era.rules:
        value = rule.value(row)
        if value is not None:
            put(event, rule.target, value)
    return event


def _rest(row: Row[str, Any], read: frozenset[str], parent: str) -> list[tuple[str, Any]]:
    """(path, value) of what no rule reads."""
    rest: list[tuple[str, Any]] = []
    for name, value in row.items():
        path = f"{parent}{name}"
        if path in read:
            continue
        if isinstance(value, dict) and any(other.startswith(f"{path}.") for other in read):
            rest += _rest(value, read, f"{path}.")
        elif value is not None and value != "":
            rest.append((path, value))
    return rest


def _micros(value: Any) -> int | None:
    """Microseconds of a moment as text; None when it is none, or names no zone."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.datetime.fromisoformat(value)
    except ValueError:
        return None
    return None if moment.tzinfo is None else round(moment.timestamp() * 1_000_000)
