"""Who there is to ask about: members of groups, and whoever a grant names."""

from collections.abc import Iterable, Iterator

from iam.engine import DatasetName, World
from iam.entries import Entry

PUBLIC = {"allUsers": "anybody@the.internet", "allAuthenticatedUsers": "anybody@any.google.account"}
"""special member -> an address that stands for those whom only it reaches"""


def members(world: World) -> tuple[str, ...]:
    """E-mail addresses, sorted: every member of a group that is no group itself, every address that a grant names, and
    `anybody@DOMAIN` for a grant to a whole domain."""
    found = set(world.groups.individuals())
    for entry in grants(world):
        if entry.kind == "userByEmail" and entry.subject not in world.groups:
            found.add(entry.subject)
        elif entry.kind == "domain":
            found.add(f"anybody@{entry.subject}")
        elif entry.subject in PUBLIC:
            found.add(PUBLIC[entry.subject])
    return tuple(sorted(found))


def grants(world: World) -> Iterator[Entry]:
    """Every grant of a role in the world."""
    for dataset in world.datasets.values():
        yield from dataset.roles
    for entries in world.project_grants.values():
        yield from entries
    for table in world.tables.values():
        yield from table.grants


class Alike:
    """Tells callers apart only by what matters: the subjects of the grants in question. Callers with one mark get one
    answer, so thousands of people cost a handful of decisions."""

    def __init__(self, world: World, datasets: Iterable[DatasetName]) -> None:
        self.world = world
        found: set[str] = set()
        for name in set(datasets):
            if (dataset := world.datasets.get(name)) is not None:
                found.update(str(entry.subject) for entry in dataset.roles)
        for entries in world.project_grants.values():
            found.update(str(entry.subject) for entry in entries)
        for table in world.tables.values():
            if table.grants or table.row_policies:
                found.update(str(entry.subject) for entry in table.grants)
                found.update(member.partition(":")[2] for policy in table.row_policies for member in policy.grantees)
        for tag in world.tags.values():
            found.update(str(entry.subject) for entry in (*tag.readers, *tag.masked))
        self.subjects = frozenset(found)

    def mark(self, caller: str) -> frozenset[str]:
        own = {caller, caller.partition("@")[2]} & self.subjects
        return (self.world.groups.of(caller) & self.subjects) | own
