"""May this caller do this? BigQuery's rules, applied to a world.

A query on a view: the caller needs read on the view; for each object that it reads the caller needs read on that
object, *or* the view (or its whole dataset) is authorized at the object's dataset; and so on at each hop
(https://cloud.google.com/bigquery/docs/authorized-views). Row access policies and policy tags of every table at the
end hold for the caller, however many authorized views lie between
(https://cloud.google.com/bigquery/docs/row-level-security-intro).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from iam.engine import denials
from iam.engine.holders import Caller, Holders, Reason, Trail
from iam.engine.names import DatasetName, TableName
from iam.engine.rights import (
    FINE_GRAINED_READER,
    MASKED_READER,
    NEEDS,
    RIGHTS,
    Action,
    Right,
)
from iam.engine.world import Certainty, Kind, PolicyTag, Table, World
from iam.entries import Entry

MAX_HOPS = 16
"""BigQuery allows 16 levels of views over views: https://cloud.google.com/bigquery/quotas#view_limits"""

WHOLE_TABLE = frozenset({Action.LIST_ROWS, Action.COPY, Action.STORAGE_READ})
"""Actions that no row access policy can filter: they take the TRUE filter."""


@dataclass(frozen=True)
class RowFilter:
    """What a caller sees of a table with row access policies: the rows for which one of the filters is true."""

    table: TableName
    filters: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """The answer.

    allowed: whether it is done. denial: else BigQuery's message.
    reasons: the links that hold, in order; of a denial those before the missing one.
    missing: the first link that is missing, one sentence. chain: the objects from the one asked for to where it ended.
    filters, masked: what the caller does not see of what is allowed: rows, and columns (`p.d.t.c`) that come masked.
    read: every table and view on the way.
    certainty: whether more than the files of iam/ was known. doubts: what could not be judged, one sentence each.
    """

    allowed: bool
    denial: str = ""
    reasons: tuple[Reason, ...] = ()
    missing: str = ""
    chain: tuple[TableName, ...] = ()
    filters: tuple[RowFilter, ...] = ()
    masked: tuple[str, ...] = ()
    read: frozenset[TableName] = frozenset()
    certainty: Certainty = Certainty.AS_FAR_AS_IAM_TELLS
    doubts: tuple[str, ...] = ()


def decide(
    world: World,
    caller: str,
    action: Action,
    resource: TableName | DatasetName | str,
    columns: Iterable[str] | None = None,
    at: datetime | None = None,
) -> Decision:
    """One answer; for many at one time make an Access."""
    return Access(world, at).decide(caller, action, resource, columns)


@dataclass
class _Trail(Trail):
    """With what restricts the answer. seen: (table, the view it was reached through, columns) that are allowed."""

    filters: dict[TableName, RowFilter] = field(default_factory=dict)
    masked: set[str] = field(default_factory=set)
    read: set[TableName] = field(default_factory=set)
    seen: set[object] = field(default_factory=set)


class _DeniedError(Exception):
    """Ends a question: BigQuery's message, the missing link, and the chain to it."""

    def __init__(self, denial: str, missing: str, chain: tuple[TableName, ...] = ()) -> None:
        super().__init__(denial)
        self.denial, self.missing, self.chain = denial, missing, chain


class Access:
    """Answers for one world at one time.

    at: when; now when it is left out.
    """

    def __init__(self, world: World, at: datetime | None = None) -> None:
        self.world = world
        self.at = at or datetime.now(UTC)
        self.holders = Holders(world, self.at)

    def decide(
        self,
        caller: str,
        action: Action,
        resource: TableName | DatasetName | str,
        columns: Iterable[str] | None = None,
        joining: str = "",
    ) -> Decision:
        """May `caller` do `action` on the table, dataset or project?

        columns: those of the table that are asked for; None: all. joining: a group that the caller is taken to be in
        as well.
        """
        who, trail = self.holders.caller(caller, joining), _Trail()
        try:
            if isinstance(resource, TableName):
                self._table(who, action, resource, None if columns is None else frozenset(columns), trail)
            elif isinstance(resource, DatasetName):
                self._dataset(who, action, resource, trail)
            else:
                self._project(who, NEEDS[action], resource, trail)
        except _DeniedError as no:
            return self._answer(trail, Decision(False, no.denial, missing=no.missing, chain=no.chain))
        return self._answer(trail, Decision(True))

    def rights(self, caller: str, dataset: DatasetName) -> frozenset[Right]:
        """The caller's rights on a dataset: its own entries and what the project grants; none where it is missing."""
        return frozenset(self.holders.rights(self.holders.caller(caller), dataset, None, _Trail()))

    def project_rights(self, caller: str, project: str = "") -> frozenset[Right]:
        """The caller's rights on the project and every dataset in it."""
        project = project or self.world.project
        held = self.holders.held(
            self.holders.caller(caller), self.holders.inherited(project), f"projects/{project}", "project", _Trail()
        )
        return frozenset(right for grant in held for right in RIGHTS.get(grant.role, ()))

    def _answer(self, trail: _Trail, decision: Decision) -> Decision:
        known = trail.projects | {self.world.project} <= self.world.imported and not trail.doubts
        return replace(
            decision,
            reasons=tuple(dict.fromkeys(trail.reasons)),
            filters=tuple(trail.filters.values()),
            masked=tuple(sorted(trail.masked)),
            read=frozenset(trail.read),
            certainty=Certainty.PROVED if known else Certainty.AS_FAR_AS_IAM_TELLS,
            doubts=tuple(sorted(trail.doubts)),
        )

    # --- what is asked for

    def _project(self, who: Caller, right: Right, project: str, trail: _Trail) -> None:
        trail.projects.add(project)
        for grant in self.holders.held(who, self.holders.inherited(project), f"projects/{project}", "project", trail):
            if right in RIGHTS.get(grant.role, ()):
                self.holders.because(who, grant, f"the project {project}", trail)
                return
        permission = {
            Right.RUN_JOBS: "bigquery.jobs.create",
            Right.CREATE_DATASETS: "bigquery.datasets.create",
            Right.READ_SESSIONS: "bigquery.readsessions.create",
        }.get(right, "bigquery.datasets.get")
        raise _DeniedError(
            denials.no_project(project, permission), f"Nothing lets {who.email} {right.value} {project}."
        )

    def _dataset(self, who: Caller, action: Action, dataset: DatasetName, trail: _Trail) -> None:
        grant = self.holders.rights(who, dataset, None, trail).get(NEEDS[action])
        if grant is None:
            raise _DeniedError(
                denials.no_dataset(dataset, action), f"{who.email} has no role on {dataset.dataset} to do it."
            )
        self.holders.because(who, grant, dataset.dataset, trail)

    def _table(
        self, who: Caller, action: Action, name: TableName, columns: frozenset[str] | None, trail: _Trail
    ) -> None:
        if action in (Action.QUERY, Action.COPY):
            self._project(who, Right.RUN_JOBS, self.world.project, trail)
        if action is Action.STORAGE_READ:
            self._project(who, Right.READ_SESSIONS, self.world.project, trail)
        if action in (Action.QUERY, Action.COPY, Action.STORAGE_READ, Action.LIST_ROWS):
            self._read(who, action, name, columns, None, (), trail)
            return
        right = NEEDS[action]
        grant = self.holders.rights(who, name.home, name, trail).get(right)
        if grant is None:
            missing = f"{who.email} has no role on {name.short} that lets one {right.value}."
            raise _DeniedError(denials.no_table(name, action), missing, (name,))
        self.holders.because(who, grant, name.dataset, trail)
        if action is Action.CHANGE_ROWS:
            self._rows(who, action, self.holders.known(name), (name,), trail)

    def _read(
        self,
        who: Caller,
        action: Action,
        name: TableName,
        columns: frozenset[str] | None,
        via: Table | None,
        path: tuple[TableName, ...],
        trail: _Trail,
    ) -> None:
        path = (*path, name)
        key = (name, via and via.name, columns)
        if len(path) > MAX_HOPS + 1 or name in path[:-1]:
            raise _DeniedError(
                denials.no_query(name), f"{name.short}: views that read each other, or nest too deeply.", path
            )
        if key in trail.seen:
            return
        table = self.holders.known(name)
        self._reach(who, action, table, via, path, trail)
        if table.unreadable:
            raise _DeniedError(
                denials.not_understood(name, table.unreadable), f"{name.short}: {table.unreadable}", path
            )
        if action in (Action.LIST_ROWS, Action.STORAGE_READ) and table.kind is not Kind.TABLE:
            raise _DeniedError(
                denials.no_table(name, action),
                f"{name.short} is a {table.kind.value}: its rows come by a query only.",
                path,
            )
        self._rows(who, action, table, path, trail)
        self._columns(who, table, columns, path, trail)
        reader = via if table.kind is Kind.WILDCARD else table  # a wildcard is what reads it, under another name
        for source in sorted(table.reads | table.calls):
            trail.reasons.append(Reason(f"{name.short} reads {source.short}", table.place))
            self._read(who, action, source, table.touches.get(source), reader, path, trail)
        trail.seen.add(key)
        trail.read.add(name)

    # --- the rules

    def _reach(
        self, who: Caller, action: Action, table: Table, via: Table | None, path: tuple[TableName, ...], trail: _Trail
    ) -> None:
        """The caller may read the object itself, or the view that reads it is authorized at its dataset."""
        name = table.name
        grant = self.holders.rights(who, name.home, name, trail).get(Right.READ)
        if grant is not None:
            where = name.short if grant in table.grants else name.dataset
            self.holders.because(who, grant, where, trail)
            return
        if via is not None and (grant := self.authorization(via, table)) is not None:
            kind = "routines" if via.kind is Kind.ROUTINE else "views"
            whole = grant.kind == "dataset"
            authorized = f"the {kind} of {via.name.dataset}" if whole else via.name.short
            trail.reasons.append(Reason(f"{name.dataset} authorizes {authorized}", grant.place))
            return
        if name.home not in self.world.datasets:
            missing = f"There is no dataset {name.dataset}, as far as is known."
        elif via is None:
            missing = f"No entry of {name.dataset} gives {who.email} a role to read {name.short}."
        else:
            missing = (
                f"{name.dataset} does not authorize {via.name.short}, which reads {name.short}, "
                f"and {who.email} has no role to read it."
            )
        direct = via is None and action is not Action.QUERY
        raise _DeniedError(denials.no_table(name, action) if direct else denials.no_query(name), missing, path)

    def authorization(self, via: Table, source: Table) -> Entry | None:
        """The entry of the source's dataset that lets the view or routine read it.

        A routine that is called is no data: authorizations are for what it reads.
        """
        dataset = self.world.datasets.get(source.name.home)
        if dataset is None or source.kind is Kind.ROUTINE:
            return None
        routine = via.kind is Kind.ROUTINE
        by_name = dataset.authorized_routines if routine else dataset.authorized_tables
        whole = dataset.authorized_datasets.get((via.name.home, "ROUTINES" if routine else "VIEWS"))
        for grant in (by_name.get(via.name), whole):
            if grant is not None and self.holders.in_force(grant, dataset.name.resource, "Dataset", _Trail()):
                return grant
        return None

    def _rows(self, who: Caller, action: Action, table: Table, path: tuple[TableName, ...], trail: _Trail) -> None:
        if not table.row_policies:
            return
        granted = [policy for policy in table.row_policies if self.holders.grantee(who, policy)]
        for policy in granted:
            trail.reasons.append(Reason(f"row access policy {policy.name} lets rows through", policy.place))
        if any(policy.everything for policy in granted):
            return
        if action in WHOLE_TABLE or action is Action.CHANGE_ROWS or table.kind is Kind.WILDCARD:
            missing = f"{who.email} has no row access policy with the filter TRUE on {table.name.short}."
            raise _DeniedError(denials.no_rows_of(table.name), missing, path)
        trail.filters[table.name] = RowFilter(table.name, tuple(sorted(policy.filter for policy in granted)))

    def _columns(
        self, who: Caller, table: Table, columns: frozenset[str] | None, path: tuple[TableName, ...], trail: _Trail
    ) -> None:
        if not table.tags:
            return
        wanted = None if columns is None else {column.lower() for column in columns}
        closed: dict[str, list[str]] = {}
        for column, name in table.tags.items():
            if wanted is not None and column.lower() not in wanted:
                continue
            tag = self.holders.tag(name)
            if (grant := self._tag_reader(who, tag, tag.readers, FINE_GRAINED_READER, trail)) is not None:
                self.holders.because(who, grant, f"the policy tag {tag.title}", trail)
            elif (grant := self._tag_reader(who, tag, tag.masked, MASKED_READER, trail)) is not None:
                trail.masked.add(f"{table.name.project}.{table.name.dataset}.{table.name.table}.{column}")
                self.holders.because(who, grant, f"the policy tag {tag.title}", trail)
            else:
                closed.setdefault(tag.title, []).append(column)
        for title, names in sorted(closed.items()):
            missing = f"{who.email} is no fine-grained reader of the policy tag {title} on {table.name.short}."
            raise _DeniedError(denials.no_columns(title, table.name, names), missing, path)

    def _tag_reader(
        self, who: Caller, tag: PolicyTag, own: tuple[Entry, ...], role: str, trail: _Trail
    ) -> Entry | None:
        """The grant on the tag, or on the tag's project, by which the caller has the role."""
        project = tag.name.split("/")[1] if tag.name.startswith("projects/") else self.world.project
        inherited = (grant for grant in self.holders.inherited(project) if grant.role == role)
        mine = (grant for grant in own if grant.role == role)
        return next(self.holders.held(who, (*mine, *inherited), tag.name, "PolicyTag", trail), None)
