"""The data dictionary: for people who use the data and for those who answer for it.

Every field of every contract: what it is, what the policy does with it, what whoever sees the result still learns,
whether it can be reversed, and where it ends up.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from dataflow import names
from dataflow.contract import Contract, Field, FieldType, load_contracts
from dataflow.methods import Method
from dataflow.policy import Policy, load_policy
from dataflow.project import Project
from dataflow.schemas.columns import Column
from dataflow.schemas.tables import anonymized_table

FILE = Path("dataflow", "contracts", "DICTIONARY.md")
"""Relative to the project's root."""

HEADER = """<!-- Made by `noren contract render markdown`; edit the contract or the policy instead. -->
# Data dictionary

What events hold and what becomes of it. *Raw* tables are restricted and expire; *anonymized* tables are the
pseudonymized lane: keyed tokens, personal data still. A field that is dropped is in the raw table alone.
Policy {version}.
"""

COLUMNS = (
    "field",
    "what it is",
    "type",
    "classification",
    "the policy",
    "still tells",
    "reversible",
    "anonymized column",
)


def files(project: Project) -> dict[Path, str]:
    """The dictionary of a project: {path relative to its root: text}.

    Raises NorenError when a contract or the policy is wrong.
    """
    return {FILE: dictionary(load_contracts(project.contracts).values(), load_policy(project.policy))}


def dictionary(contracts: Iterable[Contract], policy: Policy) -> str:
    """The Markdown of the contracts, in their order. Raises NorenError when the policy does not fit one of them."""
    parts = [HEADER.format(version=policy.version)]
    parts += ["\n".join(_stream(contract, policy)) for contract in contracts]
    return "\n".join(parts)


def _stream(contract: Contract, policy: Policy) -> Iterator[str]:
    table = anonymized_table(contract, policy)
    columns = {column.path: column for top in table.columns for column in _below(top)}
    yield f"## {contract.stream} {contract.version}"
    yield ""
    if contract.description:
        yield contract.description
        yield ""
    yield f"- raw: `{names.raw(contract.domain)}.{contract.stream}`, by receive time"
    yield f"- anonymized: `{table.id}`, by event time"
    yield f"- topics: `{names.topic(contract.stream)}` in, `{names.anonymized_topic(contract.stream)}` out"
    yield f"- an event is named by {_listed(contract.identity)} and happened at `{contract.event_time}`"
    yield f"- tokens join with those of purpose `{policy.purpose(contract)}`, within one key epoch"
    yield ""
    yield from _row(COLUMNS)
    yield from _row(["---"] * len(COLUMNS))
    required = {field.path for top in contract.fields for field in _fields(top) if field.required}
    for leaf in contract.leaves():
        method = policy.method(contract, leaf)
        yield from _row(
            (
                f"`{leaf.path}`",
                leaf.description,
                f"{_type(leaf, contract)}{', required' if leaf.path in required else ''}",
                str(leaf.classification or "none"),
                _method(method),
                method.leaks,
                "yes" if method.reversible else "no",
                _column(columns.get(leaf.path)),
            )
        )
    for item in policy.stream(contract).derive:
        yield from _row(
            (
                f"*{item.name}*",
                f"derived from `{item.source}`",
                "",
                "",
                _method(item.method),
                item.method.leaks,
                "yes" if item.method.reversible else "no",
                _column(columns.get(item.name)),
            )
        )
    yield ""


def _row(cells: Iterable[str]) -> Iterator[str]:
    texts = (" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    yield f"| {' | '.join(texts)} |"


def _below(column: Column) -> Iterator[Column]:
    yield column
    for child in column.children:
        yield from _below(child)


def _fields(field: Field) -> Iterator[Field]:
    yield field
    for child in (*field.children, *(field.items.children if field.items else ())):
        yield from _fields(child)


def _listed(paths: tuple[str, ...]) -> str:
    return " and ".join(f"`{path}`" for path in paths)


def _type(leaf: Field, contract: Contract) -> str:
    """The type with what it has to satisfy, e.g. `string (uuid)`."""
    limits = leaf.constraints
    told = [limits.format] if limits.format else []
    if limits.values:
        told.append(" or ".join(limits.values))
    if limits.pattern:
        told.append(f"`{limits.pattern}`")
    unit = " characters" if leaf.type is FieldType.STRING else ""
    for least, most, what in (
        (limits.minimum, limits.maximum, ""),
        (limits.min_length, limits.max_length, unit),
    ):
        if least is not None and most is not None:
            told.append(f"{least} to {most}{what}")
        elif least is not None:
            told.append(f"from {least}{what}")
        elif most is not None:
            told.append(f"at most {most}{what}")
    inside = any(
        f"{leaf.path}.".startswith(f"{column.path}.") for column in contract.columns() if column.items is not None
    )
    kind = f"list of {leaf.type}" if inside else str(leaf.type)
    return f"{kind} ({', '.join(told)})" if told else kind


def _method(method: Method) -> str:
    """The method with its parameters, e.g. `truncate_time, unit: minute`."""
    parameters = msgspec.structs.asdict(method)
    told = ", ".join([method.name, *(f"{name}: {value}" for name, value in parameters.items() if value is not None)])
    return f"{told} ({method.effect()})" if method.effect() else told


def _column(column: Column | None) -> str:
    if column is None:
        return "none"
    return f"`{column.path}` {'ARRAY of ' if column.repeated else ''}{column.type}"
