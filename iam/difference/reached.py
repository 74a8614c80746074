"""Whose readers a change can reach: most changes are of a few files, and a large project has thousands of views."""

from collections.abc import Mapping
from typing import Any

from iam.engine import TableName, World


class Reached:
    """Tables and views that somebody may read after a change who could not before, or the other way round.

    Who reads a table follows from the access lists, row access policies and tags of everything on the way down, and
    from what holds for all: groups, policy tags, grants on projects. Where none of that differs the readers do not.
    """

    def __init__(self, before: World, after: World) -> None:
        self.everything = _of_all(before) != _of_all(after)
        if self.everything:
            return
        self._homes = _different(before.datasets, after.datasets)
        self._names = _different(before.tables, after.tables)
        readers: dict[TableName, list[TableName]] = {}
        for world in (before, after):
            for name, table in world.tables.items():
                for source in table.reads | table.calls:
                    readers.setdefault(source, []).append(name)
        waiting = [name for name in readers if name in self._names or name.home in self._homes]
        while waiting:
            for reader in readers.get(waiting.pop(), ()):
                if reader not in self._names:
                    self._names.add(reader)
                    waiting.append(reader)

    def __contains__(self, name: TableName) -> bool:
        return self.everything or name in self._names or name.home in self._homes


def _of_all(world: World) -> tuple[Any, ...]:
    return (
        world.project,
        {group.email: group for group in world.groups},
        dict(world.tags),
        dict(world.project_grants),
        world.imported,
    )


def _different[K](before: Mapping[K, Any], after: Mapping[K, Any]) -> set[K]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
