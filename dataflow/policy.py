"""Policy: what is *done* with each classification or single field. Deny by default.

`dataflow/policy.yaml` has `version`, `classifications` (classification -> rule), `streams` (stream -> `purpose`,
`fields`
path -> rule, `derive` column -> rule with `from`) and `dead_letters.attributes` (names that may stand in clear). A
rule is
`method` and the method's parameters.
"""

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import yaml

from dataflow.contract import RESERVED, Classification, Contract, Field
from dataflow.errors import NorenError
from dataflow.methods import Method, registry
from dataflow.methods.simple import Drop

NEVER_KEPT = frozenset(
    {
        Classification.IDENTIFIER,
        Classification.LOCATION,
        Classification.NETWORK,
        Classification.FREE_TEXT,
        Classification.SENSITIVE,
    }
)
"""Classifications that `keep` is refused for."""


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
    """All rules of one version."""

    version: str
    classifications: dict[Classification, Method]
    streams: dict[str, StreamPolicy]
    clear_attributes: frozenset[str]

    def purpose(self, contract: Contract) -> str:
        """The key purpose of a contract's tokens."""
        return self.stream(contract).purpose or contract.domain

    def stream(self, contract: Contract) -> StreamPolicy:
        return self.streams.get(contract.stream, StreamPolicy())

    def method(self, contract: Contract, field: Field) -> Method:
        """What is done with one field; Drop where nothing is said.

        Raises NorenError when the rule does not fit the field's type or classification.
        """
        method = self.stream(contract).fields.get(field.path)
        if method is None:
            method = self.classifications.get(field.classification, Drop()) if field.classification else Drop()
        where = f"policy.yaml: {contract.stream}.{field.path}"
        if field.type not in method.accepts:
            kinds = " or ".join(sorted(method.accepts))
            raise NorenError(
                f"{where}: {method.name} takes {kinds}, not {field.type}; "
                "give the field a rule of its own, such as drop."
            )
        if method.name == "keep" and field.classification in NEVER_KEPT | {None}:
            label = field.classification or "unclassified"
            raise NorenError(f"{where}: a field that is {label} may not be kept; use token, a coarser value or drop.")
        return method


def load_policy(path: Path) -> Policy:
    """The policy in `path`.

    Raises NorenError naming the file and the entry when something in it is wrong.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise NorenError(f"{path.name}: cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        raise NorenError(f"{path.name}: is no valid YAML: {' '.join(str(error).split())}.") from error
    return _Reader(path.name).policy(document)


class _Reader:
    """Turns the YAML document into a Policy; every complaint names the file and the entry."""

    def __init__(self, file: str) -> None:
        self.file = file

    def fail(self, where: str, sentence: str) -> NorenError:
        return NorenError(f"{self.file}: {where}: {sentence}")

    def mapping(self, value: Any, where: str, allowed: set[str] | None = None) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.fail(where, "must be a mapping.")
        if allowed is not None and (unknown := sorted(set(map(str, value)) - allowed)):
            raise self.fail(where, f"{', '.join(unknown)}: unknown; allowed are {', '.join(sorted(allowed))}.")
        return value

    def policy(self, document: Any) -> Policy:
        top = self.mapping(document, "top level", {"version", "classifications", "streams", "dead_letters"})
        if not isinstance(top.get("version"), str):
            raise self.fail("version", "must be a text such as 1.0.0.")
        rules = self.mapping(top.get("classifications"), "classifications", set(Classification))
        streams = self.mapping(top.get("streams"), "streams")
        dead = self.mapping(top.get("dead_letters"), "dead_letters", {"attributes"})
        attributes = dead.get("attributes") or []
        if not isinstance(attributes, list) or not all(isinstance(name, str) for name in attributes):
            raise self.fail("dead_letters.attributes", "must be a list of attribute names.")
        return Policy(
            version=top["version"],
            classifications={
                Classification(name): self.rule(rule, f"classifications.{name}") for name, rule in rules.items()
            },
            streams={name: self.stream(entry, f"streams.{name}") for name, entry in streams.items()},
            clear_attributes=frozenset(attributes),
        )

    def stream(self, entry: Any, where: str) -> StreamPolicy:
        entry = self.mapping(entry, where, {"purpose", "fields", "derive"})
        fields = self.mapping(entry.get("fields"), f"{where}.fields")
        derive = self.mapping(entry.get("derive"), f"{where}.derive")
        return StreamPolicy(
            purpose=entry.get("purpose"),
            fields={path: self.rule(rule, f"{where}.fields.{path}") for path, rule in fields.items()},
            derive=tuple(self.derived(name, rule, f"{where}.derive.{name}") for name, rule in derive.items()),
        )

    def derived(self, name: str, rule: Any, where: str) -> Derived:
        rule = dict(self.mapping(rule, where))
        source = rule.pop("from", None)
        if not isinstance(source, str):
            raise self.fail(where, "from: must name the field that it is derived from.")
        return Derived(name, source, self.rule(rule, where))

    def rule(self, rule: Any, where: str) -> Method:
        parameters = dict(self.mapping(rule, where))
        name = parameters.pop("method", None)
        methods = registry()
        if name not in methods:
            close = difflib.get_close_matches(str(name), methods, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(methods))}."
            raise self.fail(f"{where}.method", f"{name} is no method; {hint}")
        try:
            return msgspec.convert(parameters, methods[name])
        except msgspec.ValidationError as error:
            raise self.fail(where, f"{error}.") from error


def check_policy(policy: Policy, contracts: dict[str, Contract]) -> None:
    """Check that every entry of the policy fits the contracts.

    Raises NorenError for a stream or field that no contract has, a rule that does not fit its field, or a derived
    column
    whose name is taken.
    """
    for stream in policy.streams:
        if stream not in contracts:
            known = ", ".join(contracts)
            raise NorenError(f"policy.yaml: streams.{stream}: no contract has this name; known are {known}.")
    for contract in contracts.values():
        check_stream(policy, contract)


def check_stream(policy: Policy, contract: Contract) -> None:
    """Check that the policy fits one contract. Raises NorenError like `check_policy`."""
    entry = policy.stream(contract)
    leaves = {leaf.path: leaf for leaf in contract.leaves()}
    where = f"policy.yaml: streams.{contract.stream}"
    for path in entry.fields:
        if path not in leaves:
            close = difflib.get_close_matches(path, leaves, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise NorenError(f"{where}.fields.{path}: the contract has no such field.{hint}")
    for derived in entry.derive:
        if derived.source not in leaves or leaves[derived.source].type not in derived.method.accepts:
            raise NorenError(
                f"{where}.derive.{derived.name}: from: {derived.source} is no field that {derived.method.name} takes."
            )
        if derived.name in RESERVED or derived.name in {item.name for item in contract.fields}:
            raise NorenError(f"{where}.derive.{derived.name}: the name is taken; choose another.")
    for leaf in leaves.values():
        policy.method(contract, leaf)
    if policy.method(contract, leaves[contract.event_time]).name == "drop":
        raise NorenError(
            f"{where}.fields.{contract.event_time}: the event time cannot be dropped, "
            "the anonymized table is partitioned by it; use truncate_time with unit: day."
        )
