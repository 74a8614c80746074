"""The project at one moment, as a comparison sees it: access files and lineage as one world."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from iam.engine import World, from_files
from iam.files import AccessFiles
from iam.lineage.relations import tables
from iam.lineage.sensitivity import Sensitivity
from iam.lineage.trace import Lineage
from iam.lineage.value import Passage, source

if TYPE_CHECKING:
    from dataflow.policy.diff import Rules

UNTRACED = "*"
"""The one column of a model that cannot be traced: all that it may have."""


@dataclass(frozen=True)
class Meaning:
    """What a column tells: its word, and in words where it comes from (field, method), most telling first."""

    sensitivity: Sensitivity
    origins: tuple[tuple[str, str, str], ...]
    """(field, classification, method)"""


@dataclass(frozen=True)
class State:
    """files: of iam/. lineage: of the models. rules: reads contracts and policy, where they are needed."""

    files: AccessFiles
    lineage: Lineage
    rules: "Callable[[], Rules]"

    @cached_property
    def world(self) -> World:
        return from_files(self.files, tables(self.lineage))

    @cached_property
    def tagged(self) -> bool:
        """Whether any column has a policy tag."""
        return any(table.tags for table in self.world.tables.values())

    @cached_property
    def relations(self) -> frozenset[str]:
        """Every table and view that is known, as `project.dataset.table`, in a dataset that has a file."""
        known = (*self.lineage.tables, *self.lineage.relations())
        return frozenset(relation for relation in known if relation.split(".")[1] in self.files.datasets)

    def columns(self, relation: str) -> Mapping[str, Sensitivity]:
        if relation in self.lineage.faults:
            return {UNTRACED: Sensitivity.IDENTIFIER}
        return self.lineage.columns(relation)

    def meaning(self, relation: str, column: str) -> Meaning:
        """What a column tells, and from where. One that cannot be traced may tell anything."""
        if relation in self.lineage.faults:
            return Meaning(Sensitivity.IDENTIFIER, (("unknown", "", "cannot be traced"),))
        ways = self.lineage.beginnings(source(relation, column))
        ordered = sorted(ways.items(), key=lambda way: (-way[0].sensitivity.rank, way[0].field))
        counted = "only how many"
        origins = tuple(
            (origin.field, origin.classification, counted if passage is Passage.COUNTED else origin.method)
            for origin, passage in ordered
        )
        return Meaning(self.lineage.sensitivity(relation, column), origins)
