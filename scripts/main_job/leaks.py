"""Looks for raw values behind the curtain: every value of every table of the open layers against what was published."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.cloud import bigquery

    from dataflow.contract import Contract

OPEN_LAYERS = ("anonymized__", "warehouse__", "marts__", "released__")

PERSONAL = ("identifier", "location", "network", "sensitive", "free_text")
"""Classifications whose raw values may stand nowhere behind the curtain."""

SHORTEST = 5
"""Text shorter than this is not looked for: `a` is everywhere."""

DECIMALS = 3
"""A number with no more decimals than this names nobody: 35.7 is a grid line, an accuracy in metres, and much else."""


@dataclass(frozen=True)
class Leak:
    """Where a raw value was found; the value itself is not repeated."""

    table: str
    column: str
    field: str


@dataclass(frozen=True)
class Scan:
    """values: how many were looked at. sought: raw values that were looked for. tables: where."""

    values: int
    sought: int
    tables: list[str]
    leaks: list[Leak]


def personal_values(contract: "Contract", payloads: Iterable[bytes]) -> dict[str | float, str]:
    """Every raw value of a personal field -> the field's path, from the events as they were published."""
    paths = [leaf.path for leaf in contract.leaves() if leaf.classification in PERSONAL]
    found: dict[str | float, str] = {}
    for payload in payloads:
        try:
            event = json.loads(payload)
        except ValueError:  # malformed events are published on purpose
            continue
        for path in paths:
            value = event
            for name in path.split("."):
                value = value.get(name) if isinstance(value, dict) else None
            if isinstance(value, str | int | float) and not isinstance(value, bool):
                found[value] = path
    return found


def scan(client: "bigquery.Client", personal: dict[str | float, str]) -> Scan:
    """Look at every value of every table and view of the open layers.

    A number leaks when it equals a raw number of more than DECIMALS decimals, a text when it equals a raw text of at
    least SHORTEST letters or contains one between word ends.
    """
    texts = {value: path for value, path in personal.items() if isinstance(value, str) and len(value) >= SHORTEST}
    numbers = {
        value: path for value, path in personal.items() if isinstance(value, float) and value != round(value, DECIMALS)
    }
    leaks: set[Leak] = set()
    names: list[str] = []
    count = 0
    for table in sorted(_open_tables(client)):
        names.append(table)
        for row in client.query_and_wait(f"SELECT * FROM {table}"):  # noqa: S608
            for column, value in _flat("", dict(row)):
                count += 1
                field = numbers.get(value) if isinstance(value, float) else _inside(value, texts)
                if field is not None:
                    leaks.add(Leak(table, column, field))
    return Scan(
        count, len(texts) + len(numbers), names, sorted(leaks, key=lambda leak: (leak.table, leak.column, leak.field))
    )


def _inside(value: Any, texts: dict[str, str]) -> str | None:
    if not isinstance(value, str):
        return None
    if value in texts:
        return texts[value]
    words = "".join(letter if letter.isalnum() or letter in "-_" else " " for letter in value).split()
    return next((texts[word] for word in words if word in texts), None)


def _open_tables(client: "bigquery.Client") -> Iterator[str]:
    for dataset in client.list_datasets():
        if dataset.dataset_id.startswith(OPEN_LAYERS):
            for table in client.list_tables(dataset.dataset_id):
                yield f"{table.dataset_id}.{table.table_id}"


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _flat(f"{name}.{key}" if name else key, child)
    elif isinstance(value, list):
        for child in value:
            yield from _flat(name, child)
    else:
        yield name, value
