"""The lineage for people to read, and for machines."""

from collections.abc import Iterator
from typing import Any

from dataflow.errors import NorenError
from iam.lineage.sensitivity import highest
from iam.lineage.trace import Lineage
from iam.lineage.value import Passage, source, split


def found(lineage: Lineage, target: str) -> tuple[str, str]:
    """(relation, path) of `model`, `dataset.table`, either with `.column`; the path is empty without one.

    Raises NorenError when there is none, or more than one.
    """
    names: dict[str, str] = {}
    for relation in [*lineage.relations(), *lineage.tables]:
        _, dataset, table = relation.split(".", 2)
        for name in (relation, f"{dataset}.{table}", table):
            names[name] = "" if names.get(name, relation) != relation else relation
    parts = target.split(".")
    for length in range(len(parts), 0, -1):
        name, path = ".".join(parts[:length]), ".".join(parts[length:])
        if name not in names:
            continue
        if not names[name]:
            raise NorenError(f"{name} is the name of several models: write dataset.table.")
        if path and not _of(lineage, names[name], path):
            raise NorenError(f"{name} has no column {path}: it has {_columns(lineage, names[name])}.")
        return names[name], path
    raise NorenError(f"{target} is no model and no table of a contract: `noren lineage` lists them.")


def _of(lineage: Lineage, relation: str, path: str) -> list[str]:
    """The scalar columns that a path names: itself, or those below it."""
    return [name for name in lineage.columns(relation) if name == path or name.startswith(f"{path}.")]


def _columns(lineage: Lineage, relation: str) -> str:
    return ", ".join(lineage.columns(relation)) or "none that is known"


def summary(lineage: Lineage) -> Iterator[str]:
    """One line a relation: how many columns, and the most that one of them tells."""
    for relation in lineage.relations():
        columns = lineage.columns(relation)
        told = lineage.faults.get(relation) or f"{len(columns):>3} columns, up to {highest(*columns.values())}"
        yield f"{relation.partition('.')[2]:<45} {told}"


def tree(lineage: Lineage, relation: str, path: str = "") -> Iterator[str]:
    """The columns of a relation, or one of them, down to the contract fields; and what decides about its rows."""
    model = lineage.models.get(relation)
    yield relation.partition(".")[2] + (f" ({model.kind}, {model.file})" if model else "")
    if relation in lineage.faults:
        yield f"  cannot be traced: {lineage.faults[relation]}"
        return
    for column in _of(lineage, relation, path) if path else lineage.columns(relation):
        yield f"  {column}: {lineage.sensitivity(relation, column)}"
        yield from _branches(lineage, source(relation, column), "    ")
    if influences := lineage.influences(relation):
        yield "  decide about rows without being selected:"
        for name, hows in influences.items():
            yield f"    {_named(name)} ({', '.join(hows)})"


def _branches(lineage: Lineage, name: str, indent: str) -> Iterator[str]:
    if name in lineage.begins:
        yield f"{indent}= {lineage.begins[name]}"
        return
    table, path = split(name)
    for inner, passage in lineage.leaves(table).get(path, {}).items():
        if not split(inner)[0]:
            yield f"{indent}<- number of rows"
        elif inner != name:
            yield f"{indent}<- {_named(inner)}" + ("" if passage is Passage.COPIED else f", {passage.name.lower()}")
            if split(inner)[0] != table:
                yield from _branches(lineage, inner, indent + "   ")


def _named(name: str) -> str:
    table, path = split(name)
    return f"{table.partition('.')[2]}.{path}"


def as_json(lineage: Lineage, relations: list[str], path: str = "") -> list[dict[str, Any]]:
    """One object a relation; of a column its sources, its origins and what it tells."""
    return [
        {
            "table": relation.partition(".")[2],
            "kind": lineage.models[relation].kind if relation in lineage.models else "table",
            "file": lineage.models[relation].file if relation in lineage.models else None,
            "fault": lineage.faults.get(relation),
            "columns": [
                {
                    "column": column,
                    "classification": str(lineage.sensitivity(relation, column)),
                    "sources": [
                        {"column": _named(inner), "passage": passage.name.lower()}
                        for inner, passage in lineage.leaves(relation).get(column, {}).items()
                        if split(inner)[0]
                    ],
                    "origins": [
                        {
                            "field": origin.field,
                            "classification": origin.classification,
                            "method": origin.method,
                            "passage": passage.name.lower(),
                        }
                        for origin, passage in lineage.beginnings(source(relation, column)).items()
                    ],
                }
                for column in (_of(lineage, relation, path) if path else lineage.columns(relation))
            ],
            "influences": [
                {"column": _named(name), "how": list(hows)} for name, hows in lineage.influences(relation).items()
            ],
        }
        for relation in relations
    ]
