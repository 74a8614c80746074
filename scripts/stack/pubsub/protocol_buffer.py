"""Protocol Buffer schemas: compile a definition, check messages against its one top-level message.

A definition is compiled by protoc (of grpcio-tools) in a process of its own, so that neither its messages on stderr nor
a crash reach the server; the descriptors it gives are kept in the log, so a restart compiles nothing.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError

SECONDS = 20


class ProtocolBufferError(ValueError):
    """A definition or a message is wrong; the text says where in the definition, and never holds a message's value."""


def compile_definition(definition: str) -> bytes:
    """The serialized FileDescriptorSet of a definition; only google/protobuf's own files can be imported.

    Raises ProtocolBufferError with protoc's words, or when protoc does not end within SECONDS.
    """
    with tempfile.TemporaryDirectory(prefix="noren-proto-") as directory:
        source = Path(directory, "schema.proto")
        source.write_text(definition)
        target = Path(directory, "schema.bin")
        command = [
            sys.executable, "-P", "-m", "grpc_tools.protoc", f"-I{directory}", f"--descriptor_set_out={target}",
            "--include_imports", str(source),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603
        except subprocess.TimeoutExpired:
            raise ProtocolBufferError(f"protoc needed more than {SECONDS} seconds") from None
        if done.returncode:
            words = done.stderr.replace(f"{directory}/", "").strip()
            raise ProtocolBufferError(words.splitlines()[0] if words else f"protoc ended with {done.returncode}")
        return target.read_bytes()


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
