"""Who holds what: the grants of a list that give something to a caller, at a time, on a resource."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from iam.engine.conditions import Request, UnknownConditionError, holds
from iam.engine.names import DatasetName, TableName
from iam.engine.rights import PROJECT_RIGHTS, RIGHTS, SPECIAL_GROUPS, WITHOUT_DATA, Right
from iam.engine.world import Dataset, PolicyTag, RowPolicy, Table, World
from iam.entries import Entry
from iam.positions import Place


@dataclass(frozen=True)
class Caller:
    """Who asks: e-mail, and the groups that the person, service account or group is in."""

    email: str
    groups: frozenset[str]

    @property
    def domain(self) -> str:
        return self.email.partition("@")[2]


@dataclass(frozen=True)
class Reason:
    """One link of the chain: what holds, and where it is written."""

    text: str
    place: Place | None = None

    def __str__(self) -> str:
        return f"{self.text} ({self.place})" if self.place else self.text


@dataclass
class Trail:
    """What one question has met so far: the links that hold, sentences of what could not be judged, projects."""

    reasons: list[Reason] = field(default_factory=list)
    doubts: set[str] = field(default_factory=set)
    projects: set[str] = field(default_factory=set)


class Holders:
    """For one world at one time."""

    def __init__(self, world: World, at: datetime) -> None:
        self.world, self.at = world, at
        self._callers: dict[tuple[str, str], Caller] = {}

    def caller(self, email: str, joining: str = "") -> Caller:
        email = email.lower()
        if (email, joining) not in self._callers:
            groups = self.world.groups.of(email)
            if email in self.world.groups:
                groups |= {email}
            if joining:
                groups |= {joining, *self.world.groups.of(joining)}
            self._callers[email, joining] = Caller(email, groups)
        return self._callers[email, joining]

    def rights(self, who: Caller, dataset: DatasetName, table: TableName | None, trail: Trail) -> dict[Right, Entry]:
        """right -> the grant that gives it: on the table, the dataset, or the project."""
        trail.projects.add(dataset.project)
        known = self.world.datasets.get(dataset)
        if known is None:
            return {}
        found: dict[Right, Entry] = {}
        where, kind = (table.resource, "Table") if table else (dataset.resource, "Dataset")
        inherited = self.inherited(dataset.project)
        own = (*known.roles, *(self.known(table).grants if table else ()), *inherited)
        for grant in self.held(who, own, where, kind, trail, known):
            for right in RIGHTS.get(grant.role, ()):
                if right not in PROJECT_RIGHTS:
                    found.setdefault(right, grant)
        return found

    def held(
        self,
        who: Caller,
        grants: Iterable[Entry],
        resource: str,
        kind: str,
        trail: Trail,
        dataset: Dataset | None = None,
    ) -> Iterator[Entry]:
        """The grants that give something to the caller, now."""
        for grant in grants:
            if not grant.role or not self.is_caller(who, grant, dataset):
                continue
            if grant.role not in RIGHTS and not grant.role.startswith(WITHOUT_DATA):
                trail.doubts.add(f"What the role {grant.role} allows is not known here{_at(grant)}.")
            if self.in_force(grant, resource, kind, trail):
                yield grant

    def is_caller(self, who: Caller, entry: Entry, dataset: Dataset | None = None) -> bool:
        """Whether the entry names the caller, a group of the caller's, or everybody. dataset: whose special groups."""
        kind, subject = entry.kind, entry.subject
        if kind == "userByEmail":
            return bool(subject == who.email)
        if kind == "groupByEmail":
            return subject in who.groups
        if kind == "domain":
            return bool(subject == who.domain)
        if kind == "iamMember":
            return bool(subject == "allUsers")
        if kind != "specialGroup":
            return False
        if subject == "allAuthenticatedUsers":
            return True
        basic = SPECIAL_GROUPS.get(subject)
        if basic is None or dataset is None:
            return False
        inherited = (grant for grant in self.inherited(dataset.name.project) if grant.role == basic)
        project = f"projects/{dataset.name.project}"
        return any(True for _ in self.held(who, inherited, project, "project", Trail()))

    def in_force(self, entry: Entry, resource: str, kind: str, trail: Trail) -> bool:
        if entry.condition is None:
            return True
        expression = str(entry.condition.get("expression", ""))
        try:
            return holds(expression, Request(self.at, resource, f"bigquery.googleapis.com/{kind}"))
        except UnknownConditionError as error:
            trail.doubts.add(f"A condition cannot be judged here, and its grant gives nothing: {error}{_at(entry)}.")
            return False

    def grantee(self, who: Caller, policy: RowPolicy) -> bool:
        """Whether one of the IAM members that a row access policy names is the caller."""
        return any(self.is_caller(who, Entry({"role": "x", "iamMember": member})) for member in policy.grantees)

    def known(self, name: TableName) -> Table:
        return self.world.tables.get(name) or Table(name)

    def tag(self, name: str) -> PolicyTag:
        """The policy tag of a schema: by its resource name, else by its display name, the last part of that. Nobody
        reads one that is not known."""
        title = name.rsplit("/", 1)[-1]
        return self.world.tags.get(name) or self.world.tags.get(title) or PolicyTag(name, title)

    def inherited(self, project: str) -> tuple[Entry, ...]:
        return self.world.project_grants.get(project, ())

    def because(self, who: Caller, grant: Entry, where: str, trail: Trail) -> None:
        if grant.kind == "groupByEmail" and grant.subject != who.email:
            path = self.world.groups.path(who.email, grant.subject)
            for member, group in pairwise(path):
                trail.reasons.append(Reason(f"{member} is in {group}", self._membership(member, group)))
        role, _, subject = str(grant).partition(" ")
        trail.reasons.append(Reason(f"{subject} has {role} on {where}", grant.place))

    def _membership(self, member: str, group: str) -> Place | None:
        """Where it is written that a member is in a group."""
        holder, held = self.world.groups.get(group), self.world.groups.get(member)
        if holder is not None and holder.place is not None and member in holder.members:
            return holder.place / "members"
        if held is not None and held.place is not None and group in held.parents:
            return held.place / "parents"
        return None


def _at(entry: Entry) -> str:
    return f" ({entry.place})" if entry.place else ""
