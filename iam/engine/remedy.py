"""Whom to ask: the group whose membership would turn a denial into a yes."""

from collections.abc import Iterable, Iterator

from iam.engine.decide import Access, Decision
from iam.engine.names import DatasetName, TableName
from iam.engine.rights import FINE_GRAINED_READER, RIGHTS, Action
from iam.entries import Entry
from iam.groups import Group

DATA = ("roles/bigquery.dataViewer", "roles/bigquery.dataEditor", "roles/bigquery.dataOwner", FINE_GRAINED_READER)
MANY = 99
"""Rank of a role that gives no data by itself: a group that it is granted to may do much more than what was asked."""


def group_to_ask(
    access: Access,
    caller: str,
    action: Action,
    resource: TableName | DatasetName | str,
    decision: Decision,
    columns: Iterable[str] | None = None,
) -> Group | None:
    """The group, of the caller's own domain, that allows the least of those that allow this; None when there is none.

    A service account is told of none, and neither is an outsider: what exists is not theirs to know.
    """
    wanted = None if columns is None else tuple(columns)
    candidates: dict[str, tuple[int, int]] = {}
    for order, entry in enumerate(_grants(access, resource, decision)):
        group = access.world.groups.get(str(entry.subject)) if entry.kind == "groupByEmail" else None
        if group is not None and group.email.partition("@")[2] == caller.lower().partition("@")[2]:
            rank = (len(RIGHTS.get(entry.role, ())) if entry.role in DATA else MANY, order)
            candidates[group.email] = min(rank, candidates.get(group.email, rank))
    for email in sorted(candidates, key=lambda email: candidates[email]):
        if access.decide(caller, action, resource, wanted, joining=email).allowed:
            return access.world.groups.get(email)
    return None


def sentence(group: Group) -> str:
    """For the end of a refusal."""
    return f"Members of {group.email} may: ask {group.owner}."


def _grants(access: Access, resource: TableName | DatasetName | str, decision: Decision) -> Iterator[Entry]:
    """Entries that could be what is missing: of the dataset asked for, of where it ended, of the project, of tags."""
    world = access.world
    homes = [table.home for table in decision.chain[-1:]]
    project = resource if isinstance(resource, str) else resource.project
    if isinstance(resource, TableName):
        homes.append(resource.home)
    elif isinstance(resource, DatasetName):
        homes.append(resource)
    for home in homes:
        if (dataset := world.datasets.get(home)) is not None:
            yield from dataset.roles
    for table in decision.chain[-1:]:
        for name in set(access.holders.known(table).tags.values()):
            yield from access.holders.tag(name).readers
    yield from world.project_grants.get(project, ())
