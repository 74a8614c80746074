"""Schemas and their revisions, and the check of a topic's messages against a range of revisions.

Source: https://cloud.google.com/pubsub/docs/schemas
"""

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from google.pubsub_v1 import types
from grpc import StatusCode

from .avro import AvroError, AvroSchema
from .message import NANOS
from .protocol_buffer import ProtocolBufferError, ProtocolBufferSchema, compile_definition
from .refusal import Refusal, invalid, missing

Schema = types.Schema.pb()
AVRO, PROTOCOL_BUFFER = int(types.Schema.Type.AVRO), int(types.Schema.Type.PROTOCOL_BUFFER)
JSON, BINARY = int(types.Encoding.JSON), int(types.Encoding.BINARY)
_ENCODINGS = {JSON: "JSON", BINARY: "BINARY"}

LIMIT = 300 * 1024
"""Google's limit for a definition, in bytes."""
REVISIONS = 20
"""Google's limit for the revisions of one schema."""

Check = Callable[[bytes], None]
"""Raises AvroError or ProtocolBufferError when the data does not fit."""


@dataclass(slots=True)
class Revision:
    """proto: the `Schema` protobuf with its revision id and time. compiled: descriptors, or nothing for Avro."""

    proto: Any
    compiled: bytes
    _parsed: AvroSchema | ProtocolBufferSchema | None = None

    def check(self, encoding: int) -> Check:
        parsed = self._parsed
        if parsed is None:
            if self.proto.type_ == AVRO:
                parsed = AvroSchema(self.proto.definition)
            else:
                parsed = ProtocolBufferSchema(self.compiled, self.proto.compiled_proto_schema.root_message)
            self._parsed = parsed
        return parsed.check_json if encoding == JSON else parsed.check_binary

    def record(self) -> tuple[bytes, bytes]:
        return self.proto.SerializeToString(), self.compiled


def prepare(proto: Any, name: str) -> Revision:
    """A new revision of schema `name`, with an id and the time of now. Blocks while protoc runs.

    Raises Refusal INVALID_ARGUMENT: no type, a definition that is empty, too long, or does not parse.
    """
    revision = Schema(name=name, type_=proto.type_, definition=proto.definition)
    compiled = b""
    if proto.type_ not in (AVRO, PROTOCOL_BUFFER):
        raise invalid("Invalid schema type: it has to be AVRO or PROTOCOL_BUFFER.")
    if len(proto.definition.encode()) > LIMIT or len(proto.compiled_proto_schema.compiled_bytes) > LIMIT:
        raise invalid(f"The schema definition has more than {LIMIT} bytes.")
    try:
        if proto.HasField("compiled_proto_schema"):
            if proto.type_ != PROTOCOL_BUFFER:
                raise invalid("compiled_proto_schema needs the type PROTOCOL_BUFFER.")
            revision.compiled_proto_schema.CopyFrom(proto.compiled_proto_schema)
            compiled = proto.compiled_proto_schema.compiled_bytes
        elif proto.type_ == PROTOCOL_BUFFER:
            compiled = compile_definition(proto.definition)
        made = Revision(revision, compiled)
        made.check(BINARY)
    except (AvroError, ProtocolBufferError) as error:
        raise invalid(f"Could not parse schema definition: {error}") from error
    revision.revision_id = secrets.token_hex(4)
    now = time.time_ns()
    revision.revision_create_time.seconds, revision.revision_create_time.nanos = divmod(now, NANOS)
    return made


def restored(records: Iterable[tuple[bytes, bytes]]) -> list[Revision]:
    return [Revision(Schema.FromString(proto), compiled) for proto, compiled in records]


def find(revisions: list[Revision], revision_id: str) -> int:
    """The index of a revision; raises Refusal NOT_FOUND."""
    for index, revision in enumerate(revisions):
        if revision.proto.revision_id == revision_id:
            return index
    raise missing("Revision not found")


def check_message(revision: Revision, data: bytes, encoding: int) -> None:
    """Raises Refusal INVALID_ARGUMENT when the data does not fit; the text names the field, never a value."""
    if encoding not in _ENCODINGS:
        raise invalid("No encoding provided: it has to be JSON or BINARY.")
    try:
        revision.check(encoding)(data)
    except (AvroError, ProtocolBufferError) as error:
        raise invalid(f"Could not parse message: {error}") from error


def stamp_messages(messages: Iterable[Any], settings: Any, revisions: list[Revision] | None) -> None:
    """Check each message of a publish request and write Google's schema attributes on it.

    settings: the topic's SchemaSettings. The newest allowed revision that a message fits is taken; when it fits none,
    the whole request is refused with INVALID_ARGUMENT. Raises NOT_FOUND when the schema was deleted.
    """
    if revisions is None:
        raise Refusal(StatusCode.NOT_FOUND, "Schema associated with topic deleted.")
    ids = [revision.proto.revision_id for revision in revisions]
    first = ids.index(settings.first_revision_id) if settings.first_revision_id in ids else 0
    last = ids.index(settings.last_revision_id) if settings.last_revision_id in ids else len(ids) - 1
    allowed = [(revision, revision.check(settings.encoding)) for revision in revisions[first : last + 1][::-1]]
    for index, message in enumerate(messages):
        why: Exception | None = None
        for revision, check in allowed:
            try:
                check(message.data)
            except (AvroError, ProtocolBufferError) as error:
                why = why or error
                continue
            message.attributes["googclient_schemaencoding"] = _ENCODINGS[settings.encoding]
            message.attributes["googclient_schemaname"] = settings.schema
            message.attributes["googclient_schemarevisionid"] = revision.proto.revision_id
            break
        else:
            raise invalid(f"Could not parse message: messages[{index}] does not fit the schema: {why}")
