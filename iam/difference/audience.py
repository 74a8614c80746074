"""Who can read each table and view, for all callers at once.

The engine answers for one caller; five hundred groups times two thousand views would take it minutes. Here the same
rules work on sets of callers, so that each dataset and each hop is looked at once. A property test holds both equal.
The right to run jobs is left aside: it comes from other files, and whoever lacks it today may have it tomorrow.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cached_property

from iam.engine import MAX_HOPS, Access, DatasetName, Kind, Right, Table, TableName, World
from iam.engine.holders import Caller, Trail
from iam.engine.rights import FINE_GRAINED_READER, MASKED_READER, RIGHTS
from iam.entries import Entry

Callers = frozenset[str]

ANYBODY = "anybody"
"""Stands for a caller whom no entry names."""


def of_domain(domain: str) -> str:
    """Stands for a caller of a domain whom no entry names."""
    return f"anybody@{domain}"


class Audience:
    """For one world at one time.

    callers: e-mails of those who are asked about; `everybody` gives them for a world.
    """

    def __init__(self, world: World, at: datetime, callers: Iterable[str]) -> None:
        self.world = world
        self.access = Access(world, at)
        self.holders = self.access.holders
        self.callers = {email: self._caller(email) for email in sorted(set(callers))}
        self.all = frozenset(self.callers)
        self._datasets: dict[tuple[DatasetName, Right], tuple[Callers, tuple[Entry, ...]]] = {}
        self._tables: dict[tuple[TableName, TableName | None, bool], Callers] = {}
        self._heights: dict[TableName, int] = {}

    def readers(self, name: TableName, *, clear: bool = False) -> Callers:
        """Who can query the table or view. clear: only those for whom no column on the way is masked."""
        if self._height(name) > MAX_HOPS + 1:
            return frozenset()
        return self._readable(name, None, clear)

    def column(self, name: TableName, column: str, *, clear: bool = False) -> Callers:
        """Who can query one column of it."""
        table = self.holders.known(name)
        readers = self.readers(name, clear=clear)
        tag = next((tag for key, tag in table.tags.items() if key.lower() == column.lower()), None)
        return readers if tag is None else readers & self._tagged(tag, clear)

    def having(self, right: Right, dataset: DatasetName) -> Callers:
        """Who has the right on a whole dataset."""
        always, conditional = self._rights(dataset, right)
        return always | self._conditional(conditional, dataset, dataset.resource, "Dataset")

    @cached_property
    def by_group(self) -> dict[str, Callers]:
        found: dict[str, set[str]] = {}
        for email, caller in self.callers.items():
            for group in caller.groups:
                found.setdefault(group, set()).add(email)
        return {group: frozenset(members) for group, members in found.items()}

    @cached_property
    def by_domain(self) -> dict[str, Callers]:
        found: dict[str, set[str]] = {}
        for email, caller in self.callers.items():
            found.setdefault(caller.domain, set()).add(email)
        return {domain: frozenset(members) for domain, members in found.items()}

    def _caller(self, email: str) -> Caller:
        """A group that groups.json lacks is a caller in itself."""
        caller = self.holders.caller(email)
        return caller if caller.groups or email in self.world.groups else Caller(email, frozenset({email}))

    def _members(self, entry: Entry, dataset: DatasetName) -> Callers:
        """The callers whom an entry speaks of, its condition aside."""
        if entry.kind == "userByEmail":
            return self.all & {entry.subject}
        if entry.kind == "groupByEmail":
            return self.by_group.get(entry.subject, frozenset())
        if entry.kind == "domain":
            return self.by_domain.get(entry.subject, frozenset())
        known, bare = self.world.datasets.get(dataset), Entry({**entry.given, "condition": None}, entry.place)
        return frozenset(
            email
            for email, caller in self.callers.items()
            if any(True for _ in self.holders.held(caller, [bare], dataset.resource, "Dataset", Trail(), known))
        )

    def _rights(self, dataset: DatasetName, right: Right) -> tuple[Callers, tuple[Entry, ...]]:
        """(who has the right without conditions, the entries that give it under one)"""
        if (dataset, right) not in self._datasets:
            known = self.world.datasets.get(dataset)
            grants = () if known is None else (*known.roles, *self.holders.inherited(dataset.project))
            giving = [entry for entry in grants if right in RIGHTS.get(entry.role, ())]
            always = self._union(self._members(entry, dataset) for entry in giving if entry.condition is None)
            self._datasets[dataset, right] = always, tuple(entry for entry in giving if entry.condition is not None)
        return self._datasets[dataset, right]

    def _conditional(self, entries: Iterable[Entry], dataset: DatasetName, resource: str, kind: str) -> Callers:
        return self._union(
            self._members(entry, dataset) for entry in entries if self.holders.in_force(entry, resource, kind, Trail())
        )

    @staticmethod
    def _union(many: Iterable[Callers]) -> Callers:
        return frozenset().union(*many)

    def _reach(self, table: Table) -> Callers:
        """Who has read on the object itself."""
        name = table.name
        if name.home not in self.world.datasets:
            return frozenset()
        always, conditional = self._rights(name.home, Right.READ)
        own = [entry for entry in table.grants if Right.READ in RIGHTS.get(entry.role, ())]
        if not conditional and not own:
            return always
        return always | self._conditional((*conditional, *own), name.home, name.resource, "Table")

    def _readable(self, name: TableName, via: Table | None, clear: bool) -> Callers:
        key = (name, None if via is None else via.name, clear)
        if key in self._tables:
            return self._tables[key]
        self._tables[key] = frozenset()  # views that read each other are read by nobody
        table = self.holders.known(name)
        if table.unreadable:
            return frozenset()
        found = self._reach(table)
        if via is not None and self.access.authorization(via, table) is not None:
            found = self.all
        if via is not None:
            found &= self._touched(table, via.touches.get(name), clear)
        reader = via if table.kind is Kind.WILDCARD else table
        for source in table.reads | table.calls:
            if not found:
                break
            found &= self._readable(source, reader, clear)
        self._tables[key] = found
        return found

    def _touched(self, table: Table, columns: frozenset[str] | None, clear: bool) -> Callers:
        """Who may read the tagged columns that a view mentions."""
        wanted = None if columns is None else {column.lower() for column in columns}
        found = self.all
        for column, tag in table.tags.items():
            if wanted is None or column.lower() in wanted:
                found &= self._tagged(tag, clear)
        return found

    def _tagged(self, name: str, clear: bool) -> Callers:
        tag = self.holders.tag(name)
        project = tag.name.split("/")[1] if tag.name.startswith("projects/") else self.world.project
        home = DatasetName(project, "")
        grants = [(entry, FINE_GRAINED_READER) for entry in (*tag.readers, *self.holders.inherited(project))]
        if not clear:
            grants += [(entry, MASKED_READER) for entry in (*tag.masked, *self.holders.inherited(project))]
        return self._union(
            self._members(entry, home)
            for entry, role in grants
            if entry.role == role and self.holders.in_force(entry, tag.name, "PolicyTag", Trail())
        )

    def _height(self, name: TableName, path: tuple[TableName, ...] = ()) -> int:
        """Objects on the longest way down, itself included; beyond every bound where views read each other."""
        if name in path:
            return 10 * MAX_HOPS
        if name not in self._heights:
            table = self.holders.known(name)
            below = [self._height(source, (*path, name)) for source in table.reads | table.calls]
            self._heights[name] = 1 + max(below, default=0)
        return self._heights[name]


def everybody(*worlds: World) -> set[str]:
    """Callers who stand for all: every group, every address that an entry names, and one for each domain and for
    anybody at all; and people whose groups differ between the worlds."""
    found = {ANYBODY}
    for world in worlds:
        found |= {group.email for group in world.groups}
        for entry in _entries(world):
            if entry.kind in ("userByEmail", "groupByEmail"):
                found.add(str(entry.subject))
            elif entry.kind == "domain":
                found.add(of_domain(entry.subject))
    if len(worlds) > 1:
        people = [{member for group in world.groups for member in group.members} for world in worlds]
        first, *others = worlds
        for person in set().union(*people):
            groups = first.groups.of(person)
            if any(other.groups.of(person) != groups for other in others):
                found.add(person)
    return found


def _entries(world: World) -> Iterator[Entry]:
    for dataset in world.datasets.values():
        yield from dataset.roles
    for grants in world.project_grants.values():
        yield from grants
    for table in world.tables.values():
        yield from table.grants
    for tag in world.tags.values():
        yield from (*tag.readers, *tag.masked)
