"""Values by dotted paths in nested events."""

from collections.abc import Mapping
from typing import Any


def put(event: dict[str, Any], path: str, value: Any) -> None:
    """Set a value by its dotted path; where a part of the path is no object, the whole path is the name."""
    *parents, name = path.split(".")
    place = event
    for parent in parents:
        inner = place.setdefault(parent, {})
        if not isinstance(inner, dict):
            event[path] = value
            return
        place = inner
    place[name] = value


def flat(event: Mapping[str, Any], whole: Mapping[str, Any], parent: str = "") -> list[tuple[str, Any]]:
    """(path, value) of every value; what is declared as one value is not taken apart."""
    values: list[tuple[str, Any]] = []
    for name, value in event.items():
        path = f"{parent}{name}"
        if isinstance(value, dict) and path not in whole:
            values += flat(value, whole, f"{path}.")
        else:
            values.append((path, value))
    return values
