"""Undeclared fields that a running stream counted, put into its contract: optional, with a proposed classification.

Only names and JSON types were counted, never a value. So the type is what JSON says (a number may be an integer, a
text may be a time) and the classification comes from the name alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import yaml

from dataflow.contract import Constraints, Contract, Field, FieldType
from dataflow.errors import NorenError
from dataflow.inference.draft import Draft
from dataflow.inference.insert import appended, node_at
from dataflow.inference.words import by_name
from dataflow.inference.write import entry
from dataflow.review.fields import Entry, entries, findings
from dataflow.review.located import Located, Place, members, parse_located
from dataflow.review.version import Bump, Version

OTHER = "<other>"
"""Stands for names that may be data themselves: see dataflow/core/decode.py."""

SCALARS = {"string": "string", "number": "number", "boolean": "boolean"}


@dataclass(frozen=True)
class Unknown:
    """An undeclared field of one JSON type, as `operations.unknown_fields` counted it. events: how many had it."""

    path: str
    type: str
    events: int


@dataclass(frozen=True)
class Proposal:
    """text: the contract with the fields added. added: the drafts. left: (path, why) of the others."""

    text: str
    added: list[Draft]
    left: list[tuple[str, str]]


def propose(text: str, contract: Contract, unknown: Iterable[Unknown]) -> Proposal:
    """The text of a contract with its unknown fields declared, and its version raised when any is.

    Raises NorenError when the text is laid out so that nothing can be added.
    """
    declared = {field.path.lower(): field for top in contract.fields for field in _all(top)}
    types: dict[str, dict[str, int]] = {}
    for item in unknown:
        counts = types.setdefault(item.path, {})
        counts[item.type] = counts.get(item.type, 0) + item.events
    added: list[Draft] = []
    left: list[tuple[str, str]] = []
    for path, counts in sorted(types.items(), key=lambda item: (-sum(item[1].values()), item[0])):
        if path.lower() in declared:
            continue  # counted before it was declared
        draft, why = _draft(path, counts, declared)
        if draft is None:
            left.append((path, f"{why} ({sum(counts.values()):,} events)"))
        else:
            text = _inserted(text, contract, draft)
            declared[path.lower()] = Field(draft.name, path, FieldType(draft.kind), False, None, "", Constraints())
            added.append(draft)
    return Proposal(_raised(text) if added else text, added, left)


def _draft(path: str, counts: dict[str, int], declared: dict[str, Field]) -> tuple[Draft | None, str]:
    """(a draft, "") or (None, why there is none)."""
    parent, _, name = path.rpartition(".")
    if OTHER in path:
        return None, "names that may be data themselves"
    around = declared.get(parent.lower())
    if parent and (around is None or FieldType.OBJECT not in (around.type, around.items and around.items.type)):
        return None, "its object is not declared"
    scalars = {kind: count for kind, count in counts.items() if kind in SCALARS}
    if not scalars:
        what = {"object": "an object: declare its fields", "array": "a list: declare its items"}
        kinds = [what[kind] for kind in counts if kind in what]
        return None, "; ".join(kinds) or "always null"
    kind = SCALARS[max(scalars, key=lambda found: scalars[found])]
    total, fitting = sum(counts.values()) - counts.get("null", 0), scalars[kind]
    draft = Draft(name, path, kind, guess=by_name(path, kind))
    draft.remarks.append(f"counted undeclared in {sum(counts.values()):,} events")
    if fitting < total:
        draft.remarks.append(f"{(total - fitting) / total:.1%} of the values are of another type: dead letters")
    if kind == "number":
        draft.remarks.append("write integer if it never has a fraction")
    place: Place = ("schema", 0, "properties", 0)
    document = {"name": name, "logicalType": kind, "classification": str(draft.guess and draft.guess.classification)}
    for _, _, message, suggestion in findings(Entry(place, path, document, path.count(".") + 1, False, True, False)):
        return None, f"{message} {suggestion}".strip()
    return draft, ""


def _inserted(text: str, contract: Contract, draft: Draft) -> str:
    """The text with the field at the end of its object."""
    located = parse_located(text)
    parent = draft.path.rpartition(".")[0]
    place = (*_place(located, parent), "properties")
    properties = node_at(located.root, place)
    if not isinstance(properties, yaml.SequenceNode):
        raise NorenError(f"{contract.stream}.yaml: {parent or 'schema'}: has no list of properties to add to.")
    return appended(text, properties, entry(draft, ""), f"{contract.stream}.yaml: {parent or 'schema'}")


def _place(located: Located, path: str) -> Place:
    """The place of an object, or of an array's items, in the document."""
    for place, schema in members(located.document.get("schema"), ("schema",)):
        if not path:
            return place
        for found in entries(schema, place):
            if found.path == path and "properties" in found.document:
                return found.place
    return ()


def _raised(text: str) -> str:
    """The text with the next minor version: optional fields are added."""
    node = node_at(parse_located(text).root, ("version",))
    if not isinstance(node, yaml.ScalarNode):
        return text
    try:
        raised = str(Version.parse(node.value).bumped(Bump.MINOR))
    except NorenError:
        return text  # check and diff will say what is wrong with it
    lines = text.splitlines(keepends=True)
    mark = node.start_mark
    line = lines[mark.line]
    lines[mark.line] = line[: mark.column] + line[mark.column :].replace(node.value, raised, 1)
    return "".join(lines)


def _all(field: Field) -> Iterable[Field]:
    yield field
    for child in field.children:
        yield from _all(child)
    if field.items is not None:
        yield from (inner for child in field.items.children for inner in _all(child))
