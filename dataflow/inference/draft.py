"""A drafted contract: what a sample suggests, before a person has looked at it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from dataflow.inference.words import Guess


@dataclass
class Draft:
    """One drafted field.

    kind: logical type. options: its logicalTypeOptions. values: of its enum, only where the field is public.
    guess: the proposed classification; None for what has fields of its own.
    key: its place in the identity, from 1.
    remarks: what the reviewer should know, without any value.
    children: of an object. items: of an array, without a name of its own.
    """

    name: str
    path: str
    kind: str
    required: bool = False
    options: dict[str, str | int | float] = field(default_factory=dict)
    values: tuple[str, ...] = ()
    guess: Guess | None = None
    key: int | None = None
    remarks: list[str] = field(default_factory=list)
    children: "list[Draft]" = field(default_factory=list)
    items: "Draft | None" = None

    def leaves(self) -> "Iterator[Draft]":
        """The drafts below that have a classification, this one if it has."""
        if self.guess is not None:
            yield self
        for child in (*self.children, *([self.items] if self.items else [])):
            yield from child.leaves()

    def all(self) -> "Iterator[Draft]":
        """This draft and those below, but for items."""
        yield self
        for child in self.children:
            yield from child.all()


@dataclass
class ContractDraft:
    """A drafted contract.

    events: how many it was drafted from.
    undeclared: (path, why) of what the sample has and the draft has not.
    """

    stream: str
    domain: str
    events: int
    fields: list[Draft]
    event_time: str
    undeclared: list[tuple[str, str]] = field(default_factory=list)

    def leaves(self) -> list[Draft]:
        return [leaf for draft in self.fields for leaf in draft.leaves()]

    def all(self) -> list[Draft]:
        return [inner for draft in self.fields for inner in draft.all()]

    def find(self, path: str) -> list[Draft]:
        """The drafts on the way to a path, the field itself last. Empty when there is none."""
        way: list[Draft] = []
        level = self.fields
        for name in path.split("."):
            found = next((draft for draft in level if draft.name == name), None)
            if found is None:
                return []
            way.append(found)
            level = found.children
        return way

    def require(self, path: str) -> None:
        """Make a field required, and the objects around it."""
        for draft in self.find(path):
            draft.required = True
