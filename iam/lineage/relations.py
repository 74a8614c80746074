"""Lineage as the access engine's tables: what each view reads, and which columns of it. Policy tags ask for those."""

from functools import lru_cache

from iam.engine import Kind, Table, TableName
from iam.engine.from_dbt import KINDS
from iam.lineage.trace import Lineage
from iam.lineage.value import split
from iam.positions import Place


def named(relation: str) -> TableName:
    return TableName(*relation.split(".", 2))


@lru_cache(2)
def tables(lineage: Lineage) -> dict[TableName, Table]:
    """The engine's tables: what each view reads, and which columns of it. Not to be changed: they are kept."""
    found = {}
    for relation, model in lineage.models.items():
        kind = KINDS.get(model.kind, Kind.TABLE)
        reads = lineage.reads.get(model.id, ()) if kind is not Kind.TABLE else ()
        found[named(relation)] = Table(
            named(relation),
            kind,
            frozenset(map(named, reads)),
            tags={name: column.tags[0] for name, column in model.columns.items() if column.tags},
            touches=_touches(lineage, relation) if kind is not Kind.TABLE else {},
            place=Place(model.file),
        )
    return found


def _touches(lineage: Lineage, relation: str) -> dict[TableName, frozenset[str]]:
    """source -> its columns that the definition names, by their dotted path and every struct that they are in."""
    flow = lineage.flows.get(relation)
    if flow is None:
        return {}
    names = {name for value in flow.columns.values() for name in value.everything()} | flow.influences.keys()
    found: dict[TableName, set[str]] = {}
    for name in names:
        table, path = split(name)
        if table:
            steps = path.split(".")
            found.setdefault(named(table), set()).update(".".join(steps[: n + 1]) for n in range(len(steps)))
    return {table: frozenset(columns) for table, columns in found.items()}
