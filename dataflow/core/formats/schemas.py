"""Writer schemas: what a binary message was written with, and where that is found.

A message names its writer schema in one of two ways:

- Pub/Sub stamps the attributes googclient_schemaname, googclient_schemarevisionid and googclient_schemaencoding on a
  message of a topic with a schema (https://cloud.google.com/pubsub/docs/schemas#schema-attributes);
- Confluent's framing puts a zero byte and the schema's id (4 bytes, big-endian) before it
  (https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from dataflow.contract import Format
from dataflow.core.rejects import Reason, RefusedError
from dataflow.errors import NorenError

NAME, REVISION, ENCODING = "googclient_schemaname", "googclient_schemarevisionid", "googclient_schemaencoding"


@dataclass(frozen=True)
class Definition:
    """A writer schema.

    format: AVRO or PROTOBUF.
    text: an Avro schema's JSON; empty for Protocol Buffers.
    descriptors: a serialized FileDescriptorSet, its last file the one meant; empty for Avro.
    """

    format: Format
    text: str = ""
    descriptors: bytes = b""


class Schemas(Protocol):
    """Where writer schemas are found. Answers are kept by the caller, for a revision or an id never changes."""

    def revision(self, name: str, revision: str) -> Definition | None:
        """A revision of a Pub/Sub schema, `projects/<project>/schemas/<schema>`; None when there is none.

        Raises SchemasAwayError when that cannot be known now.
        """

    def registered(self, number: int) -> Definition | None:
        """The schema with an id of a registry; None when there is none. Raises SchemasAwayError."""


class SchemasAwayError(NorenError):
    """The schema service cannot be asked now. Good events must not become dead letters for it: the driver waits."""


@dataclass(frozen=True)
class Writer:
    """What a message says about its schema.

    key: (schema name, revision) or (id,). body: the encoded event.
    text: whether it is in the schema's JSON encoding.
    """

    key: tuple[str, str] | tuple[int]
    body: bytes
    text: bool

    def find(self, schemas: Schemas) -> Definition | None:
        return schemas.registered(self.key[0]) if len(self.key) == 1 else schemas.revision(*self.key)


def writer(data: bytes, attributes: Mapping[str, str]) -> Writer:
    """Raises RefusedError when the message names no schema."""
    if REVISION in attributes:
        name = attributes.get(NAME, "")
        return Writer((name, attributes[REVISION]), data, attributes.get(ENCODING) == "JSON")
    if len(data) >= 5 and data[0] == 0:
        return Writer((int.from_bytes(data[1:5]),), data[5:], False)
    if not data:
        raise RefusedError(Reason.EMPTY_MESSAGE, "is empty")
    raise RefusedError(Reason.UNKNOWN_SCHEMA, f"names no schema: no attribute {REVISION} and no schema id before it")
