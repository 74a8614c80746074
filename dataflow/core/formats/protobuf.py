"""Protocol Buffers: a message of the writer's type -> the event as JSON, by the names of the definition.

Unlike the standard's JSON mapping, 64-bit integers stay numbers. Otherwise as there: bytes base64, an enum its name,
Timestamp RFC 3339 text, NaN and infinities text, which the decoder refuses with the field's name. A field without
presence (proto3 without `optional`) always has a value, its type's zero at the least, so what may be absent has to be
`optional` in the definition. An absent repeated field is an empty array. Fields that the definition does not know are
skipped.

Imports google.protobuf, which is the wire format's own library and no part of Google Cloud.
"""

import base64
import math
from collections.abc import Callable
from typing import Any

import msgspec
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from dataflow.core.formats.avro import UnusableSchemaError
from dataflow.core.rejects import Reason, RefusedError

type Convert = Callable[[Any], Any]

MOST_INDEXES = 32
"""How deep in other messages a message type may stand."""


class ProtobufReader:
    """Reads messages of the types of one file.

    descriptors: a serialized FileDescriptorSet, the file last. Raises UnusableSchemaError.
    """

    def __init__(self, descriptors: bytes) -> None:
        files = descriptor_pb2.FileDescriptorSet()
        pool = descriptor_pool.DescriptorPool()
        try:
            files.ParseFromString(descriptors)
            for file in files.file:
                pool.Add(file)
            kinds = pool.FindFileByName(files.file[-1].name).message_types_by_name
            self._types = [kinds[entry.name] for entry in files.file[-1].message_type]
        except (DecodeError, TypeError, KeyError, IndexError) as error:
            raise UnusableSchemaError("holds no message type") from error
        if not self._types:
            raise UnusableSchemaError("holds no message type")
        self._converters: dict[str, Convert] = {}

    def binary(self, data: bytes, indexes: tuple[int, ...] = (0,)) -> bytes:
        """The event of the binary encoding, as JSON.

        indexes: which message type of the file, then which nested one, and so on. Raises RefusedError.
        """
        kind = self._type(indexes)
        try:
            message = message_factory.GetMessageClass(kind).FromString(data)
        except DecodeError as error:
            raise _malformed() from error
        return self._encoded(message)

    def framed(self, data: bytes) -> bytes:
        """The same with the indexes before it, as Confluent's framing has them. Raises RefusedError."""
        indexes, start = _indexes(data)
        return self.binary(data[start:], indexes)

    def text(self, data: bytes) -> bytes:
        """The event of the standard's JSON mapping, as JSON. Raises RefusedError."""
        message = message_factory.GetMessageClass(self._type((0,)))()
        try:
            json_format.Parse(data.decode(), message, ignore_unknown_fields=True)
        except UnicodeDecodeError as error:
            raise RefusedError(Reason.INVALID_UTF8, "is no valid UTF-8") from error
        except (json_format.ParseError, RecursionError, ValueError) as error:
            raise _malformed() from error
        return self._encoded(message)

    def _encoded(self, message: Message) -> bytes:
        if not message.IsInitialized():
            raise _malformed()
        try:
            return msgspec.json.encode(self._converter(message.DESCRIPTOR)(message))
        except (TypeError, ValueError, OverflowError, RecursionError, json_format.SerializeToJsonError) as error:
            raise RefusedError(Reason.MALFORMED_PROTOBUF, "holds what cannot be written as JSON") from error

    def _type(self, indexes: tuple[int, ...]) -> Descriptor:
        kinds, kind = self._types, None
        for index in indexes:
            if not 0 <= index < len(kinds):
                raise RefusedError(Reason.UNKNOWN_SCHEMA, "names a message type that its schema does not have")
            kind = kinds[index]
            kinds = list(kind.nested_types)
        assert kind is not None
        return kind

    def _converter(self, kind: Descriptor) -> Convert:
        """Made once for each message type; a type may contain itself, the parser bounds the depth."""
        made = self._converters.get(kind.full_name)
        if made is None:
            if kind.full_name.startswith("google.protobuf."):
                made = json_format.MessageToDict
            else:
                members: list[tuple[str, bool, Convert]] = []
                made = _object(members)
                self._converters[kind.full_name] = made
                members += [(field.name, _may_be_absent(field), self._field(field)) for field in kind.fields]
            self._converters[kind.full_name] = made
        return made

    def _field(self, field: FieldDescriptor) -> Convert:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            value = self._value(field.message_type.fields_by_name["value"])
            return lambda mapping: {_key(key): value(inner) for key, inner in mapping.items()}
        convert = self._value(field)
        return (lambda items: [convert(item) for item in items]) if _repeated(field) else convert

    def _value(self, field: FieldDescriptor) -> Convert:
        match field.cpp_type:
            case FieldDescriptor.CPPTYPE_MESSAGE:
                return self._converter(field.message_type)
            case FieldDescriptor.CPPTYPE_ENUM:
                names = {number: value.name for number, value in field.enum_type.values_by_number.items()}
                return lambda number: names.get(number, number)
            case FieldDescriptor.CPPTYPE_FLOAT | FieldDescriptor.CPPTYPE_DOUBLE:
                return _number
        return _base64 if field.type == FieldDescriptor.TYPE_BYTES else _same


def _object(members: list[tuple[str, bool, Convert]]) -> Convert:
    def convert(message: Any) -> dict[str, Any]:
        return {
            name: convert(getattr(message, name))
            for name, optional, convert in members
            if not optional or message.HasField(name)
        }

    return convert


def _repeated(field: FieldDescriptor) -> bool:
    return bool(field.is_repeated)


def _may_be_absent(field: FieldDescriptor) -> bool:
    return not _repeated(field) and bool(field.has_presence)


def _same(value: Any) -> Any:
    return value


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _indexes(data: bytes) -> tuple[tuple[int, ...], int]:
    """(indexes, where the message begins): a count and that many zigzag varints; a count of 0 means the first type."""
    count, place = _varint(data, 0)
    if count == 0:
        return (0,), place
    if not 0 < count <= MOST_INDEXES:
        raise _malformed()
    indexes = []
    for _ in range(count):
        index, place = _varint(data, place)
        indexes.append(index)
    return tuple(indexes), place


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(data) or shift > 63:
            raise _malformed()
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), place


def _malformed() -> RefusedError:
    return RefusedError(Reason.MALFORMED_PROTOBUF, "is not written with the Protocol Buffer schema that it names")
