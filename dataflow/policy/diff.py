"""What a new policy, with its contracts, lets through that the old one did not, in words.

Compared is what becomes of every field, not the text of the files: a field that is reclassified in its contract may
become weaker although the policy stays as it is. What is weaker or cannot be compared has to be approved.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dataflow.contract import Contract
from dataflow.methods import Method
from dataflow.methods.simple import Drop
from dataflow.methods.strength import Direction, compare, describe
from dataflow.policy.model import Policy


@dataclass(frozen=True)
class Rules:
    """A policy and the contracts that it is applied to."""

    policy: Policy
    contracts: Mapping[str, Contract]


NO_RULES = Rules(Policy("", {}, {}, frozenset()), {})
"""Before anything is published nothing leaves the curtain."""


@dataclass(frozen=True)
class Change:
    """where: `<stream>.<field>`, `<stream>` or `dead_letters`. words: what becomes of it."""

    direction: Direction
    where: str
    words: str = field(compare=False)

    @property
    def weakens(self) -> bool:
        """Whether it needs approvals."""
        return self.direction is not Direction.STRONGER

    def __str__(self) -> str:
        return f"{self.where}: {self.words}"


def diff(old: Rules, new: Rules) -> list[Change]:
    """Every change of what leaves the curtain: weaker ones first, then what cannot be compared, then stronger ones."""
    changes = [
        *(change for stream in sorted({*old.contracts, *new.contracts}) for change in _stream(stream, old, new)),
        *_purposes(old, new),
        *_attributes(old.policy, new.policy),
    ]
    order = (Direction.WEAKER, Direction.CHANGED, Direction.STRONGER)
    return sorted(changes, key=lambda change: order.index(change.direction))


def _stream(stream: str, old: Rules, new: Rules) -> Iterator[Change]:
    before, after = _columns(stream, old), _columns(stream, new)
    for name in [*after, *(name for name in before if name not in after)]:
        where = f"{stream}.{name}"
        if name not in before:
            if after[name] != Drop():
                yield Change(Direction.WEAKER, where, f"newly kept: {describe(after[name])}")
        elif name not in after:
            if before[name] != Drop():
                yield Change(Direction.STRONGER, where, f"no longer there, was {describe(before[name])}")
        elif (comparison := compare(before[name], after[name])) is not None:
            yield Change(comparison.direction, where, comparison.words)
    if stream in old.contracts and stream in new.contracts:
        yield from _derived_sources(stream, old, new)
        yield from _constraints(stream, old, new)


def _columns(stream: str, rules: Rules) -> dict[str, Method]:
    """What is done with each field and derived column of a stream."""
    contract = rules.contracts.get(stream)
    if contract is None:
        return {}
    derived = {item.name: item.method for item in rules.policy.stream(contract).derive}
    return {leaf.path: rules.policy.rule(contract, leaf)[0] for leaf in contract.leaves()} | derived


def _derived_sources(stream: str, old: Rules, new: Rules) -> Iterator[Change]:
    before, after = (
        {item.name: item.source for item in rules.policy.stream(rules.contracts[stream]).derive} for rules in (old, new)
    )
    for name in before.keys() & after.keys():
        if before[name] != after[name]:
            words = f"derived from {after[name]} instead of {before[name]}; not comparable, review needed"
            yield Change(Direction.CHANGED, f"{stream}.{name}", words)


def _constraints(stream: str, old: Rules, new: Rules) -> Iterator[Change]:
    """A value that is kept is only as harmless as what its contract lets it be."""
    before = {leaf.path: leaf for leaf in old.contracts[stream].leaves()}
    for leaf in new.contracts[stream].leaves():
        kept = all(rules.policy.rule(rules.contracts[stream], leaf)[0].name == "keep" for rules in (old, new))
        if kept and leaf.path in before and before[leaf.path].constraints != leaf.constraints:
            words = "kept, and its contract allows other values than before; review needed"
            yield Change(Direction.CHANGED, f"{stream}.{leaf.path}", words)


def _purposes(old: Rules, new: Rules) -> Iterator[Change]:
    """Streams whose tokens join now and did not, or the other way round; a new key for the tokens of one stream."""
    before, after = (
        {stream: rules.policy.purpose(contract) for stream, contract in rules.contracts.items()} for rules in (old, new)
    )
    for stream in sorted(before.keys() & after.keys()):
        if before[stream] != after[stream]:
            words = f"tokens are made for {after[stream]} instead of {before[stream]}: they join with no older token"
            yield Change(Direction.CHANGED, stream, f"{words}; review needed")
    for one, other in itertools.combinations(sorted(after), 2):
        joined = one in before and other in before and before[one] == before[other]
        if after[one] == after[other] and not joined:
            words = f"tokens join with those of {other} now: both are made for {after[one]}"
            yield Change(Direction.WEAKER, one, words)
        elif joined and after[one] != after[other]:
            yield Change(Direction.STRONGER, one, f"tokens no longer join with those of {other}")


def _attributes(old: Policy, new: Policy) -> Iterator[Change]:
    for name in sorted(new.clear_attributes - old.clear_attributes):
        yield Change(Direction.WEAKER, "dead_letters", f"the attribute {name} stands in clear now")
    for name in sorted(old.clear_attributes - new.clear_attributes):
        yield Change(Direction.STRONGER, "dead_letters", f"the attribute {name} no longer stands in clear")
