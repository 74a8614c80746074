"""The house's rules for the fields of a contract: names, types, constraints and classifications.

Works on the plain document, so that one wrong field does not hide the next.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dataflow.contract import RESERVED, Classification, FieldType
from dataflow.inference.words import by_name
from dataflow.review.located import Place, members
from dataflow.review.problems import did_you_mean

PREFIXES = (
    "_table_",
    "_file_",
    "_partition",
    "_row_timestamp",
    "__root__",
    "_colidentifier",
    "_change_sequence_number",
    "_change_type",
    "_change_timestamp",
)
"""What no BigQuery column may begin with, in any case: https://cloud.google.com/bigquery/docs/schemas#column_names"""

DEEPEST = 15
"""Levels of nested records: https://cloud.google.com/bigquery/docs/nested-repeated#limitations"""

OTHER_WORDS = {
    "int": "integer",
    "int64": "integer",
    "long": "integer",
    "bigint": "integer",
    "float": "number",
    "double": "number",
    "decimal": "number",
    "numeric": "number",
    "text": "string",
    "str": "string",
    "varchar": "string",
    "uuid": "string",
    "bool": "boolean",
    "datetime": "timestamp",
    "record": "object",
    "struct": "object",
    "list": "array",
}
"""What other systems call the types of the standard."""

OPTIONS = {
    "string": {"minLength", "maxLength", "pattern", "format"},
    "integer": {"minimum", "maximum"},
    "number": {"minimum", "maximum"},
}
"""The options that the core enforces, by type; an option that nobody enforces is a false promise."""

type Finding = tuple[Place, str, str, str]
"""(place, path of the field, message, suggestion)"""


@dataclass(frozen=True)
class Entry:
    """One field as it stands in the document.

    always: whether every event has it: it is required, in required objects only.
    classified: whether it or an object around it has a known classification.
    repeated: whether it is, or lies in, an array's item.
    """

    place: Place
    path: str
    document: dict[str, Any]
    depth: int
    always: bool
    classified: bool
    repeated: bool

    @property
    def name(self) -> str:
        return str(self.document.get("name", ""))

    @property
    def kind(self) -> str:
        return str(self.document.get("logicalType", ""))

    def parts(self) -> Iterator["Entry"]:
        """The fields below. A map is free-form: nothing is declared of what is in it."""
        for place, child in members(self.document.get("properties"), (*self.place, "properties")):
            path = f"{self.path}.{child.get('name', '')}" if self.path else str(child.get("name", ""))
            yield self._part(place, path, child, self.repeated)
        if isinstance(self.document.get("items"), dict):
            yield self._part((*self.place, "items"), self.path, self.document["items"], True)

    def _part(self, place: Place, path: str, document: dict[str, Any], repeated: bool) -> "Entry":
        return Entry(
            place=place,
            path=path,
            document=document,
            depth=self.depth + 1,
            always=self.always and document.get("required") is True,
            classified=self.classified or _known(document.get("classification")),
            repeated=repeated,
        )

    @property
    def anonymous(self) -> bool:
        """Whether it is an array's item, which has no name of its own."""
        return self.place[-1] == "items"


def entries(schema: dict[str, Any], place: Place) -> list[Entry]:
    """Every field of the schema object at `place`, parents before their fields."""
    top = Entry(place, "", schema, 0, True, _known(schema.get("classification")), False)
    found: list[Entry] = []
    waiting = list(top.parts())
    while waiting:
        entry = waiting.pop(0)
        found.append(entry)
        waiting = [*entry.parts(), *waiting]
    return found


def findings(entry: Entry) -> Iterator[Finding]:
    """Everything that is wrong with one field by itself."""
    rules = (_name, _type, _classification, _options, _enum, _examples)
    for rule in rules:
        yield from rule(entry)


def clashes(found: list[Entry]) -> Iterator[Finding]:
    """Names that are one to BigQuery, which ignores case."""
    seen: dict[tuple[Place, str], Entry] = {}
    for entry in found:
        if entry.anonymous:
            continue
        other = seen.setdefault((entry.place[:-1], entry.name.lower()), entry)
        if other is not entry:
            yield (
                (*entry.place, "name"),
                entry.path,
                f"{other.name} is declared beside it, and BigQuery ignores case.",
                "Rename one of the two.",
            )


def _name(entry: Entry) -> Iterator[Finding]:
    place, name = (*entry.place, "name"), entry.name
    if entry.anonymous:
        return
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", name):
        suggestion = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")[:128]
        usable = suggestion and not suggestion[0].isdigit()
        yield (
            place,
            entry.path,
            "a field's name is letters, digits and underscores and no digit first, at most 128 characters.",
            f"Have the sender call it {suggestion}." if usable else "Have the sender rename it.",
        )
    elif name.lower().startswith(PREFIXES):
        prefix = next(prefix for prefix in PREFIXES if name.lower().startswith(prefix))
        yield place, entry.path, f"BigQuery keeps names that begin with {prefix.upper()} for itself.", "Rename it."
    elif len(entry.path.split(".")) == 1 and name.lower() in RESERVED:
        yield (
            place,
            entry.path,
            "is the name of a column that every table has.",
            f"Have the sender call it {name}_sent, or put it into an object.",
        )
    if entry.depth == DEEPEST + 1:
        yield place, entry.path, f"is nested deeper than BigQuery's {DEEPEST} levels.", "Flatten it."


def _type(entry: Entry) -> Iterator[Finding]:
    place, kind = (*entry.place, "logicalType"), entry.kind
    if not kind:
        return  # the standard's own error
    if kind not in set(FieldType):
        word = OTHER_WORDS.get(kind.lower())
        known = set(FieldType)
        suggestion = f"Write {word}." if word in known else did_you_mean(kind, sorted(FieldType))
        if kind == "time":
            suggestion = "Use string with a pattern, or timestamp."
        yield place, entry.path, f"logicalType {kind} is not supported.", suggestion
        return
    has_parts = bool(entry.document.get("properties"))
    if kind == "object" and not has_parts:
        yield place, entry.path, "an object needs properties; it declares none.", "Declare its fields, or remove it."
    if kind != "object" and has_parts:
        yield place, entry.path, f"is of type {kind} and has properties.", "Write logicalType: object."


def _classification(entry: Entry) -> Iterator[Finding]:
    own = entry.document.get("classification")
    if own is not None and not _known(own):
        suggestion = did_you_mean(own, sorted(Classification))
        yield (*entry.place, "classification"), entry.path, f"classification {own} is unknown.", suggestion
    elif not entry.classified and entry.kind != "object" and not list(entry.parts()):
        guess = by_name(entry.path, entry.kind)
        yield (
            entry.place,
            entry.path,
            "has no classification, own or inherited; the policy would drop it.",
            f"Its name suggests {guess.classification} ({guess.reason}).",
        )


def _known(classification: object) -> bool:
    return isinstance(classification, str) and classification in set(Classification)


def _options(entry: Entry) -> Iterator[Finding]:
    options = entry.document.get("logicalTypeOptions")
    if not isinstance(options, dict) or entry.kind not in set(FieldType):
        return
    place = (*entry.place, "logicalTypeOptions")
    allowed = OPTIONS.get(entry.kind, set())
    for name in options:
        if name not in allowed and entry.kind not in ("array", "map"):
            what = f"Use {', '.join(sorted(allowed))}." if allowed else "Remove it."
            yield (*place, name), entry.path, f"the core does not enforce {name} on {entry.kind}.", what
    for low, high in (("minimum", "maximum"), ("minLength", "maxLength")):
        least, most = options.get(low), options.get(high)
        if isinstance(least, int | float) and isinstance(most, int | float) and least > most:
            yield (*place, low), entry.path, f"{low} {least} is above {high} {most}: no value passes.", "Swap them."
    if entry.kind != "string":
        return
    if "format" in options and options["format"] != "uuid":
        yield (
            (*place, "format"),
            entry.path,
            f"format {options['format']} is not supported.",
            "Use uuid, or a pattern.",
        )
    if isinstance(options.get("pattern"), str):
        yield from _pattern((*place, "pattern"), entry.path, options["pattern"])


def _pattern(place: Place, path: str, pattern: str) -> Iterator[Finding]:
    """Patterns run in Rust's regex, in linear time: https://docs.rs/regex/latest/regex/#syntax"""
    import polars as pl

    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        told = next((line for line in str(error).splitlines() if line.startswith("error: ")), "error: it is no regex")
        message = told.removeprefix("error: ")
        yield (
            place,
            path,
            f"Rust's regex does not take the pattern: {message}.",
            "It has no look-around and no back-references; say it without, or with an enum.",
        )
        return
    if not (pattern.startswith("^") and pattern.endswith("$")):
        yield (
            place,
            path,
            "the pattern is not anchored: it passes whatever contains a match.",
            "Put it between ^ and $.",
        )


def _enum(entry: Entry) -> Iterator[Finding]:
    items = entry.document.get("enum")
    if not isinstance(items, list):
        return
    place = (*entry.place, "enum")
    if entry.kind != "string":
        yield place, entry.path, "an enum is supported on strings only.", "Use minimum and maximum, or remove it."
        return
    seen: set[str] = set()
    for index, item in members(items, place):
        value = item.get("value")
        if not isinstance(value, str):
            yield index, entry.path, f"the enum's value {value} is no string.", f'Write "{value}".'
        elif value in seen:
            yield index, entry.path, f"the enum holds {value} twice.", "Remove one."
        seen.add(str(value))


def _examples(entry: Entry) -> Iterator[Finding]:
    if entry.document.get("examples"):
        yield (
            (*entry.place, "examples"),
            entry.path,
            "examples may be somebody's data, and contracts are read by everybody.",
            "Say it in the description.",
        )
