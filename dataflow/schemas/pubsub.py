"""Pub/Sub schemas: Protocol Buffer definitions of a stream's JSON messages, before and after the anonymizer.

A definition is kept as small as it can be, without descriptions and versions: every change of its text is a new
revision, a schema has at most 20 of them, and a revision may only add or remove optional fields
(https://cloud.google.com/pubsub/docs/commit-schema-revision). So:

- every field is `optional`: what must be there is for the anonymizer to say, field by field, not for the broker;
- a field's number is derived from its name. It stays the same whatever is added, removed or moved around it, and two
  branches that add a field each never take the same number. Messages are JSON and carry names: its size is no cost;
- times are strings (RFC 3339): a Pub/Sub definition cannot import google/protobuf/timestamp.proto.
"""

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from dataflow import names
from dataflow.contract import Contract, Field, FieldType, load_contracts
from dataflow.errors import NorenError
from dataflow.policy import Policy, load_policy
from dataflow.project import Project
from dataflow.schemas.columns import OF_FIELD, Column, ColumnType
from dataflow.schemas.tables import anonymized_table

HEADER = "// Made by `noren contract render pubsub`; edit the contract or the policy instead.\n"

SCALARS = {
    ColumnType.STRING: "string",
    ColumnType.INT64: "int64",
    ColumnType.FLOAT64: "double",
    ColumnType.BOOL: "bool",
    ColumnType.TIMESTAMP: "string",
    ColumnType.DATE: "string",
    ColumnType.BYTES: "bytes",
}

FREE_FORM = "map<string, string>"
"""A free-form object: as near as a definition comes that cannot import google/protobuf/struct.proto."""

LAST_NUMBER = (1 << 29) - 1
RESERVED_NUMBERS = range(19_000, 20_000)
"""Kept by Protocol Buffers for themselves: https://protobuf.dev/programming-guides/proto3/#assigning"""


@dataclass(frozen=True)
class Member:
    """A field of a message: a scalar type, or the members of a nested message."""

    name: str
    type: str = ""
    members: tuple["Member", ...] = ()
    repeated: bool = False


def files(project: Project) -> dict[Path, str]:
    """Every definition that Terraform creates, named for its topic: {path relative to the project's root: text}.

    Raises NorenError when a contract or the policy is wrong.
    """
    folder = Path("terraform", "platform", "schemas")
    policy = load_policy(project.policy)
    texts: dict[Path, str] = {}
    for contract in load_contracts(project.contracts).values():
        texts[folder / f"{names.topic(contract.stream)}.proto"] = events(contract)
        texts[folder / f"{names.anonymized_topic(contract.stream)}.proto"] = rows(contract, policy)
    return texts


def events(contract: Contract) -> str:
    """The definition of the events that apps publish.

    Raises NorenError when two fields of one object cannot stand in one message.
    """
    members = tuple(_of_field(field) for field in contract.fields)
    return render(message_name(contract.stream), members, f"{contract.stream}.yaml")


def rows(contract: Contract, policy: Policy) -> str:
    """The definition of the anonymized rows that the anonymizer publishes: the columns of the anonymized table.

    Raises NorenError like `events`.
    """
    table = anonymized_table(contract, policy)
    members = tuple(_of_column(column) for column in table.columns)
    return render(f"{message_name(contract.stream)}Anonymized", members, table.id)


def render(name: str, members: Iterable[Member], source: str) -> str:
    """The text of a definition with one top-level message, as Pub/Sub wants it. `source` is named in complaints."""
    lines = ['syntax = "proto3";', "", *_message(name, tuple(members), source)]
    return HEADER + "\n".join(lines) + "\n"


def message_name(name: str) -> str:
    """The message that holds `name`: app_event -> AppEvent."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def field_number(name: str) -> int:
    """The number of a field, from its name alone."""
    number = zlib.crc32(name.encode()) % LAST_NUMBER + 1
    return number + len(RESERVED_NUMBERS) if number in RESERVED_NUMBERS else number


def _of_field(field: Field) -> Member:
    if field.items is not None:
        return replace(_of_field(field.items), repeated=True)
    if field.type is FieldType.MAP:
        return Member(field.name, FREE_FORM)
    return Member(
        field.name, SCALARS.get(OF_FIELD[field.type], ""), tuple(_of_field(child) for child in field.children)
    )


def _of_column(column: Column) -> Member:
    members = tuple(_of_column(child) for child in column.children)
    return Member(column.name, SCALARS.get(column.type, ""), members, column.repeated)


def _message(name: str, members: tuple[Member, ...], source: str) -> Iterator[str]:
    _check(members, source)
    yield f"message {name} {{"
    for member in members:
        kind = member.type
        if member.members:
            kind = message_name(member.name) + "Fields"  # a message and a field share one space of names
            for line in _message(kind, member.members, f"{source}: {member.name}"):
                yield f"  {line}"
        label = "repeated " if member.repeated else "" if kind == FREE_FORM else "optional "
        yield f"  {label}{kind} {member.name} = {field_number(member.name)};"
    yield "}"


def _check(members: tuple[Member, ...], source: str) -> None:
    """Protocol Buffers refuse two fields with one JSON name (device_model, deviceModel) or one number."""
    for key in (lambda name: re.sub(r"_(.)", lambda match: match[1].upper(), name), field_number):
        seen: dict[object, str] = {}
        for member in members:
            other = seen.setdefault(key(member.name), member.name)
            if other != member.name:
                raise NorenError(f"{source}: {other} and {member.name} clash in one message; rename one.")
