"""Methods and refusals that only our server has, through the real clients."""

import uuid

import pytest
from google.api_core import exceptions
from google.protobuf import duration_pb2
from google.pubsub_v1 import types

from scripts.stack.pubsub import statistics
from scripts.stack.pubsub.broker import Broker
from scripts.stack.pubsub.log import Log
from scripts.stack.pubsub.protocol_buffer import compile_definition

AVRO, PROTOCOL_BUFFER = types.Schema.Type.AVRO, types.Schema.Type.PROTOCOL_BUFFER
TWO = 'syntax = "proto3"; message One {} message Two { int32 n = 1; }'


@pytest.mark.parametrize(
    "fields",
    [
        {"push_config": {"push_endpoint": "https://example.com"}},
        {"bigquery_config": {"table": "p.d.t"}},
        {"message_transforms": [{"javascript_udf": {"function_name": "f", "code": "x"}}]},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_ways_of_delivery_that_are_not_there_are_unimplemented(own, fields):
    topic = own.topic()
    with pytest.raises(exceptions.MethodNotImplemented):
        own.subscription(topic, **fields)


def test_a_push_endpoint_cannot_be_set_later(own):
    _, name = own.both()
    own.subscriber.modify_push_config(subscription=name, push_config={})
    with pytest.raises(exceptions.MethodNotImplemented):
        own.subscriber.modify_push_config(subscription=name, push_config={"push_endpoint": "https://example.com"})


def test_a_negative_number_of_messages_is_refused(own):
    _, name = own.both()
    with pytest.raises(exceptions.InvalidArgument):
        own.subscriber.pull(subscription=name, max_messages=-1)


def test_a_topics_snapshots_are_listed(own, project):
    topic, name = own.both()
    snapshot = f"{project}/snapshots/snapshot-{uuid.uuid4().hex[:8]}"
    own.subscriber.create_snapshot(name=snapshot, subscription=name)
    assert list(own.publisher.list_topic_snapshots(topic=topic)) == [snapshot]
    own.publisher.delete_topic(topic=topic)
    assert own.subscriber.get_snapshot(snapshot=snapshot).topic == "_deleted-topic_"
    with pytest.raises(exceptions.FailedPrecondition):
        own.subscriber.create_snapshot(name=f"{snapshot}-2", subscription=name)


def test_a_subscription_tells_its_topics_retention(own):
    topic = own.topic(message_retention_duration=duration_pb2.Duration(seconds=700))
    name = own.subscription(topic)
    got = own.subscriber.get_subscription(subscription=name)
    assert got.topic_message_retention_duration.total_seconds() == 700


def test_a_detached_subscription_cannot_be_sought(own):
    _, name = own.both()
    own.publisher.detach_subscription(request={"subscription": name})
    with pytest.raises(exceptions.FailedPrecondition):
        own.subscriber.seek(request={"subscription": name, "time": {"seconds": 1}})


def test_a_dead_letter_topic_that_was_deleted_leaves_the_message(own):
    dead = own.topic()
    topic, name = own.both(dead_letter_policy={"dead_letter_topic": dead, "max_delivery_attempts": 5})
    own.publish(topic, b"x")
    own.publisher.delete_topic(topic=dead)
    attempts = []
    for _ in range(7):
        (received,) = own.pull(name)
        attempts.append(received.delivery_attempt)
        own.modack(name, [received], 0)
    assert attempts == [1, 2, 3, 4, 5, 6, 7]


def test_dead_letters_count_as_published(own):
    dead = own.topic()
    own.subscription(dead)
    topic, name = own.both(dead_letter_policy={"dead_letter_topic": dead, "max_delivery_attempts": 5})
    own.publish(topic, b"x")
    for _ in range(5):
        own.modack(name, own.pull(name), 0)
    counted = statistics(own.endpoint)
    assert (counted["topics"][dead], counted["subscriptions"][name]["unacknowledged"]) == ({"published": 1}, 0)


def test_a_compiled_schema_is_taken(own, project):
    compiled = types.CompiledProtoSchema(root_message="Two", compiled_bytes=compile_definition(TWO))
    schema = types.Schema(type_=PROTOCOL_BUFFER, compiled_proto_schema=compiled)
    made = own.schemas.create_schema(parent=project, schema=schema, schema_id=f"schema-{uuid.uuid4().hex[:8]}")
    request = {"parent": project, "name": made.name, "encoding": types.Encoding.JSON}
    own.schemas.validate_message(request={**request, "message": b'{"n": 1}'})
    with pytest.raises(exceptions.InvalidArgument):
        own.schemas.validate_message(request={**request, "message": b'{"m": 1}'})


@pytest.mark.parametrize(
    "schema",
    [
        types.Schema(definition='"string"'),
        types.Schema(type_=AVRO, compiled_proto_schema={"root_message": "One", "compiled_bytes": b""}),
        types.Schema(type_=PROTOCOL_BUFFER, compiled_proto_schema={"root_message": "No", "compiled_bytes": b""}),
        types.Schema(type_=AVRO, definition='"' + "x" * 307_200 + '"'),
    ],
    ids=["no type", "compiled Avro", "no such root", "too long"],
)
def test_a_schema_that_makes_no_sense_is_refused(own, project, schema):
    with pytest.raises(exceptions.InvalidArgument):
        own.schemas.validate_schema(parent=project, schema=schema)


def test_a_schema_has_at_most_twenty_revisions(own, project):
    schema = types.Schema(type_=AVRO, definition='"string"')
    name = own.schemas.create_schema(parent=project, schema=schema, schema_id=f"schema-{uuid.uuid4().hex[:8]}").name
    schema.name = name
    for _ in range(19):
        own.schemas.commit_schema(name=name, schema=schema)
    with pytest.raises(exceptions.FailedPrecondition):
        own.schemas.commit_schema(name=name, schema=schema)
    listed = list(own.schemas.list_schema_revisions(request={"name": name, "page_size": 7}))
    assert len({each.revision_id for each in listed}) == 20


def test_a_revision_has_the_type_of_its_schema_and_is_not_the_last(own, project):
    schema = types.Schema(type_=AVRO, definition='"string"')
    made = own.schemas.create_schema(parent=project, schema=schema, schema_id=f"schema-{uuid.uuid4().hex[:8]}")
    other = types.Schema(name=made.name, type_=PROTOCOL_BUFFER, definition=TWO)
    with pytest.raises(exceptions.InvalidArgument):
        own.schemas.commit_schema(name=made.name, schema=other)
    with pytest.raises(exceptions.InvalidArgument):
        own.schemas.delete_schema_revision(name=f"{made.name}@{made.revision_id}", revision_id="")


def test_a_topic_takes_only_the_revisions_it_names(own, project):
    schema = types.Schema(type_=AVRO, definition='"string"')
    first = own.schemas.create_schema(parent=project, schema=schema, schema_id=f"schema-{uuid.uuid4().hex[:8]}")
    own.schemas.commit_schema(name=first.name, schema=types.Schema(name=first.name, type_=AVRO, definition='"int"'))
    settings = {"schema": first.name, "encoding": "JSON", "last_revision_id": first.revision_id}
    topic = own.topic(schema_settings=settings)
    assert len(own.publish(topic, b'"text"')) == 1
    with pytest.raises(exceptions.InvalidArgument):
        own.publish(topic, b"1")
    with pytest.raises(exceptions.NotFound):
        own.topic(schema_settings={**settings, "first_revision_id": "00000000"})


def test_a_compaction_that_fails_is_put_off_and_publishing_goes_on(tmp_path, monkeypatch):
    def full(_self, _frames):
        raise OSError(28, "No space left on device")

    broker = Broker(tmp_path, compact_at=2000)
    topic = broker.create_topic(types.Topic.pb()(name="projects/p/topics/topic"))
    broker.create_subscription(types.Subscription.pb()(name="projects/p/subscriptions/subscription", topic=topic.name))
    monkeypatch.setattr(Log, "compact", full)
    numbers = [broker.publish(topic, [types.PubsubMessage.pb()(data=b"x" * 300)])[0] for _ in range(20)]
    broker.close()
    again = Broker(tmp_path, compact_at=1 << 30)
    assert list(again.subscription("projects/p/subscriptions/subscription").delivery.backlog) == numbers
    again.close()
