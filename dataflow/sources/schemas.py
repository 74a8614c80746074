"""Where writer schemas are found: Pub/Sub's schema service, and a directory with a registry's schemas."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.pubsub_v1.types import GetSchemaRequest, Schema, SchemaView

from dataflow.channels import plain
from dataflow.contract import Format
from dataflow.core import Definition, SchemasAwayError
from dataflow.errors import NorenError
from dataflow.sources.protoc import ProtocError, compile_definition

AWAY = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
)
"""Answers that a later call may not give."""

UNKNOWN = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT)

CALL_SECONDS = 10


class PubSubSchemas:
    """Pub/Sub's SchemaService.

    endpoint: host:port of a server on this machine; None is Pub/Sub itself, over TLS, with application default
        credentials.
    """

    def __init__(self, endpoint: str | None = None) -> None:
        self._endpoint = endpoint
        self._call: Any = None

    def revision(self, name: str, revision: str) -> Definition | None:
        """As in `Schemas`. Raises NorenError where the service refuses, as for a missing permission."""
        if self._call is None:
            self._call = self._connected()
        request = GetSchemaRequest.pb()(name=f"{name}@{revision}", view=int(SchemaView.FULL))
        try:
            schema = self._call(request, timeout=CALL_SECONDS)
        except grpc.RpcError as error:
            if error.code() in UNKNOWN:
                return None
            sentence = f"{name}: its revision {revision} cannot be read: {error.details()}."
            raise (SchemasAwayError if error.code() in AWAY else NorenError)(sentence) from error
        if schema.type_ == int(Schema.Type.AVRO):
            return Definition(Format.AVRO, schema.definition)
        return _protobuf(schema.definition, f"{name}@{revision}")

    def _connected(self) -> Any:
        if self._endpoint:
            channel = plain(self._endpoint)
        else:
            from google.pubsub_v1.services.schema_service.transports import SchemaServiceGrpcTransport

            channel = SchemaServiceGrpcTransport().grpc_channel
        return channel.unary_unary(
            "/google.pubsub.v1.SchemaService/GetSchema", GetSchemaRequest.pb().SerializeToString, Schema.pb().FromString
        )


@dataclass(frozen=True)
class SchemaDirectory:
    """A registry's schemas as files: `<id>.avsc` or `<id>.proto`, ids as Confluent's registry gives them.

    A file that is added is found by the next message that names it.
    """

    path: Path

    def registered(self, number: int) -> Definition | None:
        """As in `Schemas`."""
        avro, protobuf = self.path / f"{number}.avsc", self.path / f"{number}.proto"
        try:
            if avro.is_file():
                return Definition(Format.AVRO, avro.read_text(encoding="utf-8"))
            if protobuf.is_file():
                return _protobuf(protobuf.read_text(encoding="utf-8"), protobuf.name)
        except (OSError, UnicodeDecodeError) as error:
            raise SchemasAwayError(f"{self.path}: schema {number} cannot be read: {type(error).__name__}.") from error
        return None


class WriterSchemas:
    """Both, as the core asks for them.

    directory: None where no messages have Confluent's framing: their schemas are unknown then.
    patience: seconds to wait for a service that is away before SchemasAwayError is raised.
    """

    def __init__(self, service: PubSubSchemas, directory: Path | None = None, patience: float = 20) -> None:
        self._service = service
        self._directory = SchemaDirectory(directory) if directory else None
        self._patience = patience

    def revision(self, name: str, revision: str) -> Definition | None:
        end, pause = time.monotonic() + self._patience, 0.1
        while True:
            try:
                return self._service.revision(name, revision)
            except SchemasAwayError:
                if time.monotonic() + pause > end:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 2.0)

    def registered(self, number: int) -> Definition | None:
        return self._directory.registered(number) if self._directory else None


def _protobuf(definition: str, name: str) -> Definition:
    try:
        return Definition(Format.PROTOBUF, descriptors=compile_definition(definition))
    except ProtocError as error:
        raise NorenError(f"{name}: is no Protocol Buffer definition: {error}.") from error
