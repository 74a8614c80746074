"""Avro schemas of a stream's events, for senders that write Avro (https://avro.apache.org/docs/1.12.0/specification/).

Read together with an older or a newer one, a schema resolves as the contract's compatibility says: an optional field is
a union with null and null its default. Enums are strings: an Avro enum refuses, in the reader, what the contract wants
as a dead letter with a reason.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dataflow.contract import Contract, Field, FieldType, load_contracts
from dataflow.project import Project
from dataflow.schemas.pubsub import message_name

SCALARS: dict[FieldType, Any] = {
    FieldType.STRING: "string",
    FieldType.INTEGER: "long",
    FieldType.NUMBER: "double",
    FieldType.BOOLEAN: "boolean",
    FieldType.TIMESTAMP: {"type": "long", "logicalType": "timestamp-micros"},
    FieldType.DATE: {"type": "int", "logicalType": "date"},
    FieldType.MAP: {"type": "map", "values": ["null", "boolean", "long", "double", "string"]},
}


def files(project: Project) -> dict[Path, str]:
    """A schema a contract: {file name: text}. Raises NorenError when a contract is wrong."""
    contracts = load_contracts(project.contracts).values()
    return {Path(f"{contract.stream}.avsc"): text(contract) for contract in contracts}


def text(contract: Contract) -> str:
    return json.dumps(schema(contract), indent=2, ensure_ascii=False) + "\n"


def schema(contract: Contract) -> dict[str, Any]:
    """The Avro record of a contract's events; times in microseconds since 1970, UTC."""
    name = message_name(contract.stream)
    record = _record(name, contract.fields, name)
    return {"type": "record", "name": name, "namespace": f"noren.{contract.domain}"} | _doc(contract) | record


def _record(name: str, fields: Iterable[Field], prefix: str) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [_field(field, prefix) for field in fields]}


def _field(field: Field, prefix: str) -> dict[str, Any]:
    kind = _type(field, prefix)
    if field.required:
        return {"name": field.name, "type": kind} | _doc(field)
    return {"name": field.name, "type": ["null", kind], "default": None} | _doc(field)


def _type(field: Field, prefix: str) -> Any:
    if field.items is not None:
        return {"type": "array", "items": _type(field.items, prefix)}
    if field.type is FieldType.OBJECT:
        name = f"{prefix}_{message_name(field.name)}"  # no two records of a schema may have one name
        return _record(name, field.children, name)
    if field.constraints.format == "uuid":
        return {"type": "string", "logicalType": "uuid"}
    return SCALARS[field.type]


def _doc(described: Contract | Field) -> dict[str, str]:
    return {"doc": described.description} if described.description else {}
