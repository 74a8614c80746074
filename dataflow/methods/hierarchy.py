"""Coarser values by a hierarchy that somebody wrote down: product, category, department; station, ward, prefecture."""

import csv
import hashlib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import polars as pl

from dataflow.contract import Field
from dataflow.errors import NorenError
from dataflow.methods.base import PERSONAL, TEXT, Context, Method
from dataflow.yaml_file import parse_yaml

TOP = "*"
"""What stands above all values."""


class Table:
    """The parents of each value. Two are equal when they hold the same; what is shown of one is a digest.

    parents: value -> its parents from level 1 on; all have the same number.
    """

    def __init__(self, parents: dict[str, tuple[str, ...]]) -> None:
        self.parents = parents
        text = repr(sorted(parents.items()))
        self.digest = hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def levels(self) -> int:
        return len(next(iter(self.parents.values())))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and self.parents == other.parents

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"{len(self.parents)} values, {self.digest}"


class Hierarchy(Method, frozen=True, dict=True):
    """A value's parent in a hierarchy file. String in, string out.

    file: CSV (a line is a value and its parents, the nearest first; no header) or YAML (value: [parents]) beside the
    policy, such as `hierarchies/categories.csv`. level: which parent, 1 is the nearest, 1 to 20.
    unknown: what becomes of a value that the file does not have: `top` is `*`, `null` is null.
    Not reversible. Leaks the parent; a parent with few values below it nearly tells them. Lane: anonymous, as a
    quasi-identifier.
    """

    name = "hierarchy"
    accepts = TEXT
    leaks = "the parent"
    lane = "anonymous"
    unfit_for = PERSONAL
    scales: ClassVar = {"level": "less", "unknown": ("null", "top")}
    file: Annotated[str, msgspec.Meta(min_length=1)]
    level: Annotated[int, msgspec.Meta(ge=1, le=20)] = 1
    unknown: Literal["top", "null"] = "top"

    def effect(self) -> str:
        return f"level {self.level} of {self.file}"

    def files(self) -> tuple[str, ...]:
        return (self.file,)

    def bound(self, directory: Path) -> "Hierarchy":
        path = directory / self.file
        if directory.resolve() not in path.resolve().parents:
            raise NorenError(f"{self.file} lies outside the policy's directory; put it beside the policy.")
        table = read_table(path, self.file)
        if self.level > table.levels:
            raise NorenError(f"level {self.level}: {self.file} has {table.levels} levels above the values.")
        return LoadedHierarchy(file=self.file, level=self.level, unknown=self.unknown, table=table)

    @property
    def loaded(self) -> Table:
        raise TypeError("a hierarchy is read by bound() before it is used")

    @cached_property
    def _columns(self) -> tuple[pl.Series, pl.Series]:
        parents = self.loaded.parents
        return pl.Series(list(parents)), pl.Series([levels[self.level - 1] for levels in parents.values()])

    @property
    def _default(self) -> str | None:
        return TOP if self.unknown == "top" else None

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        values, parents = self._columns
        found = column.replace_strict(values, parents, default=self._default, return_dtype=pl.String)
        return pl.when(column.is_not_null()).then(found)

    def reference(self, value: object, field: Field, context: Context) -> str | None:
        levels = self.loaded.parents.get(str(value))
        return levels[self.level - 1] if levels else self._default


class LoadedHierarchy(Hierarchy, frozen=True, kw_only=True):
    """The method with its file read. Not in the registry: a policy cannot spell the table out."""

    table: Table

    @property
    def loaded(self) -> Table:
        return self.table


def read_table(path: Path, name: str) -> Table:
    """The hierarchy in a CSV or YAML file. Raises NorenError naming `name` and the line or value at fault."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise NorenError(f"{name}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise NorenError(f"{name}: is not UTF-8.") from error
    entries = _csv(text, name) if path.suffix == ".csv" else _yaml(text, name)
    parents: dict[str, tuple[str, ...]] = {}
    for where, value, levels in entries:
        if value in parents:
            raise NorenError(f"{name}: {where}: the value stands there a second time.")
        if not levels or any(not isinstance(level, str) or not level for level in levels):
            raise NorenError(f"{name}: {where}: must be a value and its parents, all texts and none empty.")
        parents[value] = tuple(levels)
        if len(levels) != len(next(iter(parents.values()))):
            raise NorenError(f"{name}: {where}: every value must have the same number of parents.")
    if not parents:
        raise NorenError(f"{name}: holds no value.")
    return Table(parents)


def _csv(text: str, name: str) -> list[tuple[str, str, list[Any]]]:
    reader = csv.reader(text.splitlines(), strict=True)
    try:
        return [(f"line {reader.line_num}", row[0], row[1:]) for row in reader if row]
    except csv.Error as error:
        raise NorenError(f"{name}: line {reader.line_num}: {error}.") from error


def _yaml(text: str, name: str) -> list[tuple[str, str, list[Any]]]:
    document = parse_yaml(text, name)
    if not isinstance(document, dict):
        raise NorenError(f"{name}: must be a mapping of each value to the list of its parents.")
    return [
        (f"entry {value}", str(value), levels if isinstance(levels, list) else []) for value, levels in document.items()
    ]
