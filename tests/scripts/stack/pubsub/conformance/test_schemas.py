"""Schemas: revisions, and what a topic with a schema takes."""

import io
import json
import uuid

import fastavro
import pytest
from google.api_core import exceptions
from google.pubsub_v1 import types

AVRO, PROTOCOL_BUFFER = types.Schema.Type.AVRO, types.Schema.Type.PROTOCOL_BUFFER
JSON, BINARY = types.Encoding.JSON, types.Encoding.BINARY
RECORD = {
    "type": "record",
    "name": "Event",
    "fields": [{"name": "id", "type": "string"}, {"name": "count", "type": ["null", "int"], "default": None}],
}
LARGER = {**RECORD, "fields": [*RECORD["fields"], {"name": "more", "type": "string"}]}
PROTO = 'syntax = "proto3"; message Event { string id = 1; int32 count = 2; }'


def create(cloud, project, definition=RECORD, kind=AVRO):
    text = definition if isinstance(definition, str) else json.dumps(definition)
    schema = types.Schema(definition=text, type_=kind)
    return cloud.schemas.create_schema(parent=project, schema=schema, schema_id=f"schema-{uuid.uuid4().hex[:8]}")


def commit(cloud, name, definition):
    schema = types.Schema(name=name, definition=json.dumps(definition), type_=AVRO)
    return cloud.schemas.commit_schema(name=name, schema=schema)


def binary(value, schema=RECORD):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def test_a_schema_is_created_and_got(cloud, project):
    made = create(cloud, project)
    got = cloud.schemas.get_schema(name=made.name)
    assert got == made
    assert json.loads(got.definition) == RECORD
    assert len(got.revision_id) == 8


@pytest.mark.parametrize("definition", ["", "{", '{"type": "record"}', '{"type": "nonsense"}'])
def test_a_definition_that_does_not_parse_is_refused(cloud, project, definition):
    with pytest.raises(exceptions.InvalidArgument):
        create(cloud, project, definition)


def test_a_schema_can_be_created_once(cloud, project):
    made = create(cloud, project)
    with pytest.raises(exceptions.AlreadyExists):
        cloud.schemas.create_schema(parent=project, schema=made, schema_id=made.name.rpartition("/")[2])


@pytest.mark.parametrize("call", ["get_schema", "delete_schema"])
def test_a_schema_that_is_not_there_is_not_found(cloud, project, call):
    with pytest.raises(exceptions.NotFound):
        getattr(cloud.schemas, call)(name=f"{project}/schemas/nothing-here")


def test_schemas_are_listed(cloud, project):
    made = create(cloud, project)
    assert made.name in [schema.name for schema in cloud.schemas.list_schemas(parent=project)]


def test_a_basic_view_has_no_definition(cloud, project):
    made = create(cloud, project)
    request = {"name": made.name, "view": types.SchemaView.BASIC}
    assert cloud.schemas.get_schema(request=request).definition == ""


def test_a_commit_makes_a_revision(cloud, project):
    first = create(cloud, project)
    second = commit(cloud, first.name, LARGER)
    assert second.revision_id != first.revision_id
    assert cloud.schemas.get_schema(name=first.name).revision_id == second.revision_id
    assert cloud.schemas.get_schema(name=f"{first.name}@{first.revision_id}").revision_id == first.revision_id
    revisions = cloud.schemas.list_schema_revisions(name=first.name)
    assert {each.revision_id for each in revisions} == {first.revision_id, second.revision_id}


def test_a_rollback_makes_a_new_revision_of_the_old_definition(cloud, project):
    first = create(cloud, project)
    commit(cloud, first.name, LARGER)
    third = cloud.schemas.rollback_schema(name=first.name, revision_id=first.revision_id)
    assert third.revision_id != first.revision_id
    assert json.loads(third.definition) == RECORD


def test_a_rollback_to_no_revision_is_not_found(cloud, project):
    made = create(cloud, project)
    with pytest.raises(exceptions.NotFound):
        cloud.schemas.rollback_schema(name=made.name, revision_id="00000000")


def test_a_revision_is_deleted(cloud, project):
    first = create(cloud, project)
    second = commit(cloud, first.name, LARGER)
    cloud.schemas.delete_schema_revision(name=f"{first.name}@{first.revision_id}", revision_id="")
    revisions = cloud.schemas.list_schema_revisions(name=first.name)
    assert [each.revision_id for each in revisions] == [second.revision_id]


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        (JSON, b'{"id": "x", "count": null}'),
        (JSON, b'{"id": "x", "count": {"int": 3}, "unknown": true}'),
        (BINARY, binary({"id": "x", "count": 3})),
    ],
)
def test_a_message_that_fits_is_valid(cloud, project, encoding, message):
    schema = types.Schema(definition=json.dumps(RECORD), type_=AVRO)
    cloud.schemas.validate_message(
        request={"parent": project, "schema": schema, "message": message, "encoding": encoding}
    )


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        (JSON, b'{"id": "x"}'),
        (JSON, b'{"id": 3, "count": null}'),
        (JSON, b'{"id": "x", "count": 3}'),
        (JSON, b'{"id": "x", "count": {"int": "3"}}'),
        (JSON, b"{"),
        (JSON, b""),
        (JSON, b"[]"),
        (BINARY, b""),
        (BINARY, binary({"id": "x", "count": 3})[:-1]),
    ],
)
def test_a_message_that_does_not_fit_is_refused(cloud, project, encoding, message):
    schema = types.Schema(definition=json.dumps(RECORD), type_=AVRO)
    request = {"parent": project, "schema": schema, "message": message, "encoding": encoding}
    with pytest.raises(exceptions.InvalidArgument):
        cloud.schemas.validate_message(request=request)


@pytest.mark.parametrize(
    ("encoding", "good", "bad"),
    [
        (JSON, b'{"id": "x", "count": null}', b'{"id": 3}'),
        (BINARY, binary({"id": "x", "count": 3}), b"\xff"),
    ],
)
def test_a_topic_with_a_schema_takes_what_fits_and_says_what_it_is(cloud, project, encoding, good, bad):
    schema = create(cloud, project)
    topic = cloud.topic(schema_settings={"schema": schema.name, "encoding": encoding})
    name = cloud.subscription(topic)
    with pytest.raises(exceptions.InvalidArgument):
        cloud.publish(topic, good, bad)
    cloud.publish(topic, good)
    received = cloud.pull(name, 2, seconds=0.3)
    assert [each.message.data for each in received] == [good]
    assert dict(received[0].message.attributes) == {
        "googclient_schemaencoding": encoding.name,
        "googclient_schemaname": schema.name,
        "googclient_schemarevisionid": schema.revision_id,
    }


def test_a_message_is_checked_against_every_allowed_revision(cloud, project):
    first = create(cloud, project)
    second = commit(cloud, first.name, LARGER)
    topic = cloud.topic(schema_settings={"schema": first.name, "encoding": JSON})
    name = cloud.subscription(topic)
    cloud.publish(topic, b'{"id": "x", "count": null}')
    cloud.publish(topic, b'{"id": "x", "count": null, "more": "y"}')
    by_revision = {
        each.message.attributes["googclient_schemarevisionid"]: each.message.data for each in cloud.pull(name, 2)
    }
    assert by_revision == {
        first.revision_id: b'{"id": "x", "count": null}',
        second.revision_id: b'{"id": "x", "count": null, "more": "y"}',
    }


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"schema": "projects/noren-local/schemas/nothing-here", "encoding": JSON}, exceptions.NotFound),
        ({}, exceptions.InvalidArgument),
    ],
)
def test_a_topics_schema_settings_have_to_make_sense(cloud, project, settings, error):
    settings = settings or {"schema": create(cloud, project).name}
    with pytest.raises(error):
        cloud.topic(schema_settings=settings)


def test_a_topic_whose_schema_was_deleted_takes_nothing(cloud, project):
    schema = create(cloud, project)
    topic = cloud.topic(schema_settings={"schema": schema.name, "encoding": JSON})
    cloud.schemas.delete_schema(name=schema.name)
    assert cloud.publisher.get_topic(topic=topic).schema_settings.schema == "_deleted-schema_"
    with pytest.raises(exceptions.NotFound):
        cloud.publish(topic, b'{"id": "x", "count": null}')


@pytest.mark.google_differs("the emulator has no Protocol Buffer schemas")
@pytest.mark.parametrize(
    ("encoding", "good", "bad"), [(JSON, b'{"id": "x"}', b'{"id": 3}'), (BINARY, b"\n\x01x", b"\n")]
)
def test_a_protocol_buffer_schema_checks_messages(cloud, project, encoding, good, bad):
    schema = create(cloud, project, PROTO, PROTOCOL_BUFFER)
    topic = cloud.topic(schema_settings={"schema": schema.name, "encoding": encoding})
    with pytest.raises(exceptions.InvalidArgument):
        cloud.publish(topic, bad)
    assert len(cloud.publish(topic, good)) == 1


@pytest.mark.google_differs("the emulator has no Protocol Buffer schemas")
@pytest.mark.parametrize("definition", ['syntax = "proto3"; mesage Event {}', PROTO + " message Other {}"])
def test_a_wrong_protocol_buffer_definition_is_refused(cloud, project, definition):
    with pytest.raises(exceptions.InvalidArgument):
        create(cloud, project, definition, PROTOCOL_BUFFER)
