"""Avro schemas: does a definition parse, does a message fit it.

Definitions and the binary encoding are fastavro's work. The JSON encoding is checked here: fastavro's reader takes any
JSON value for a primitive type and fills in defaults, while Google's service follows Avro's specification (a union's
value is null or {"type": value}, every field is present; other members are ignored).
https://avro.apache.org/docs/1.11.1/specification/#json-encoding
"""

import io
import json
import math
from typing import Any

import fastavro

_RANGES = {"int": 31, "long": 63}


class AvroError(ValueError):
    """A definition or a message is wrong; the text names the field's path, never a value."""


class AvroSchema:
    """A parsed definition. Raises AvroError when it is no Avro schema."""

    def __init__(self, definition: str) -> None:
        self._names: dict[str, Any] = {}
        try:
            self._schema = fastavro.parse_schema(json.loads(definition), named_schemas=self._names)
        except Exception as error:
            raise AvroError(f"not an Avro schema: {type(error).__name__}") from error

    def check_binary(self, data: bytes) -> None:
        """Raises AvroError unless the bytes are one datum of the schema."""
        try:
            fastavro.schemaless_reader(io.BytesIO(data), self._schema, None)
        except Exception as error:
            raise AvroError(f"not the schema's binary encoding: {type(error).__name__}") from error

    def check_json(self, data: bytes) -> None:
        """Raises AvroError unless the text is one datum of the schema in Avro's JSON encoding."""
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise AvroError("not JSON") from error
        self._check(value, self._schema, "$")

    def _check(self, value: Any, schema: Any, path: str) -> None:
        if isinstance(schema, list):
            self._check_union(value, schema, path)
            return
        if isinstance(schema, str):
            if schema in self._names:
                schema = self._names[schema]
            else:
                schema = {"type": schema}
        kind = schema["type"]
        if isinstance(kind, (dict, list)):
            self._check(value, kind, path)
        elif kind in ("record", "error"):
            if not isinstance(value, dict):
                raise AvroError(f"{path}: no object")
            for field in schema["fields"]:
                if field["name"] not in value:
                    raise AvroError(f"{path}.{field['name']}: missing")
                self._check(value[field["name"]], field["type"], f"{path}.{field['name']}")
        elif kind == "array":
            if not isinstance(value, list):
                raise AvroError(f"{path}: no array")
            for item in value:
                self._check(item, schema["items"], f"{path}[]")
        elif kind == "map":
            if not isinstance(value, dict):
                raise AvroError(f"{path}: no object")
            for item in value.values():
                self._check(item, schema["values"], f"{path}{{}}")
        elif kind == "enum":
            if value not in schema["symbols"]:
                raise AvroError(f"{path}: none of the symbols")
        elif not _fits(value, kind, schema.get("size")):
            raise AvroError(f"{path}: no {kind}")

    def _check_union(self, value: Any, branches: list[Any], path: str) -> None:
        if value is None:
            if "null" in branches or {"type": "null"} in branches:
                return
            raise AvroError(f"{path}: null is not allowed")
        if isinstance(value, dict) and len(value) == 1:
            ((label, inner),) = value.items()
            for branch in branches:
                if _label(branch) == label and label != "null":
                    self._check(inner, branch, path)
                    return
        raise AvroError(f'{path}: a union\'s value is {{"type": value}}')


def _label(branch: Any) -> str:
    if isinstance(branch, dict):
        return str(branch.get("name") or _label(branch["type"]))
    return str(branch)


def _fits(value: Any, kind: str, size: int | None) -> bool:
    if kind == "null":
        return value is None
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "string":
        return isinstance(value, str)
    if kind in _RANGES:
        bits = _RANGES[kind]
        return isinstance(value, int) and not isinstance(value, bool) and -(1 << bits) <= value < 1 << bits
    if kind in ("float", "double"):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and math.isfinite(value)
    if kind in ("bytes", "fixed"):
        text = isinstance(value, str) and all(ord(character) < 256 for character in value)
        return text and (size is None or len(value) == size)
    return False
