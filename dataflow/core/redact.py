"""What may be shown of a payload that was refused: the names that the contract declares, and types."""

from typing import Any

import orjson

from dataflow.contract import Contract, Field, FieldType
from dataflow.core.formats.compression import plain
from dataflow.core.rejects import RefusedError

MOST_BYTES = 1 << 20
"""A larger payload is not parsed for the sake of a summary."""


def redacted(payload: bytes, contract: Contract) -> str | None:
    """The payload's shape as JSON text, e.g. `{"user_id":"string","device":{"type":"string"}}`; None when it has none.

    Undeclared names are counted, not shown: a name may be data.
    """
    if len(payload) > MOST_BYTES:
        return None
    try:
        document = orjson.loads(plain(payload, MOST_BYTES))
    except (orjson.JSONDecodeError, RefusedError):
        return None
    return orjson.dumps(_shape(document, contract.fields)).decode()


def _shape(value: Any, fields: tuple[Field, ...]) -> Any:
    if not isinstance(value, dict):
        return _kind(value)
    declared = {field.name: field for field in fields}
    shape: dict[str, Any] = {}
    for name, field in declared.items():
        if name in value:
            inner = value[name]
            shape[name] = _shape(inner, field.children) if field.type is FieldType.OBJECT else _kind(inner)
    if undeclared := len(value.keys() - declared.keys()):
        shape["<undeclared>"] = undeclared
    return shape


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return {dict: "object", list: "array", str: "string", int: "integer", float: "number"}[type(value)]
