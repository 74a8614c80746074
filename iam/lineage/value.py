"""A value in a query, as far as lineage goes: where each part of it comes from. Structs and arrays keep their shape."""

from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from typing import Any

import msgspec


class Passage(IntEnum):
    """How a column came into an expression; the lower of two hides more."""

    COUNTED = 0
    """Only how many there are is left."""
    DERIVED = 1
    """A function of it."""
    COPIED = 2
    """The value itself."""
    DECRYPTED = 3
    """What a key makes of it."""


type Sources = Mapping[str, Passage]
"""`source(table, path)` -> passage"""


def source(table: str, path: str) -> str:
    """A column: table is `project.dataset.table`, path dotted."""
    return f"{table}#{path}"


def split(name: str) -> tuple[str, str]:
    """(table, path) of a source."""
    table, _, path = name.partition("#")
    return table, path


class Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """sources: of a scalar, or of a whole whose parts are not known.
    fields: of a struct, by name as written. item: of an array.
    """

    sources: dict[str, Passage] = {}
    fields: dict[str, "Value"] | None = None
    item: "Value | None" = None

    def everything(self) -> dict[str, Passage]:
        """All sources, of its parts too."""
        if self.fields is None and self.item is None:
            return self.sources
        parts = [*(self.fields or {}).values(), *([self.item] if self.item else [])]
        return union([self.sources, *(part.everything() for part in parts)])

    def leaves(self, path: str = "") -> Iterator[tuple[str, "Value"]]:
        """(dotted path, scalar) of every part; an array's items have the array's path."""
        if self.item is not None:
            yield from self.item.leaves(path)
        elif self.fields is not None:
            for name, value in self.fields.items():
                yield from value.leaves(f"{path}.{name}" if path else name)
        else:
            yield path, self

    def shape(self) -> Any:
        """Its structure without its sources."""
        if self.item is not None:
            return [self.item.shape()]
        return None if self.fields is None else {name: value.shape() for name, value in self.fields.items()}


NOTHING = Value()
"""A literal."""

ROWS = Value({source("", ""): Passage.COUNTED})
"""How many rows there are."""


def union(many: Iterable[Sources], most: Passage = Passage.DECRYPTED) -> dict[str, Passage]:
    """All sources, each with its most telling passage, but none more telling than `most`."""
    found: dict[str, Passage] = {}
    for sources in many:
        for name, passage in sources.items():
            capped = passage if passage is Passage.DECRYPTED and most > Passage.COUNTED else min(passage, most)
            if name not in found or found[name] < capped:
                found[name] = capped
    return found


def opaque(values: Iterable[Value], most: Passage = Passage.DERIVED) -> Value:
    """Some function of the values."""
    return Value(union((value.everything() for value in values), most))


def tinted(value: Value, *by: Value) -> Value:
    """The value, each part of which depends on others too, as on the condition of an IF."""
    more = opaque(by).sources
    if not more:
        return value
    if value.item is not None:
        return Value(value.sources, item=tinted(value.item, *by))
    if value.fields is not None:
        return Value(value.sources, fields={name: tinted(part, *by) for name, part in value.fields.items()})
    return Value(union([value.sources, more]))


def either(values: Iterable[Value]) -> Value:
    """One of the values, as of a set operation's arms: structs of one shape field by field, by position."""
    first, *rest = values
    for other in rest:
        first = _both(first, other)
    return first


def _both(one: Value, other: Value) -> Value:
    if one is NOTHING or other is NOTHING:
        return other if one is NOTHING else one
    sources = union([one.sources, other.sources])
    if one.item is not None and other.item is not None:
        return Value(sources, item=_both(one.item, other.item))
    if one.fields is not None and other.fields is not None and len(one.fields) == len(other.fields):
        pairs = zip(one.fields.items(), other.fields.values(), strict=True)
        return Value(sources, fields={name: _both(mine, theirs) for (name, mine), theirs in pairs})
    if one.fields is None and other.fields is None and one.item is None and other.item is None:
        return Value(sources)
    return opaque([one, other], Passage.COPIED)


def field(value: Value, name: str) -> Value | None:
    """A struct's field, whatever its case; None when there is none. Of a whole whose parts are not known: the whole."""
    if value.fields is None:
        return None if value.item is not None else opaque([value])
    wanted = name.lower()
    return next((part for key, part in value.fields.items() if key.lower() == wanted), None)


def element(value: Value) -> Value:
    """An array's item; of a whole whose parts are not known: the whole."""
    return value.item if value.item is not None else opaque([value], Passage.COPIED)


def of_table(table: str, shape: Any, path: str = "") -> Value:
    """The columns of a table as sources. shape: what `Value.shape` gives."""
    if isinstance(shape, list):
        return Value(item=of_table(table, shape[0], path))
    if shape is None:
        return Value({source(table, path): Passage.COPIED})
    return Value(
        fields={name: of_table(table, part, f"{path}.{name}" if path else name) for name, part in shape.items()}
    )
