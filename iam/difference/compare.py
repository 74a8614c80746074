"""What changes between two states, in people and columns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from iam.difference.audience import ANYBODY, Audience, Callers, everybody
from iam.difference.reached import Reached
from iam.difference.state import Meaning, State
from iam.engine import Access, Action, DatasetName, Right, RowPolicy
from iam.entries import Entry
from iam.groups import Groups
from iam.lineage.relations import named
from iam.lineage.sensitivity import Sensitivity, highest

if TYPE_CHECKING:
    from dataflow.methods.strength import Direction

POWERS = {Right.WRITE: "change tables and rows of", Right.OWN: "change the dataset and its access list:"}
"""Rights beyond reading whose gain and loss is told."""


@dataclass(frozen=True)
class Column:
    """A column that somebody gains or loses. masked: it comes masked."""

    name: str
    meaning: Meaning
    masked: bool = False


@dataclass(frozen=True)
class Reading:
    """Somebody can read columns now, or no longer can.

    who: a group, person or service; `people`: how many, where that is known. gained: else lost.
    whole: whether these are all columns. why: file and line of the entry that gives it, or the link that is missing.
    """

    who: str
    people: int | None
    table: str
    columns: tuple[Column, ...]
    gained: bool
    whole: bool
    why: str = ""

    @property
    def most(self) -> Sensitivity:
        return highest(*(column.meaning.sensitivity for column in self.columns if not column.masked))


@dataclass(frozen=True)
class Meant:
    """A column that its readers could read before tells something else now. weaker: more, or not comparable."""

    table: str
    column: str
    before: Meaning
    after: Meaning
    weaker: bool
    readers: tuple[tuple[str, int | None], ...]


@dataclass(frozen=True)
class Power:
    """Somebody can change a dataset now, or no longer can."""

    who: str
    people: int | None
    dataset: str
    right: Right
    gained: bool


@dataclass(frozen=True)
class Rows:
    """Row access policies of a table changed. widens: readers may see rows that they did not."""

    table: str
    words: str
    widens: bool
    most: Sensitivity


@dataclass(frozen=True)
class Differences:
    readings: tuple[Reading, ...] = ()
    meanings: tuple[Meant, ...] = ()
    powers: tuple[Power, ...] = ()
    rows: tuple[Rows, ...] = ()
    untraced: Mapping[str, str] = field(default_factory=dict)
    """relation -> why it cannot be traced, of what is new in this"""

    def __bool__(self) -> bool:
        return bool(self.readings or self.meanings or self.powers or self.rows)


def compare(before: State, after: State, at: datetime) -> Differences:
    """All differences. at: when conditions are judged."""
    return _Comparison(before, after, at).all()


class _Comparison:
    def __init__(self, before: State, after: State, at: datetime) -> None:
        self.before, self.after = before, after
        callers = everybody(before.world, after.world)
        self.old, self.new = Audience(before.world, at, callers), Audience(after.world, at, callers)
        self.people = _People(before.files.groups, after.files.groups)
        self.touched = _touched(before, after)
        self.reached = Reached(before.world, after.world)

    def all(self) -> Differences:
        relations = sorted(self.before.relations | self.after.relations)
        return Differences(
            readings=tuple(
                reading for relation in relations if self.differs(relation) for reading in self.readings(relation)
            ),
            meanings=tuple(self.meanings()),
            powers=tuple(self.powers()),
            rows=tuple(self.rows()),
            untraced={
                relation: reason
                for relation, reason in self.after.lineage.faults.items()
                if relation not in self.before.lineage.faults
            },
        )

    # --- reading

    def differs(self, relation: str) -> bool:
        """Whether its readers or its columns may differ."""
        if relation not in self.before.relations or relation not in self.after.relations:
            return True
        if named(relation) in self.reached or relation in self.touched:
            return True
        same = self.before.lineage is self.after.lineage
        return not same and self.before.columns(relation).keys() != self.after.columns(relation).keys()

    def readings(self, relation: str) -> Iterator[Reading]:
        """By who, and what columns. Members of a group that gains the same are not told again."""
        old, new = self.state_of(self.before, self.old, relation), self.state_of(self.after, self.new, relation)
        if old == new:
            return
        for gained, mine, others in ((True, new, old), (False, old, new)):
            changed: dict[str, dict[str, bool]] = {}
            for column, (readers, clear) in mine.items():
                had, had_clear = others.get(column, (frozenset(), frozenset()))
                for who in (readers - had) | (clear - had_clear):
                    changed.setdefault(who, {})[column] = who not in clear
            groups = (self.after if gained else self.before).files.groups
            for who in sorted(changed):
                if not _told_already(who, changed, groups):
                    yield self.reading(relation, who, changed[who], gained, mine)

    def state_of(self, state: State, audience: Audience, relation: str) -> dict[str, tuple[Callers, Callers]]:
        """column -> (who reads it, who of these not masked)"""
        if relation not in state.relations:
            return {}
        name = named(relation)
        tags, world_tags = audience.holders.known(name).tags, state.tagged
        if not tags:
            readers = audience.readers(name)
            clear = audience.readers(name, clear=True) if world_tags else readers
            return dict.fromkeys(state.columns(relation), (readers, clear))
        found = {}
        for path in state.columns(relation):
            tagged = next((key for key in _prefixes(path) if key in {tag.lower() for tag in tags}), path)
            found[path] = audience.column(name, tagged), audience.column(name, tagged, clear=True)
        return found

    def reading(
        self,
        relation: str,
        who: str,
        columns: Mapping[str, bool],
        gained: bool,
        mine: Mapping[str, tuple[Callers, Callers]],
    ) -> Reading:
        state = self.after if gained else self.before
        told = tuple(Column(name, state.meaning(relation, name), masked) for name, masked in columns.items())
        return Reading(
            who=who,
            people=self.people.of(who, gained),
            table=relation.partition(".")[2],
            columns=told,
            gained=gained,
            whole=len(told) == len(mine),
            why=self.why(relation, who, gained),
        )

    def why(self, relation: str, who: str, gained: bool) -> str:
        """Where the entry on the dataset itself stands that lets them in; or the first link that is missing now."""
        decision = self.reasons.decide(who, Action.QUERY, named(relation))
        if gained:
            dataset = relation.split(".")[1]
            places = (reason.place for reason in decision.reasons if reason.text.endswith(f" on {dataset}"))
            return next((f"{place.file}:{place.line}" for place in places if place is not None), "")
        return "" if decision.allowed or not decision.chain else decision.missing

    @cached_property
    def reasons(self) -> Access:
        """The engine on the world of now, in which everybody may run jobs: that is not what is asked."""
        world = self.after.world
        jobs = Entry({"role": "roles/bigquery.jobUser", "iamMember": "allUsers"})
        grants = (*world.project_grants.get(world.project, ()), jobs)
        return Access(
            replace(world, project_grants={**world.project_grants, world.project: grants}), self.new.access.at
        )

    # --- meaning

    def meanings(self) -> Iterator[Meant]:
        """Columns that somebody could read before and can read now, and that tell something else."""
        directions = _directions(self.before, self.after)
        for relation in sorted(self.touched & self.before.relations & self.after.relations):
            old, new = self.state_of(self.before, self.old, relation), self.state_of(self.after, self.new, relation)
            for column in new:
                readers = old.get(column, (frozenset(),))[0] & new[column][0]
                if not readers:
                    continue
                was, now = self.before.meaning(relation, column), self.after.meaning(relation, column)
                if was == now:
                    continue
                groups = self.after.files.groups
                told = sorted(who for who in readers if not _within(who, readers, groups))
                yield Meant(
                    relation.partition(".")[2],
                    column,
                    was,
                    now,
                    _weaker(was, now, directions),
                    tuple((who, self.people.of(who, True)) for who in told),
                )

    # --- beyond reading

    def powers(self) -> Iterator[Power]:
        names = sorted(self.before.files.datasets.keys() | self.after.files.datasets.keys())
        for dataset in names:
            name = DatasetName(self.after.files.project, dataset)
            for right in POWERS:
                old, new = self.old.having(right, name), self.new.having(right, name)
                for gained, changed, files in ((True, new - old, self.after), (False, old - new, self.before)):
                    for who in sorted(changed):
                        if not _within(who, changed, files.files.groups):
                            yield Power(who, self.people.of(who, gained), dataset, right, gained)

    def rows(self) -> Iterator[Rows]:
        old = {name: table.row_policies for name, table in self.before.world.tables.items() if table.row_policies}
        new = {name: table.row_policies for name, table in self.after.world.tables.items() if table.row_policies}
        for name in sorted(old.keys() | new.keys()):
            before, after = _policies(old.get(name, ())), _policies(new.get(name, ()))
            if before != after:
                columns = self.after.columns(f"{name.project}.{name.dataset}.{name.table}").values()
                words, widens = _row_words(before, after)
                yield Rows(name.short, words, widens, highest(*columns) if columns else Sensitivity.SENSITIVE)


class _People:
    def __init__(self, before: Groups, after: Groups) -> None:
        self.before, self.after = before, after
        self.known: dict[tuple[str, bool], int | None] = {}

    def of(self, who: str, now: bool) -> int | None:
        """How many people a group holds; None where groups.json does not say, or for what is no group."""
        if (who, now) not in self.known:
            groups = self.after if now else self.before
            self.known[who, now] = len(groups.people(who)) or None if who in groups else None
        return self.known[who, now]


def _touched(before: State, after: State) -> set[str]:
    """Relations that may tell something else: what is built in another way, and everything that reads it."""
    old, new = before.lineage, after.lineage
    found = {relation for relation in new.flows if new.flows[relation] != old.flows.get(relation)}
    found |= new.faults.keys() | old.faults.keys()
    if old.begins != new.begins:
        found |= {name.partition("#")[0] for name, origin in new.begins.items() if old.begins.get(name) != origin}
    reads = {relation: set(new.reads.get(model.id, ())) for relation, model in new.models.items()}
    readers: dict[str, list[str]] = {}
    for relation, tables in reads.items():
        for table in tables:
            readers.setdefault(table, []).append(relation)
    waiting = list(found)
    while waiting:
        for reader in readers.get(waiting.pop(), ()):
            if reader not in found:
                found.add(reader)
                waiting.append(reader)
    return found


def _directions(before: State, after: State) -> "dict[str, Direction]":
    """`stream.field` -> in which direction the policy changed for it."""
    if before.lineage.origins == after.lineage.origins:
        return {}
    from dataflow.policy.diff import diff

    return {change.where: change.direction for change in diff(before.rules(), after.rules())}


def _weaker(was: Meaning, now: Meaning, directions: "Mapping[str, Direction]") -> bool:
    """Whether a column may tell more than before."""
    if now.sensitivity.rank != was.sensitivity.rank:
        return now.sensitivity.rank > was.sensitivity.rank
    if now.sensitivity is Sensitivity.COUNT:
        return False
    known = {field: method for field, _, method in was.origins}
    for name, _, method in now.origins:
        if name not in known:
            return True
        if method != known[name] and str(directions.get(name, "changed")) != "stronger":
            return True
    return False


def _within(who: str, others: Callers | set[str], groups: Groups) -> bool:
    """Whether a group that somebody is in, everybody of the domain, or anybody at all is among the others."""
    domain = f"anybody@{who.partition('@')[2]}"
    return (
        (who != ANYBODY and ANYBODY in others)
        or (who != domain and domain in others)
        or not groups.of(who).isdisjoint(others)
    )


def _told_already(who: str, changed: Mapping[str, Mapping[str, bool]], groups: Groups) -> bool:
    wider = {other for other, columns in changed.items() if other != who and columns.items() >= changed[who].items()}
    return _within(who, wider, groups)


def _prefixes(path: str) -> list[str]:
    steps = path.lower().split(".")
    return [".".join(steps[:length]) for length in range(len(steps), 0, -1)]


type Written = dict[str, tuple[str, frozenset[str]]]


def _policies(policies: tuple[RowPolicy, ...]) -> Written:
    return {policy.name: (policy.filter, policy.grantees) for policy in policies}


def _row_words(before: Written, after: Written) -> tuple[str, bool]:
    """In words, and whether somebody may see more rows."""
    if not after:
        return f"has no row access policy any more (had {', '.join(sorted(before))}): its readers see every row", True
    told, widens = [], False
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            told.append(f"{name} is new, for {', '.join(sorted(after[name][1]))}")
            widens |= bool(before)
        elif name not in after:
            told.append(f"{name} is gone")
        elif before[name] != after[name]:
            more = sorted(after[name][1] - before[name][1])
            changed = before[name][0] != after[name][0]
            parts = [*(["another filter"] if changed else []), *([f"now for {', '.join(more)}"] if more else [])]
            parts += [f"no longer for {one}" for one in sorted(before[name][1] - after[name][1])]
            told.append(f"{name}: {', '.join(parts)}")
            widens |= changed or bool(more)
    return "; ".join(told), widens
