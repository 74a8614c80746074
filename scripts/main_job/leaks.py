"""Looks for raw values behind the curtain: every value of every table of the open layers against what was published."""

import decimal
import json
import re
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
"""A text or whole number shorter than this is not looked for: `a` is everywhere."""

DECIMALS = 3
"""A number with no more decimals than this names nobody: 35.7 is a grid line, an accuracy in metres, and much else."""

_WORD = re.compile(r"[\w-]+")


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

    A value leaks when a column has it, or when a text holds all its words one after another, in whatever case and
    with whatever between them. Looked for are texts and whole numbers of at least SHORTEST characters, and numbers of
    more than DECIMALS decimals, also written out.
    """
    sought = Sought(personal)
    leaks: set[Leak] = set()
    names: list[str] = []
    count = 0
    for table in sorted(_open_tables(client)):
        names.append(table)
        for row in client.query_and_wait(f"SELECT * FROM {table}"):  # noqa: S608
            for column, value in _flat("", dict(row)):
                count += 1
                field = sought.field(value)
                if field is not None:
                    leaks.add(Leak(table, column, field))
    return Scan(count, len(sought), names, sorted(leaks, key=lambda leak: (leak.table, leak.column, leak.field)))


class Sought:
    """Raw values, made ready to be looked for. personal: value -> path of its field."""

    def __init__(self, personal: dict[str | float, str]) -> None:
        self._numbers: dict[float, str] = {}
        self._phrases: dict[str, list[tuple[list[str], str]]] = {}  # first word -> all words
        self._told: dict[str, str | None] = {}
        self._count = 0
        for value, path in personal.items():
            text = value if isinstance(value, str) else repr(value)
            plain = isinstance(value, float) and value == round(value, DECIMALS)
            words = _words(text)
            if plain or len(text) < SHORTEST or not words:
                continue
            self._count += 1
            self._phrases.setdefault(words[0], []).append((words, path))
            if not isinstance(value, str):
                self._numbers[value] = path

    def __len__(self) -> int:
        return self._count

    def field(self, value: Any) -> str | None:
        """The path of the field whose raw value this is or holds."""
        if isinstance(value, bool):
            return None
        if isinstance(value, int | float | decimal.Decimal):
            return self._numbers.get(float(value)) if isinstance(value, decimal.Decimal) else self._numbers.get(value)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if not isinstance(value, str):
            return None
        if value not in self._told:
            self._told[value] = self._inside(_words(value))
        return self._told[value]

    def _inside(self, words: list[str]) -> str | None:
        for place, word in enumerate(words):
            for phrase, path in self._phrases.get(word, ()):
                if words[place : place + len(phrase)] == phrase:
                    return path
        return None


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


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
