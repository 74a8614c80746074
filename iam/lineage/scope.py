"""Names in a query: which range, column, field or lambda argument `a.b.c` is.

Where a name could be two things all of them are taken: too many sources are safe, too few are not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from iam.lineage.value import Value, either, opaque
from iam.lineage.value import field as field_of

Columns = tuple[tuple[str, Value], ...]


class LineageError(Exception):
    """A statement whose lineage cannot be told. Its text never quotes the statement. line: of the SQL, 0 if unknown."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.line = reason, line


def refused(reason: str, node: exp.Expr) -> LineageError:
    """The error, with the line of the first token of `node` that has one."""
    line = next((int(part.meta["line"]) for part in node.walk() if "line" in part.meta), 0)
    return LineageError(reason, line)


@dataclass(frozen=True)
class Relation:
    """The result of a query: its columns in order; a value table has one and no name for it."""

    columns: Columns
    value_table: bool = False

    @property
    def row(self) -> Value:
        """One row, as a struct."""
        if self.value_table:
            return self.columns[0][1]
        return Value(fields=dict(self.columns))


@dataclass(frozen=True)
class Range:
    """What stands in a FROM clause.

    alias: its name in the query, empty without one. parts: project, dataset and table of a table without an alias.
    whole: one row. columns: those that can be named without the alias, and that a star stands for.
    known: whether these are all columns there are.
    """

    alias: str
    whole: Value
    columns: Columns
    parts: tuple[str, ...] = ()
    known: bool = True

    def column(self, name: str) -> list[Value]:
        return [value for key, value in self.columns if key.lower() == name.lower()]


@dataclass
class Scope:
    """ranges: of the FROM clause so far. outer: of the query around it. names: arguments of lambdas, aliases of the
    SELECT list where they may be used. joined: columns merged by USING, lower-case. windows, ctes: by name."""

    outer: "Scope | None" = None
    ranges: list[Range] = field(default_factory=list)
    names: Mapping[str, Value] = field(default_factory=dict)
    joined: dict[str, Value] = field(default_factory=dict)
    windows: dict[str, exp.Window] = field(default_factory=dict)
    ctes: "dict[str, Relation]" = field(default_factory=dict)

    def within(self, names: Mapping[str, Value]) -> "Scope":
        """The same with more names."""
        inner = {name.lower(): value for name, value in names.items()}
        return Scope(self.outer, self.ranges, {**self.names, **inner}, self.joined, self.windows, self.ctes)

    def find(self, parts: Sequence[str]) -> Value | None:
        """What a dotted name is, here or in the queries around; None when nothing."""
        found = [value for value in self._here(parts) if value is not None]
        if found:
            return found[0] if len(found) == 1 else either(found)
        guessed = [opaque([range.whole]) for range in self.ranges if not range.known]
        if guessed:
            return opaque(guessed)
        return self.outer.find(parts) if self.outer is not None else None

    def _here(self, parts: Sequence[str]) -> list[Value | None]:
        first, rest = parts[0].lower(), parts[1:]
        found: list[Value | None] = []
        if first in self.names:
            found.append(_path(self.names[first], rest))
        if first in self.joined:
            return [*found, _path(self.joined[first], rest)]
        for range in self.ranges:
            found += [_path(value, rest) for value in range.column(first)]
            if range.alias and range.alias.lower() == first:
                found.append(_path(range.whole, rest))
            for length in (2, 3):
                if len(parts) >= length and range.parts[-length:] == tuple(parts[:length]):
                    found.append(_path(range.whole, parts[length:]))
        return found


def _path(value: Value | None, names: Sequence[str]) -> Value | None:
    for name in names:
        value = None if value is None else field_of(value, name)
    return value
