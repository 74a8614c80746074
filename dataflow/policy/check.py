"""Does a policy fit the contracts? Everything that does not is found at once."""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path

from dataflow.contract import COLUMN_NAME, RESERVED, Classification, Contract, Field
from dataflow.methods import Method
from dataflow.methods.simple import Drop
from dataflow.policy.findings import Finding, PolicyError, refuse
from dataflow.policy.model import Derived, Policy, misfit
from dataflow.policy.read import read_policy


def check_policy(policy: Policy, contracts: dict[str, Contract]) -> None:
    """Check that every entry of the policy fits the contracts.

    Raises PolicyError for each stream or field that no contract has, each rule that does not fit its field, and each
    derived column whose name is taken. A field without a rule is dropped and no error here: `gaps` finds it.
    """
    refuse(faults(policy, contracts))


def check_stream(policy: Policy, contract: Contract) -> None:
    """Check that the policy fits one contract. Raises PolicyError like `check_policy`."""
    refuse(list(_stream(policy, contract)))


def faults(policy: Policy, contracts: Mapping[str, Contract]) -> list[Finding]:
    """What `check_policy` raises for."""
    found: dict[Finding, None] = {}  # a classification's rule that is unfit for it is one fault, not one a field
    for stream in policy.streams:
        if stream not in contracts:
            found[_finding(policy, f"streams.{stream}", f"no contract has this name; {_known(stream, contracts)}")] = (
                None
            )
    for contract in contracts.values():
        found.update(dict.fromkeys(_stream(policy, contract)))
    return list(found)


def gaps(policy: Policy, contracts: Mapping[str, Contract]) -> list[Finding]:
    """Classified fields that nothing is said about. They are dropped; that should be said where others read it."""
    fields: dict[Classification, list[str]] = {}
    for contract in contracts.values():
        for leaf in contract.leaves():
            if leaf.classification is not None and not policy.rule(contract, leaf)[1]:
                fields.setdefault(leaf.classification, []).append(f"{contract.stream}.{leaf.path}")
    return [
        _finding(
            policy,
            f"classifications.{classification}",
            f"has no rule, so {', '.join(paths)} would be dropped; "
            f"add {classification}: {{method: drop}} to say so, or another method.",
        )
        for classification, paths in fields.items()
    ]


def review(
    text: str, file: str, contracts: Mapping[str, Contract], directory: Path | None = None
) -> tuple[Policy, list[Finding]]:
    """The policy in `text`, and everything that is wrong with it, as a file and against the contracts.

    directory: where the files lie that rules read.
    Raises NorenError when the text is no YAML at all.
    """
    policy, findings = read_policy(text, file, directory)
    wrong = {finding.where.removesuffix(".method") for finding in findings}  # their rule is not what was meant
    findings += [
        finding for finding in [*faults(policy, contracts), *gaps(policy, contracts)] if finding.where not in wrong
    ]
    return policy, PolicyError(findings).findings


def _stream(policy: Policy, contract: Contract) -> Iterator[Finding]:
    entry = policy.stream(contract)
    leaves = {leaf.path: leaf for leaf in contract.leaves()}
    where = f"streams.{contract.stream}"
    for path in entry.fields:
        if path not in leaves:
            yield _finding(policy, f"{where}.fields.{path}", f"the contract has no such field; {_known(path, leaves)}")
    for derived in entry.derive:
        yield from _derived(policy, contract, derived)
    for leaf in leaves.values():
        method, rule = policy.rule(contract, leaf)
        if complaint := misfit(method, leaf) or _unfounded(method, leaf, contract):
            yield _finding(policy, rule, f"{contract.stream}.{leaf.path}: {complaint}")
    time = leaves[contract.event_time]
    method, rule = policy.rule(contract, time)
    if method == Drop():
        yield _finding(
            policy,
            rule or where,
            f"{contract.stream}.{time.path}: the event time cannot be dropped, the anonymized table is partitioned "
            f"by it; give the field {{method: truncate_time, unit: day}}.",
        )


def _derived(policy: Policy, contract: Contract, derived: Derived) -> Iterator[Finding]:
    where = f"streams.{contract.stream}.derive.{derived.name}"
    leaves = {column.path: column for column in contract.columns() if column.items is None}
    if not COLUMN_NAME.fullmatch(derived.name):
        yield _finding(policy, where, "a column's name is letters, digits and underscores, as BigQuery wants it.")
    if derived.name.lower() in RESERVED | {item.name.lower() for item in contract.fields}:  # BigQuery ignores case
        yield _finding(policy, where, "the name is taken; choose another.")
    if derived.method.name == "drop":
        yield _finding(policy, where, "a column that is dropped is none; remove the entry.")
    elif derived.source not in leaves:
        yield _finding(
            policy, where, f"from: the contract has no field {derived.source}; {_known(derived.source, leaves)}"
        )
    elif complaint := misfit(derived.method, leaves[derived.source]) or _unfounded(
        derived.method, leaves[derived.source], contract
    ):
        yield _finding(policy, where, f"from {derived.source}: {complaint}")


def _unfounded(method: Method, field: Field, contract: Contract) -> str:
    """Why a rule that reads other fields of the event cannot; empty when it can."""
    if method.personal and contract.subject is None:
        return (
            f"{method.name} needs to know the person; name the field in the contract's custom property subject, "
            "such as user_id."
        )
    columns = {column.path: column for column in contract.columns() if column.items is None}
    if (method.personal or method.uses()) and field.path not in columns:
        return f"{method.name} reads other fields of the event and cannot stand inside an array; use drop."
    for path in method.uses():
        if path not in columns:
            return f"{method.name}: the contract has no field {path}; {_known(path, columns)}"
        if columns[path].type not in method.accepts:
            return f"{method.name}: {path} is {columns[path].type}, it takes {' or '.join(sorted(method.accepts))}."
    return ""


def _known(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}."


def _finding(policy: Policy, where: str, sentence: str) -> Finding:
    entry = where
    while entry and entry not in policy.lines:
        entry = entry.rpartition(".")[0]
    return Finding(policy.file, policy.lines.get(entry, 0), where, sentence)


__all__ = ["check_policy", "check_stream", "faults", "gaps", "review"]
