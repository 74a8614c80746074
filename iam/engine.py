"""The one access engine: may this caller do this, and along which chain of views?

Pure: no network and no google import. It answers from a catalogue of datasets' access lists and views' sources, so
that the command line asks it about the files and the gateway about the live datasets.

BigQuery's rule for a query on a view: the caller needs read on the view's dataset; for each object that the view
reads, the caller needs read on that object's dataset, *or* the view (or its whole dataset) is authorized there; and
so on at each hop. https://cloud.google.com/bigquery/docs/authorized-views
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Protocol

from iam.entries import Entry
from iam.groups import Groups

MAX_HOPS = 16
"""BigQuery allows 16 levels of views over views: https://cloud.google.com/bigquery/quotas#view_limits"""

EXPIRY = re.compile(r"""\s*request\.time\s*<\s*timestamp\(\s*["']([^"']+)["']\s*\)\s*""")
"""The one condition that is understood; an entry with any other grants nothing here."""


class Right(Enum):
    """What a role allows, as coarse as dataset roles are."""

    METADATA = "see the dataset, its tables and their schemas"
    READ = "read rows"
    WRITE = "create, change and delete tables and rows"
    OWN = "change the dataset and who has access to it"
    RUN_JOBS = "run jobs in the project"
    CREATE_DATASETS = "create datasets in the project"


_VIEWER = frozenset({Right.METADATA, Right.READ})
_EDITOR = _VIEWER | {Right.WRITE}
_OWNER = _EDITOR | {Right.OWN}

RIGHTS: dict[str, frozenset[Right]] = {
    "roles/bigquery.metadataViewer": frozenset({Right.METADATA}),
    "roles/bigquery.dataViewer": _VIEWER,
    "roles/bigquery.dataEditor": _EDITOR | {Right.CREATE_DATASETS},
    "roles/bigquery.dataOwner": _OWNER | {Right.CREATE_DATASETS},
    "roles/bigquery.jobUser": frozenset({Right.RUN_JOBS}),
    "roles/bigquery.user": frozenset({Right.RUN_JOBS, Right.CREATE_DATASETS}),
    "roles/bigquery.admin": frozenset(Right),
    "roles/viewer": frozenset({Right.RUN_JOBS}),
    "roles/editor": frozenset({Right.RUN_JOBS, Right.CREATE_DATASETS}),
    "roles/owner": frozenset({Right.RUN_JOBS, Right.CREATE_DATASETS}),
}
"""role -> rights; RUN_JOBS and CREATE_DATASETS count on the project only. A role that is not listed grants nothing
here. https://cloud.google.com/bigquery/docs/access-control"""

_SPECIAL_GROUPS = {"projectOwners": "roles/owner", "projectWriters": "roles/editor", "projectReaders": "roles/viewer"}
"""special group -> the basic role on the project whose holders are in it"""


@dataclass(frozen=True, order=True)
class TableName:
    """A table, view or wildcard `prefix*`. Names of datasets and tables compare case-sensitively."""

    project: str
    dataset: str
    table: str

    def __str__(self) -> str:
        """As BigQuery's messages have it: p:d.t"""
        return f"{self.project}:{self.dataset}.{self.table}"


class Catalogue(Protocol):
    """What the engine needs to know of the world."""

    def access(self, project: str, dataset: str) -> tuple[Entry, ...] | None:
        """The dataset's entries; None when there is no such dataset."""

    def sources(self, table: TableName) -> frozenset[TableName] | None:
        """The tables and views that a view reads; None when it is no view (a table, or nothing at all)."""


@dataclass(frozen=True)
class Answer:
    """allowed: the answer. missing: the object on which the caller lacks the right, and its chain from the object
    asked for."""

    allowed: bool
    chain: tuple[TableName, ...] = ()

    @property
    def missing(self) -> TableName | None:
        return self.chain[-1] if self.chain else None


ALLOWED = Answer(True)


class Access:
    """Answers for one catalogue.

    groups: who is in which group. project_grants: entries that hold for the whole project. now: the clock for expiries.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        groups: Groups,
        project_grants: Iterable[Entry] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.catalogue, self.groups, self.now = catalogue, groups, now
        self.project_grants = tuple(project_grants)

    def project_rights(self, caller: str) -> frozenset[Right]:
        """The caller's rights on every dataset of the project, and RUN_JOBS, CREATE_DATASETS."""
        return frozenset(
            right for entry in self._held(caller, self.project_grants) for right in RIGHTS.get(entry.role, ())
        )

    def rights(self, caller: str, project: str, dataset: str) -> frozenset[Right]:
        """The caller's rights on one dataset: its own entries and what the project grants. None on a dataset that is
        missing."""
        access = self.catalogue.access(project, dataset)
        if access is None:
            return frozenset()
        inherited = tuple(self._held(caller, self.project_grants))
        basic = frozenset(entry.role for entry in inherited)
        own = (right for entry in self._held(caller, access, basic) for right in RIGHTS.get(entry.role, ()))
        passed = (right for entry in inherited for right in RIGHTS.get(entry.role, ()))
        return frozenset((*own, *passed)) - {Right.RUN_JOBS, Right.CREATE_DATASETS}

    def may(self, caller: str, right: Right, project: str, dataset: str) -> bool:
        return right in self.rights(caller, project, dataset)

    def may_read(self, caller: str, table: TableName) -> Answer:
        """May the caller query this table or view, through all that it reads?"""
        return self._read(caller, table, None, (), {})

    def _read(
        self,
        caller: str,
        table: TableName,
        via: TableName | None,
        path: tuple[TableName, ...],
        seen: dict[object, Answer],
    ) -> Answer:
        path = (*path, table)
        if len(path) > MAX_HOPS + 1 or table in path[:-1]:
            return Answer(False, path)  # views that read each other, or nest deeper than BigQuery runs them
        if (table, via) in seen:
            return seen[table, via]
        if not (self.may(caller, Right.READ, table.project, table.dataset) or (via and self.authorized(via, table))):
            return Answer(False, path)
        for source in sorted(self.catalogue.sources(table) or ()):
            if not (answer := self._read(caller, source, table, path, seen)).allowed:
                return answer
        seen[table, via] = ALLOWED
        return ALLOWED

    def authorized(self, view: TableName, source: TableName) -> bool:
        """Whether the source's dataset authorizes the view, or the whole dataset that the view is in."""
        by_view = {"projectId": view.project, "datasetId": view.dataset, "tableId": view.table}
        by_dataset = {"projectId": view.project, "datasetId": view.dataset}
        for entry in self.catalogue.access(source.project, source.dataset) or ():
            if not self._in_force(entry):
                continue
            if entry.kind == "view" and entry.subject == by_view:
                return True
            whole = entry.kind == "dataset" and entry.subject.get("dataset") == by_dataset
            if whole and "VIEWS" in entry.subject.get("targetTypes", ()):
                return True
        return False

    def _held(
        self, caller: str, entries: Iterable[Entry], project_roles: frozenset[str] = frozenset()
    ) -> Iterable[Entry]:
        """The entries that grant something to the caller, now."""
        email = caller.lower()
        groups = self.groups.of(email)
        domain = email.partition("@")[2]
        for entry in entries:
            kind, subject = entry.kind, entry.subject
            held = (
                (kind == "userByEmail" and subject == email)
                or (kind == "groupByEmail" and subject in groups)
                or (kind == "domain" and subject == domain)
                or (kind == "specialGroup" and subject == "allAuthenticatedUsers")
                or (kind == "specialGroup" and _SPECIAL_GROUPS.get(subject) in project_roles)
                or (kind == "iamMember" and subject == "allUsers")
            )
            if held and entry.role and self._in_force(entry):
                yield entry

    def _in_force(self, entry: Entry) -> bool:
        if entry.condition is None:
            return True
        match = EXPIRY.fullmatch(str(entry.condition.get("expression", "")))
        if match is None:
            return False
        try:
            until = datetime.fromisoformat(match[1])
        except ValueError:
            return False
        return until.tzinfo is not None and self.now() < until
