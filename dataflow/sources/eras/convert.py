"""One rule: a value of an old row -> the value of today's field. A mapping chooses conversions and runs no code."""

import datetime
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from dataflow.core.rejects import Reason, RefusedError

NAMESPACE = uuid.UUID("6f0d9f6e-6d0b-5c1e-9b52-0d6b5a4c7e11")
"""Of the UUIDs that are made of old values (RFC 9562, version 5); never changed, or imports would not meet again."""

_EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
_UNIX = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_BOOLEANS = {"true": True, "1": True, "yes": True, "t": True, "false": False, "0": False, "no": False, "f": False}


@dataclass(frozen=True)
class Rule:
    """Where the value of `target` comes from and what is done with it, in the order of the fields here.

    See mapping.schema.json for the meaning of each.
    """

    target: str
    paths: tuple[str, ...] = ()
    join: tuple[str, ...] = ()
    separator: str = ""
    uuid_of: tuple[str, ...] = ()
    constant: Any = None
    default: Any = None
    strip: bool = False
    lower: bool = False
    map: Mapping[str, Any] | None = None
    otherwise: str = "refuse"
    multiply: float | None = None
    add: float | None = None
    time: str = ""
    zone: ZoneInfo | None = None
    type: str = ""

    @property
    def reads(self) -> tuple[str, ...]:
        """Paths of the old row that it reads."""
        return self.paths + self.join + self.uuid_of

    def value(self, row: Mapping[str, Any]) -> Any:
        """The new value; None where there is none. Raises RefusedError, which names the target and no value."""
        if self.constant is not None:
            return self.constant
        if self.uuid_of or self.join:
            parts = [found(row, path) for path in self.uuid_of or self.join]
            if any(part is None for part in parts):
                return self.default
            texts = [_text(part) for part in parts]
            if self.join:
                return self.separator.join(texts)
            return str(uuid.uuid5(NAMESPACE, "\x1f".join(texts)))
        value = next((value for path in self.paths if (value := found(row, path)) is not None), None)
        return self.default if value is None else self._converted(value)

    def _converted(self, value: Any) -> Any:
        if isinstance(value, str):
            value = value.strip() if self.strip else value
            value = value.lower() if self.lower else value
        if self.map is not None:
            key = _text(value)
            if key in self.map:
                value = self.map[key]
            elif self.otherwise == "refuse":
                raise RefusedError(Reason.NOT_ALLOWED, "is none of the values that the mapping names", self.target)
            elif self.otherwise == "drop":
                value = None
            if value is None:
                return self.default
        if self.multiply is not None or self.add is not None:
            value = self._number(value) * (1 if self.multiply is None else self.multiply) + (self.add or 0)
        if self.time:
            return self._moment(value)
        return self._typed(value) if self.type else value

    def _moment(self, value: Any) -> str:
        try:
            if self.time in _EPOCHS:
                moment = _UNIX + datetime.timedelta(microseconds=round(self._number(value) * _EPOCHS[self.time]))
            elif isinstance(value, datetime.datetime):
                moment = value
            elif self.time == "iso":
                moment = datetime.datetime.fromisoformat(_text(value))
            else:
                moment = datetime.datetime.strptime(_text(value), self.time)
            if moment.tzinfo is None:
                if self.zone is None:
                    raise RefusedError(
                        Reason.INVALID_TIMESTAMP, "says no time zone and the mapping names none", self.target
                    )
                moment = moment.replace(tzinfo=self.zone)
            return moment.astimezone(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        except (ValueError, OverflowError) as error:
            raise RefusedError(Reason.INVALID_TIMESTAMP, f"is no time of the form {self.time}", self.target) from error

    def _number(self, value: Any) -> int | float:
        if isinstance(value, bool):
            raise RefusedError(Reason.WRONG_TYPE, "must be a number, is boolean", self.target)
        if isinstance(value, int | float):
            return value
        text = _text(value)
        try:
            number = int(text) if text.lstrip("+-").isdecimal() else float(text)
        except ValueError as error:
            raise RefusedError(Reason.WRONG_TYPE, "must be a number", self.target) from error
        if number != number or number in (float("inf"), float("-inf")):
            raise RefusedError(Reason.WRONG_TYPE, "must be a finite number", self.target)
        return number

    def _typed(self, value: Any) -> Any:
        match self.type:
            case "string":
                return _text(value)
            case "integer":
                number = self._number(value)
                if number != int(number):
                    raise RefusedError(Reason.WRONG_TYPE, "must be a whole number", self.target)
                return int(number)
            case "number":
                return float(self._number(value))
        boolean = value if isinstance(value, bool) else _BOOLEANS.get(_text(value).lower())
        if boolean is None:
            raise RefusedError(Reason.WRONG_TYPE, "must be boolean", self.target)
        return boolean


@dataclass(frozen=True)
class Era:
    """One schema of the old log. start, end: microseconds of the event's own time, None where open."""

    name: str
    rules: tuple[Rule, ...]
    files: tuple[str, ...] = ()
    has: tuple[str, ...] = ()
    start: int | None = None
    end: int | None = None
    copy: bool = True
    read: frozenset[str] = field(default_factory=frozenset)


def found(row: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, or under the whole path as a name (a CSV column); empty text is none."""
    value: Any = row.get(path)
    if value is None and "." in path:
        value = row
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
    return None if value == "" else value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)
