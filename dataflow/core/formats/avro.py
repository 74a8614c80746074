"""Avro: one datum of the writer's schema -> the event as JSON.

Every value becomes what a JSON event would hold: times and dates RFC 3339 text, uuid text, decimal a number, bytes and
fixed base64 (as Protocol Buffers do), enum its symbol. A number that JSON cannot write (NaN, infinities) becomes text,
which the decoder refuses with the field's name.
"""

import io
import json
import math
from typing import Any

import fastavro
import msgspec

from dataflow.core.rejects import Reason, RefusedError

_ENCODER = msgspec.json.Encoder(decimal_format="number")


class UnusableSchemaError(ValueError):
    """A writer schema that is none, or that no event of a contract is written with. The text holds no values."""


class AvroReader:
    """Raises UnusableSchemaError.

    A schema that contains itself is refused: the reader descends in C and a deep datum would end the process. An array
    of items without bytes is too: its length alone, without data, would fill memory.
    """

    def __init__(self, definition: str) -> None:
        names: dict[str, Any] = {}
        try:
            self._schema = fastavro.parse_schema(_texts(json.loads(definition)), named_schemas=names)
        except Exception as error:
            raise UnusableSchemaError("is no Avro schema") from error
        self._names = names
        _check(self._schema, names, ())

    def binary(self, data: bytes) -> bytes:
        """The event of the binary encoding, as JSON. Raises RefusedError."""
        stream = io.BytesIO(data)
        try:
            value = fastavro.schemaless_reader(stream, self._schema, None)
        except UnicodeDecodeError as error:
            raise RefusedError(Reason.INVALID_UTF8, "is no valid UTF-8") from error
        except Exception as error:
            raise RefusedError(Reason.MALFORMED_AVRO, "is not written with the Avro schema that it names") from error
        if stream.tell() != len(data):
            raise RefusedError(Reason.MALFORMED_AVRO, f"has {len(data) - stream.tell()} bytes after its end")
        return _encoded(value)

    def text(self, data: bytes) -> bytes:
        """The event of Avro's JSON encoding, as JSON. Raises RefusedError."""
        try:
            values = list(fastavro.json_reader(io.StringIO(data.decode()), self._schema))
        except UnicodeDecodeError as error:
            raise RefusedError(Reason.INVALID_UTF8, "is no valid UTF-8") from error
        except Exception as error:
            raise RefusedError(Reason.MALFORMED_AVRO, "is not written with the Avro schema that it names") from error
        if len(values) != 1:
            raise RefusedError(Reason.MALFORMED_AVRO, f"holds {len(values)} data instead of one")
        return _encoded(values[0])


def _texts(schema: Any) -> Any:
    """The schema with UUIDs as mere text: what is none is for the contract to refuse, by its field."""
    if isinstance(schema, list):
        return [_texts(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "string" and schema.get("logicalType") == "uuid":
        return "string"
    return {name: _texts(inner) for name, inner in schema.items()}


def _encoded(value: Any) -> bytes:
    try:
        text = _ENCODER.encode(value)
        # msgspec writes null for a number that JSON has no word for
        return _ENCODER.encode(_spelled(value)) if b"null" in text else text
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise RefusedError(Reason.MALFORMED_AVRO, "holds what cannot be written as JSON") from error


def _spelled(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _spelled(inner) for key, inner in value.items()}
    return [_spelled(inner) for inner in value] if isinstance(value, list) else value


def _check(schema: Any, names: dict[str, Any], inside: tuple[str, ...]) -> int:
    """The least number of bytes of a datum of the schema. Raises UnusableSchemaError."""
    if isinstance(schema, list):
        return 1 + min((_check(branch, names, inside) for branch in schema), default=0)
    if isinstance(schema, str):
        if schema in names:
            return _check(names[schema], names, inside)
        return {"null": 0, "float": 4, "double": 8}.get(schema, 1)
    kind = schema["type"]
    if kind in ("record", "error"):
        if schema["name"] in inside:
            raise UnusableSchemaError("contains itself, which no event of a contract does")
        return sum(_check(field["type"], names, (*inside, schema["name"])) for field in schema["fields"])
    if kind in ("array", "map"):
        items = _check(schema["items" if kind == "array" else "values"], names, inside)
        if kind == "array" and not items:
            raise UnusableSchemaError("has an array of items that take no bytes")
        return 1
    if kind == "fixed":
        return int(schema["size"])
    return 1 if kind == "enum" else _check(kind, names, inside)
