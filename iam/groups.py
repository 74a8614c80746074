"""Google Workspace groups: who is in which, directly or through other groups.

In the cloud the groups are Cloud Identity's; `groups.json` says what each is for and who answers for it, and lists
members for local use only. Names compare case-insensitively, as Google's do.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from dataflow.errors import NorenError
from iam.positions import Place


@dataclass(frozen=True)
class Group:
    """One group.

    email: its address, lower-case.
    kind: what sort of people it holds; layers.yaml says which kinds a layer may be granted to.
    purpose, owner: what it is for, and the person who answers for it.
    parents: groups that it is a member of.
    members: people (or groups) in it, for local use; empty where Cloud Identity knows them.
    place: where it stands in groups.json.
    """

    email: str
    kind: str
    purpose: str
    owner: str
    parents: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()
    place: Place | None = field(default=None, compare=False, repr=False)


class Groups:
    """All groups of a project.

    Raises NorenError for two groups of one name, a parent that is not listed, and groups that contain each other.
    """

    def __init__(self, groups: Iterable[Group] = (), source: str = "groups.json") -> None:
        self._groups: dict[str, Group] = {}
        self._of: dict[str, frozenset[str]] = {}
        for group in groups:
            if group.email in self._groups:
                raise NorenError(f"{source}: group {group.email} is listed twice: keep one of the two.")
            self._groups[group.email] = group
        for group in self._groups.values():
            if unknown := sorted(group.parents - self._groups.keys()):
                raise NorenError(
                    f"{source}: parent {unknown[0]} of group {group.email} is not listed: add it as a group."
                )
        self._source = source
        for email in self._groups:
            self._check_cycle(email, ())

    def _check_cycle(self, email: str, path: tuple[str, ...]) -> None:
        if email in path:
            chain = " is in ".join((*path[path.index(email) :], email))
            raise NorenError(f"{self._source}: groups contain each other: {chain}. Remove one of the links.")
        for parent in sorted(self._direct.get(email, frozenset())):
            self._check_cycle(parent, (*path, email))

    @cached_property
    def _direct(self) -> dict[str, frozenset[str]]:
        """member or group -> the groups that it is directly in"""
        found: dict[str, set[str]] = {}
        for group in self._groups.values():
            found.setdefault(group.email, set()).update(group.parents)
            for member in group.members:
                found.setdefault(member, set()).add(group.email)
        return {member: frozenset(groups) for member, groups in found.items()}

    def __contains__(self, email: str) -> bool:
        return email.lower() in self._groups

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups.values())

    def get(self, email: str) -> Group | None:
        return self._groups.get(email.lower())

    def individuals(self) -> frozenset[str]:
        """Every member of a group that is no group itself."""
        return frozenset(member for member in self._direct if member not in self._groups)

    def of(self, member: str) -> frozenset[str]:
        """Every group that a person, service account or group is in, directly or through other groups."""
        email = member.lower()
        if email not in self._of:
            self._of[email] = self._all(email)
        return self._of[email]

    def _all(self, member: str) -> frozenset[str]:
        found: set[str] = set()
        waiting = list(self._direct.get(member, ()))
        while waiting:
            group = waiting.pop()
            if group not in found:
                found.add(group)
                waiting.extend(self._direct.get(group, ()))
        return frozenset(found)

    def path(self, member: str, group: str) -> tuple[str, ...]:
        """The shortest way from a member to a group, both included; empty when the member is not in it."""
        start, goal = member.lower(), group.lower()
        came: dict[str, str] = {start: ""}
        waiting = deque([start])
        while waiting:
            here = waiting.popleft()
            if here == goal:
                way = [here]
                while came[way[-1]]:
                    way.append(came[way[-1]])
                return tuple(reversed(way))
            for parent in sorted(self._direct.get(here, ())):
                if parent not in came:
                    came[parent] = here
                    waiting.append(parent)
        return ()

    def people(self, group: str) -> frozenset[str]:
        """Every member of a group that is no group itself, directly or through other groups."""
        email = group.lower()
        return frozenset(m for m in self._direct if m not in self._groups and email in self.of(m))
