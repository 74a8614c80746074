"""Writer schemas from a Pub/Sub server of ours, and from a directory."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.pubsub_v1.types import CommitSchemaRequest, CreateSchemaRequest, Schema

from dataflow.contract import Format
from dataflow.core import SchemasAwayError
from dataflow.errors import NorenError
from dataflow.sources.schemas import PubSubSchemas, SchemaDirectory, WriterSchemas

PARENT, NAME = "projects/noren-local", "projects/noren-local/schemas/events"
AVRO = {"type": "record", "name": "E", "fields": [{"name": "a", "type": "string"}]}
NEWER = AVRO | {"fields": [*AVRO["fields"], {"name": "b", "type": ["null", "string"], "default": None}]}  # type: ignore[misc]
PROTO = 'syntax = "proto3"; message E { optional string a = 1; }'


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("pubsub")
    command = [sys.executable, "-m", "scripts.stack.pubsub", "--data-dir", str(directory), "--watch-stdin"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline().removeprefix("READY "))
        yield f"127.0.0.1:{ready['port']}"
        process.terminate()
        process.communicate(timeout=20)


def call(endpoint: str, method: str, request: object) -> str:
    """Creates or commits; the id of the revision."""
    with grpc.insecure_channel(endpoint) as channel:
        made = channel.unary_unary(
            f"/google.pubsub.v1.SchemaService/{method}",
            lambda message: message.SerializeToString(),
            Schema.pb().FromString,
        )(request)
    return str(made.revision_id)


@pytest.fixture(scope="module")
def revisions(endpoint: str) -> list[str]:
    kind = int(Schema.Type.AVRO)
    schemas = [Schema.pb()(name=NAME, type_=kind, definition=json.dumps(text)) for text in (AVRO, NEWER)]
    return [
        call(
            endpoint,
            "CreateSchema",
            CreateSchemaRequest.pb()(parent=PARENT, schema=schemas[0], schema_id="events"),
        ),
        call(endpoint, "CommitSchema", CommitSchemaRequest.pb()(name=NAME, schema=schemas[1])),
    ]


def test_each_revision_is_found(endpoint: str, revisions: list[str]) -> None:
    found = [PubSubSchemas(endpoint).revision(NAME, revision) for revision in revisions]
    assert [(one.format, json.loads(one.text)) for one in found if one] == [(Format.AVRO, AVRO), (Format.AVRO, NEWER)]


def test_a_protocol_buffer_schema_comes_with_its_descriptors(endpoint: str) -> None:
    schema = Schema.pb()(type_=int(Schema.Type.PROTOCOL_BUFFER), definition=PROTO)
    request = CreateSchemaRequest.pb()(parent=PARENT, schema=schema, schema_id="proto-events")
    revision = call(endpoint, "CreateSchema", request)
    found = PubSubSchemas(endpoint).revision(f"{PARENT}/schemas/proto-events", revision)
    assert found is not None
    assert (found.format, b"E" in found.descriptors) == (Format.PROTOBUF, True)


@pytest.mark.parametrize(
    ("name", "revision"), [(NAME, "00000000"), (f"{PARENT}/schemas/other", "00000000"), ("no name", "x"), ("", "")]
)
def test_what_does_not_exist_is_none(endpoint: str, revisions: list[str], name: str, revision: str) -> None:
    assert PubSubSchemas(endpoint).revision(name, revision) is None


def test_a_server_that_is_away_is_waited_for_and_then_said() -> None:
    schemas = WriterSchemas(PubSubSchemas("127.0.0.1:1"), patience=0.3)
    with pytest.raises(SchemasAwayError, match=r"its revision abcd1234 cannot be read"):
        schemas.revision(NAME, "abcd1234")


def test_a_registrys_schemas_are_files_by_id(tmp_path: Path) -> None:
    (tmp_path / "1.avsc").write_text(json.dumps(AVRO))
    (tmp_path / "2.proto").write_text(PROTO)
    directory = SchemaDirectory(tmp_path)
    assert [found.format if (found := directory.registered(number)) else None for number in (1, 2, 3)] == [
        Format.AVRO, Format.PROTOBUF, None,
    ]  # fmt: skip
    (tmp_path / "3.avsc").write_text(json.dumps(NEWER))
    assert directory.registered(3) is not None


def test_a_wrong_definition_stops_loudly(tmp_path: Path) -> None:
    (tmp_path / "2.proto").write_text('syntax = "proto3"; mesage E {}')
    with pytest.raises(NorenError, match=r"2.proto: is no Protocol Buffer definition"):
        SchemaDirectory(tmp_path).registered(2)


def test_without_a_directory_no_id_is_known() -> None:
    assert WriterSchemas(PubSubSchemas("127.0.0.1:1")).registered(1) is None
