"""Protocol Buffer schemas: compile a definition, check messages against its one top-level message.

A definition is compiled by protoc; the descriptors it gives are kept in the log, so a restart compiles nothing.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError

from dataflow.sources import protoc


class ProtocolBufferError(ValueError):
    """A definition or a message is wrong; the text says where in the definition, and never holds a message's value."""


def compile_definition(definition: str) -> bytes:
    """The serialized FileDescriptorSet of a definition; only google/protobuf's own files can be imported.

    Raises ProtocolBufferError with protoc's words.
    """
    try:
        return protoc.compile_definition(definition)
    except protoc.ProtocError as error:
        raise ProtocolBufferError(str(error)) from None


class ProtocolBufferSchema:
    """Compiled descriptors, and the message type that data has to be of.

    root: full name of the message type; "" means the only top-level message of the last file.
    Raises ProtocolBufferError: the descriptors do not resolve, or there is not exactly one such message.
    """

    def __init__(self, compiled: bytes, root: str = "") -> None:
        files = descriptor_pb2.FileDescriptorSet()
        pool = descriptor_pool.DescriptorPool()
        try:
            files.ParseFromString(compiled)
            for file in files.file:
                pool.Add(file)
            if not root:
                last = files.file[-1]
                if len(last.message_type) != 1:
                    raise ProtocolBufferError(
                        f"a schema has exactly one top-level message; this one has {len(last.message_type)}"
                    )
                root = ".".join(part for part in (last.package, last.message_type[0].name) if part)
            self._type = message_factory.GetMessageClass(pool.FindMessageTypeByName(root))
        except (DecodeError, TypeError, KeyError, IndexError) as error:
            raise ProtocolBufferError(f"the descriptors do not hold a message type {root}".rstrip()) from error

    def check_binary(self, data: bytes) -> None:
        """Raises ProtocolBufferError unless the bytes parse as the message type, required fields included."""
        try:
            message = self._type.FromString(data)
        except DecodeError as error:
            raise ProtocolBufferError("not the schema's binary encoding") from error
        self._check_complete(message)

    def check_json(self, data: bytes) -> None:
        """Raises ProtocolBufferError unless the text is the message type's JSON; unknown members are refused."""
        message = self._type()
        try:
            json_format.Parse(data, message)
        except (json_format.ParseError, UnicodeDecodeError) as error:
            raise ProtocolBufferError("not the schema's JSON encoding") from error
        self._check_complete(message)

    @staticmethod
    def _check_complete(message: Any) -> None:
        if not message.IsInitialized():
            raise ProtocolBufferError("a required field is missing")
