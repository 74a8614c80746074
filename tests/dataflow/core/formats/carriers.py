"""App events in every format that can carry them."""

import datetime
import gzip
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import fastavro
import zstandard
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

from dataflow.contract import Contract, Field, FieldType, Format
from dataflow.core import Anonymizer, Definition, Outcome, Unpacked
from dataflow.keys import KeyRing
from dataflow.policy import Policy
from dataflow.schemas import avro as avro_schemas
from dataflow.schemas import pubsub
from dataflow.sources.protoc import compile_definition
from tests.dataflow.cases import RECEIVED

SCHEMA, REVISION, NUMBER = "projects/p/schemas/app-event", "abcd1234", 7
RENDERED = "00000002"
"""The revision of the Avro schema that is made from the contract; it has logical types."""

AVRO_TYPES = {
    FieldType.STRING: "string",
    FieldType.INTEGER: "long",
    FieldType.NUMBER: "double",
    FieldType.BOOLEAN: "boolean",
    FieldType.TIMESTAMP: "string",
    FieldType.DATE: "string",
}


@dataclass
class Known:
    """Writer schemas in memory."""

    revisions: dict[tuple[str, str], Definition] = field(default_factory=dict)
    numbers: dict[int, Definition] = field(default_factory=dict)
    asked: int = 0

    def revision(self, name: str, revision: str) -> Definition | None:
        self.asked += 1
        return self.revisions.get((name, revision))

    def registered(self, number: int) -> Definition | None:
        self.asked += 1
        return self.numbers.get(number)


def avro_schema(fields: tuple[Field, ...], name: str = "Event") -> dict[str, Any]:
    """A record of the fields; what is not required is a union with null."""

    def kind(item: Field) -> Any:
        inner = avro_schema(item.children, f"{name}_{item.name}") if item.children else AVRO_TYPES[item.type]
        return inner if item.required else ["null", inner]

    members = [
        {"name": item.name, "type": kind(item)} | ({} if item.required else {"default": None}) for item in fields
    ]
    return {"type": "record", "name": name, "fields": members}


def typed(value: Any) -> Any:
    """Texts of times and dates as what a writer of Avro's logical types wants."""
    if isinstance(value, dict):
        return {name: typed(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [typed(inner) for inner in value]
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", value):
        return datetime.datetime.fromisoformat(value)
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return datetime.date.fromisoformat(value)
    return value


@cache
def _parsed(schema: str) -> Any:
    return fastavro.parse_schema(json.loads(schema))


def avro(value: dict[str, Any], schema: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, _parsed(json.dumps(schema)), value)
    return stream.getvalue()


def avro_json(value: dict[str, Any], schema: dict[str, Any]) -> bytes:
    stream = io.StringIO()
    fastavro.json_writer(stream, _parsed(json.dumps(schema)), [value])
    return stream.getvalue().encode()


@cache
def descriptors(definition: str) -> bytes:
    return compile_definition(definition)


@cache
def _message(compiled: bytes) -> Any:
    files = descriptor_pb2.FileDescriptorSet.FromString(compiled)
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    kind = pool.FindFileByName(files.file[-1].name).message_types_by_name[files.file[-1].message_type[0].name]
    return message_factory.GetMessageClass(kind)


def protobuf(value: dict[str, Any], compiled: bytes) -> bytes:
    return bytes(json_format.ParseDict(value, _message(compiled)()).SerializeToString())


def framed(body: bytes, number: int = NUMBER) -> bytes:
    return b"\0" + number.to_bytes(4) + body


def stamped(encoding: str = "BINARY", revision: str = REVISION) -> dict[str, str]:
    return {
        "googclient_schemaname": SCHEMA,
        "googclient_schemarevisionid": revision,
        "googclient_schemaencoding": encoding,
    }


def log_entry(value: dict[str, Any]) -> bytes:
    return json.dumps(
        {
            "insertId": "1xyz",
            "logName": "projects/p/logs/app",
            "timestamp": "2026-01-15T09:59:59Z",
            "resource": {"type": "k8s_container", "labels": {"pod": "p-1"}},
            "severity": "INFO",
            "jsonPayload": value,
        }
    ).encode()


def encoded(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


type Pack = Callable[[dict[str, Any]], bytes]


@dataclass(frozen=True)
class Carrier:
    """One way for an event to travel."""

    name: str
    format: Format
    pack: Pack
    attributes: Mapping[str, str] = field(default_factory=dict)


def carriers(contract: Contract) -> list[Carrier]:
    schema, compiled = avro_schema(contract.fields), descriptors(pubsub.events(contract))
    rendered = avro_schemas.schema(contract)

    def of_avro(value: dict[str, Any]) -> bytes:
        return avro(value, schema)

    def of_protobuf(value: dict[str, Any]) -> bytes:
        return protobuf(value, compiled)

    zstd = zstandard.ZstdCompressor().compress
    two = gzip.compress
    return [
        Carrier("json", Format.JSON, encoded),
        Carrier("json, gzip", Format.JSON, lambda value: gzip.compress(encoded(value)), {"Content-Encoding": "gzip"}),
        Carrier("json, gzip of two members", Format.JSON, lambda v: two(encoded(v)[:50]) + two(encoded(v)[50:])),
        Carrier("json, zstd", Format.JSON, lambda value: zstd(encoded(value))),
        Carrier("json, said to be gzip but unpacked", Format.JSON, encoded, {"Content-Encoding": "gzip"}),
        Carrier("ndjson", Format.NDJSON, lambda value: b"\n" + encoded(value) + b"\r\n\n"),
        Carrier("ndjson, gzip", Format.NDJSON, lambda value: gzip.compress(encoded(value) + b"\n")),
        Carrier("ndjson, zstd", Format.NDJSON, lambda value: zstd(encoded(value) + b"\n")),
        Carrier("avro, Pub/Sub", Format.AVRO, of_avro, stamped()),
        Carrier("avro, Pub/Sub, JSON", Format.AVRO, lambda value: avro_json(value, schema), stamped("JSON")),
        Carrier("avro, of the contract", Format.AVRO, lambda v: avro(typed(v), rendered), stamped(revision=RENDERED)),
        Carrier("avro, Confluent", Format.AVRO, lambda value: framed(of_avro(value))),
        Carrier("avro, zstd", Format.AVRO, lambda v: zstd(of_avro(v)), stamped() | {"content-encoding": "zstd"}),
        Carrier("protobuf, Pub/Sub", Format.PROTOBUF, of_protobuf, stamped()),
        Carrier("protobuf, Pub/Sub, JSON", Format.PROTOBUF, encoded, stamped("JSON")),
        Carrier("protobuf, Confluent", Format.PROTOBUF, lambda value: framed(b"\0" + of_protobuf(value))),
        Carrier("protobuf, Confluent, indexes", Format.PROTOBUF, lambda v: framed(b"\2\0" + of_protobuf(v))),
        Carrier("protobuf, gzip", Format.PROTOBUF, lambda value: gzip.compress(of_protobuf(value)), stamped()),
        Carrier("log entry", Format.LOG_ENTRY, log_entry),
        Carrier("log entry, gzip", Format.LOG_ENTRY, lambda value: gzip.compress(log_entry(value))),
    ]


def known(contract: Contract, format: Format) -> Known:
    """The contract's writer schema, by revision and by id."""
    if format is Format.PROTOBUF:
        definition = Definition(Format.PROTOBUF, descriptors=descriptors(pubsub.events(contract)))
        return Known({(SCHEMA, REVISION): definition}, {NUMBER: definition})
    definition = Definition(Format.AVRO, json.dumps(avro_schema(contract.fields)))
    rendered = Definition(Format.AVRO, json.dumps(avro_schemas.schema(contract)))
    return Known({(SCHEMA, REVISION): definition, (SCHEMA, RENDERED): rendered}, {NUMBER: definition})


@dataclass
class Core:
    """The core for one contract in one format."""

    contract: Contract
    policy: Policy
    keys: KeyRing
    schemas: Known | None = None

    def __post_init__(self) -> None:
        self.anonymizer = Anonymizer(self.contract, self.policy, self.keys, schemas=self.schemas)

    def run(self, *messages: bytes, attributes: Mapping[str, str] | None = None) -> tuple[Unpacked, Outcome]:
        count = len(messages)
        unpacked = self.anonymizer.unpack(messages, [attributes or {}] * count, [RECEIVED] * count)
        return unpacked, self.anonymizer.process(unpacked.batch)

    def refusals(self, *messages: bytes, attributes: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
        """(reason, field) of every reject."""
        _, outcome = self.run(*messages, attributes=attributes)
        return [(reject.reason.value, reject.field) for reject in outcome.rejects]


def core(contract: Contract, format: Format, policy: Policy, keys: KeyRing) -> Core:
    schemas = known(contract, format) if format in (Format.AVRO, Format.PROTOBUF) else None
    return Core(replace(contract, format=format), policy, keys, schemas)
