"""The world as the engine sees it: datasets with their access lists, views and what they read, groups, grants.

Pure data. It is made of the files of `iam/` for the command line, and of the emulator's live resources, asked one by
one, for the gateway. Whoever makes it decides what is known; the engine denies what is not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from iam.engine.names import DatasetName, TableName
from iam.entries import Entry
from iam.groups import Groups
from iam.positions import Place


@dataclass(frozen=True)
class Dataset:
    """A dataset: its access list as BigQuery has it, members and authorized resources together."""

    name: DatasetName
    grants: tuple[Entry, ...] = ()

    @cached_property
    def roles(self) -> tuple[Entry, ...]:
        """The grants that give a role to members."""
        return tuple(entry for entry in self.grants if not entry.authorizes)

    @cached_property
    def authorized_tables(self) -> Mapping[TableName, Entry]:
        """Views that may read the dataset."""
        return self._authorized("view", "tableId")

    @cached_property
    def authorized_routines(self) -> Mapping[TableName, Entry]:
        return self._authorized("routine", "routineId")

    @cached_property
    def authorized_datasets(self) -> Mapping[tuple[DatasetName, str], Entry]:
        """(dataset, VIEWS or ROUTINES) of which all views or routines may read this one."""
        found: dict[tuple[DatasetName, str], Entry] = {}
        for entry in self.grants:
            if entry.kind == "dataset":
                inner = entry.subject.get("dataset") or {}
                name = DatasetName(inner.get("projectId", ""), inner.get("datasetId", ""))
                for kind in entry.subject.get("targetTypes") or ():
                    found.setdefault((name, kind), entry)
        return found

    def _authorized(self, kind: str, key: str) -> Mapping[TableName, Entry]:
        found: dict[TableName, Entry] = {}
        for entry in self.grants:
            if entry.kind == kind:
                subject = entry.subject
                name = TableName(subject.get("projectId", ""), subject.get("datasetId", ""), subject.get(key, ""))
                found.setdefault(name, entry)
        return found


@dataclass(frozen=True)
class RowPolicy:
    """A row access policy of a table.

    grantees: IAM members, e.g. `group:analysts@example.com`, `allAuthenticatedUsers`. filter: a GoogleSQL predicate.
    """

    name: str
    filter: str
    grantees: frozenset[str]
    place: Place | None = None

    @property
    def everything(self) -> bool:
        """The TRUE filter: what reads without a query (tabledata.list, copies, the Storage API) and DML take it.
        https://cloud.google.com/bigquery/docs/using-row-level-security-with-features"""
        return self.filter.strip().strip("()").strip().lower() == "true"


@dataclass(frozen=True)
class PolicyTag:
    """A policy tag: who reads its columns in clear, and who masked.

    name: resource name `projects/p/locations/l/taxonomies/t/policyTags/n`, or whatever the schema says. title: as
    messages have it, `taxonomy : tag`.
    """

    name: str
    title: str
    readers: tuple[Entry, ...] = ()
    masked: tuple[Entry, ...] = ()
    place: Place | None = None


class Kind(Enum):
    """What a name of a table stands for."""

    TABLE = "table"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialized view"
    ROUTINE = "routine"
    WILDCARD = "wildcard"


@dataclass(frozen=True)
class Table:
    """A table, view or routine.

    reads: the tables and views that a view or routine reads. calls: the routines that it calls.
    tags: column -> name of its policy tag, of columns that have one.
    touches: source -> its columns that the definition mentions; a source that is absent: all of them.
    row_policies: in force when there is at least one.
    grants: on this table alone. unreadable: why its definition is not understood; it is then closed.
    """

    name: TableName
    kind: Kind = Kind.TABLE
    reads: frozenset[TableName] = frozenset()
    calls: frozenset[TableName] = frozenset()
    tags: Mapping[str, str] = field(default_factory=dict)
    touches: Mapping[TableName, frozenset[str]] = field(default_factory=dict)
    row_policies: tuple[RowPolicy, ...] = ()
    grants: tuple[Entry, ...] = ()
    unreadable: str = ""
    place: Place | None = None


@dataclass(frozen=True)
class World:
    """Everything that decides who sees what.

    project: where jobs run and where a name without a project is. groups: who is in which.
    datasets, tables: what exists. A dataset that is missing is closed; a name that is missing among the tables is a
    plain table without policies, as far as is known. tags: policy tags by name.
    project_grants: on the project of the name, and what it inherits from folders and the organization.
    imported: the projects whose IAM policy, with all it inherits, is in project_grants; of others an answer is not
    proved.
    """

    project: str
    groups: Groups
    datasets: Mapping[DatasetName, Dataset]
    tables: Mapping[TableName, Table] = field(default_factory=dict)
    tags: Mapping[str, PolicyTag] = field(default_factory=dict)
    project_grants: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    imported: frozenset[str] = frozenset()


def world(
    project: str,
    groups: Groups,
    datasets: Mapping[str, Iterable[Entry]],
    views: Mapping[str, Iterable[str]] | None = None,
    project_grants: Iterable[Entry] = (),
) -> World:
    """A small world of one project, for tests and trials: datasets and views (`d.v`: what it reads) by short names."""

    def name(short: str) -> TableName:
        return TableName(project, *short.split(".", 1))

    tables = {name(view): Table(name(view), Kind.VIEW, frozenset(map(name, of))) for view, of in (views or {}).items()}
    return World(
        project,
        groups,
        {
            (where := DatasetName(project, dataset)): Dataset(where, tuple(access))
            for dataset, access in datasets.items()
        },
        tables,
        project_grants={project: tuple(project_grants)},
    )


class Certainty(Enum):
    """How much an answer is worth."""

    PROVED = "proved"
    AS_FAR_AS_IAM_TELLS = "as far as iam/ tells"
