"""A policy in memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from dataflow.contract import Classification, Contract, Field
from dataflow.errors import NorenError
from dataflow.methods import Method
from dataflow.methods.simple import Drop


@dataclass(frozen=True)
class Derived:
    """A column made from a raw field before that is coarsened."""

    name: str
    source: str
    method: Method


@dataclass(frozen=True)
class StreamPolicy:
    """What is particular to one stream.

    purpose: whose keys make its tokens; None for the contract's domain, so that the streams of one domain join.
    """

    purpose: str | None = None
    fields: dict[str, Method] = field(default_factory=dict)
    derive: tuple[Derived, ...] = ()


@dataclass(frozen=True)
class Policy:
    """All rules of one version.

    file: its name, for complaints. lines: entry -> line of the file.
    """

    version: str
    classifications: dict[Classification, Method]
    streams: dict[str, StreamPolicy]
    clear_attributes: frozenset[str]
    file: str = field(default="policy.yaml", compare=False, repr=False)
    lines: dict[str, int] = field(default_factory=dict, compare=False, repr=False)

    def purpose(self, contract: Contract) -> str:
        """The key purpose of a contract's tokens."""
        return self.stream(contract).purpose or contract.domain

    def stream(self, contract: Contract) -> StreamPolicy:
        return self.streams.get(contract.stream, StreamPolicy())

    def rule(self, contract: Contract, field: Field) -> tuple[Method, str]:
        """What is done with one field, and the entry that says so; Drop and no entry where nothing is said."""
        fields = self.stream(contract).fields
        if field.path in fields:
            return fields[field.path], f"streams.{contract.stream}.fields.{field.path}"
        if field.classification in self.classifications:
            return self.classifications[field.classification], f"classifications.{field.classification}"
        return Drop(), ""

    def methods(self) -> Iterator[Method]:
        """Every rule."""
        yield from self.classifications.values()
        for stream in self.streams.values():
            yield from stream.fields.values()
            yield from (derived.method for derived in stream.derive)

    def method(self, contract: Contract, field: Field) -> Method:
        """What is done with one field; Drop where nothing is said.

        Raises NorenError when the rule does not fit the field's type or classification.
        """
        method, entry = self.rule(contract, field)
        if complaint := misfit(method, field):
            line = self.lines.get(entry, 0)
            place = f"{self.file}:{line}" if line else self.file
            raise NorenError(f"{place}: {contract.stream}.{field.path}: {complaint}")
        return method


def misfit(method: Method, field: Field) -> str:
    """Why a method may not be used on a field, in a sentence with the way out; empty when it may."""
    if field.type not in method.accepts:
        kinds = " or ".join(sorted(method.accepts))
        return (
            f"{method.name} takes {kinds}, not {field.type}; give the field a rule of its own, "
            f"such as {suggestions(field)}."
        )
    if fault := method.fault(field):
        return f"{method.name}: {fault}"
    if method.name == "keep" and field.classification is None:
        return "a field that is unclassified may not be kept; classify it in its contract, or use drop."
    if field.classification in method.unfit_for:
        verb = "kept" if method.name == "keep" else f"left to {method.name}"
        return f"a field that is {field.classification} may not be {verb}; use {suggestions(field)}."
    return ""


def suggestions(field: Field) -> str:
    """Names of methods for a field, e.g. `token or drop`: those made for its classification, then drop."""
    from dataflow.methods import registry

    made_for = {
        Classification.IDENTIFIER: ("token",),
        Classification.LOCATION: ("coarsen_location",),
        Classification.NETWORK: ("truncate_ip",),
        Classification.FREE_TEXT: ("scrub", "scrub_map"),
        Classification.QUASI_IDENTIFIER: ("truncate_time", "reduce_version"),
        Classification.PUBLIC: ("keep",),
    }
    names = made_for.get(field.classification, ()) if field.classification else ()
    methods = registry()
    fitting = [
        name
        for name in names
        if name in methods
        and field.type in methods[name].accepts
        and field.classification not in methods[name].unfit_for
    ]
    return " or ".join([*fitting, "drop"])
