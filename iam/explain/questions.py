"""The three questions: who sees a table, what a member sees, and why."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from iam.engine import Access, Action, Decision, Kind, Right, TableName, World
from iam.engine.other_ways import other_ways
from iam.engine.remedy import group_to_ask, sentence
from iam.explain.people import Alike, members

Json = dict[str, Any]


@dataclass(frozen=True)
class Reader:
    """Members who read an object in the same way.

    object: the table asked about, or a view that leads to it. decision: of the first of them.
    """

    object: TableName
    members: tuple[str, ...]
    decision: Decision

    def as_json(self) -> Json:
        return {"object": self.object.short, "members": list(self.members), **decision_json(self.decision)}

    def lines(self) -> Iterable[str]:
        count = f"{len(self.members)} member{'s' if len(self.members) > 1 else ''}"
        yield f"{self.object.short}: {count}: {', '.join(self.members)}"
        yield from decision_lines(self.decision)


@dataclass(frozen=True)
class Seen:
    """What a member sees of a dataset. rights: on all of it. objects: what else can be queried, through views or by
    grants of their own."""

    dataset: str
    rights: tuple[str, ...]
    objects: tuple[str, ...] = ()

    def as_json(self) -> Json:
        return {"dataset": self.dataset, "rights": list(self.rights), "objects": list(self.objects)}


@dataclass(frozen=True)
class Why:
    """A decision, and what would change it."""

    decision: Decision
    ask: str = ""
    others: tuple[str, ...] = field(default=())

    def as_json(self) -> Json:
        return {**decision_json(self.decision), "ask": self.ask or None, "other_ways": list(self.others)}


def who(world: World, table: TableName, column: str | None = None) -> list[Reader]:
    """Who can query the table, and the views that lead to it; the table first.

    column: of the table; views count when they mention it.
    """
    access, found = Access(world), list[Reader]()
    everybody = members(world)
    for name in (table, *_views_over(world, table, column)):
        columns = [column] if column is not None and name == table else None
        alike = Alike(world, {below.home for below in _below(world, name)})
        groups: dict[frozenset[str], list[str]] = {}
        for member in everybody:
            groups.setdefault(alike.mark(member), []).append(member)
        for alikes in groups.values():
            decision = access.decide(alikes[0], Action.QUERY, name, columns)
            if decision.allowed:
                found.append(Reader(name, tuple(alikes), decision))
    return found


def what(world: World, member: str) -> list[Seen]:
    """What the member sees, by dataset; datasets of which nothing is seen are left out."""
    access, found = Access(world), list[Seen]()
    readable: dict[str, list[str]] = {}
    for name, table in world.tables.items():
        if table.kind is not Kind.ROUTINE and access.decide(member, Action.QUERY, name).allowed:
            readable.setdefault(name.dataset, []).append(name.table)
    for dataset in sorted(world.datasets):
        rights = access.rights(member, dataset)
        objects = tuple(sorted(readable.get(dataset.dataset, ())))
        if rights or objects:
            found.append(Seen(dataset.dataset, tuple(r.name for r in Right if r in rights), objects))
    return found


def why(world: World, member: str, table: TableName, column: str | None = None) -> Why:
    """Whether the member can query the table or column: the chain that grants it, or the first link that is missing."""
    access, columns = Access(world), None if column is None else [column]
    decision = access.decide(member, Action.QUERY, table, columns)
    group = None if decision.allowed else group_to_ask(access, member, Action.QUERY, table, decision, columns)
    who_ = access.holders.caller(member)
    others = tuple(str(way) for way in other_ways(world) if access.holders.is_caller(who_, way.entry))
    return Why(decision, sentence(group) if group else "", others)


def decision_json(decision: Decision) -> Json:
    return {
        "allowed": decision.allowed,
        "denial": decision.denial or None,
        "reasons": [
            {
                "text": reason.text,
                "file": reason.place.file if reason.place else None,
                "line": reason.place.line if reason.place else None,
            }
            for reason in decision.reasons
        ],
        "missing": decision.missing or None,
        "rows": {kept.table.short: list(kept.filters) for kept in decision.filters},
        "masked": list(decision.masked),
        "certainty": decision.certainty.value,
        "doubts": list(decision.doubts),
    }


def decision_lines(decision: Decision) -> Iterable[str]:
    yield from (f"  {reason}" for reason in decision.reasons)
    if decision.missing:
        yield f"  missing: {decision.missing}"
    for kept in decision.filters:
        rows = " or ".join(kept.filters) if kept.filters else "none"
        yield f"  rows of {kept.table.short}: {rows}"
    yield from (f"  masked: {column}" for column in decision.masked)
    yield from (f"  {doubt}" for doubt in decision.doubts)


def _below(world: World, name: TableName) -> set[TableName]:
    """Everything that is read on the way, itself included."""
    found, waiting = set[TableName](), [name]
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            waiting.extend(world.tables[here].reads if here in world.tables else ())
    return found


def _views_over(world: World, table: TableName, column: str | None) -> list[TableName]:
    """The views that lead to the table, nearest first; with a column, of the nearest only those that mention it."""
    over: dict[TableName, list[TableName]] = {}
    for name, known in world.tables.items():
        for source in known.reads:
            mentioned = known.touches.get(source) if column is not None and source == table else None
            if mentioned is None or (column or "").lower() in mentioned:
                over.setdefault(source, []).append(name)
    found: dict[TableName, None] = {}
    waiting = sorted(over.get(table, ()))
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found[name] = None
            waiting += sorted(over.get(name, ()))
    return list(found)
