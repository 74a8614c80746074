"""Topics of the local stack: made once, published to in order and within the service's limits."""

import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from google.pubsub_v1 import types

from dataflow import names
from dataflow.channels import plain
from dataflow.errors import NorenError
from dataflow.sources.pubsub import PubSubSubscription
from scripts.stack.pubsub import statistics
from scripts.stack.streams import MOST_DELIVERIES, PUBLISH_BYTES, PUBLISH_MESSAGES, LocalTopics, _batches, read_lines
from tests.conftest import Stream


def test_each_contract_has_a_topic_and_the_anonymizers_subscription(stream: Stream) -> None:
    counted = statistics(stream.servers.pubsub)
    topic = stream.topics.topic(stream.name)
    assert counted["topics"][topic] == {"published": 0}
    subscription = f"projects/noren-test/subscriptions/{names.subscription(stream.name)}"
    assert counted["subscriptions"][subscription]["topic"] == topic


def test_what_is_there_stays_as_it_is(stream: Stream) -> None:
    stream.publish(b"1")
    stream.topics.ensure([stream.contract])
    assert statistics(stream.servers.pubsub)["topics"][stream.topics.topic(stream.name)]["published"] == 1


def test_a_subscription_of_before_there_was_one_is_given_a_dead_letter_policy(stream: Stream) -> None:
    project, endpoint = stream.servers.project_id, stream.servers.pubsub
    old = replace(stream.contract, stream=f"{stream.name}_old")
    with LocalTopics(project, endpoint) as topics, plain(endpoint) as channel:
        call = channel.unary_unary(
            "/google.pubsub.v1.Subscriber/GetSubscription",
            types.GetSubscriptionRequest.pb().SerializeToString,
            types.Subscription.pb().FromString,
        )
        path = f"projects/{project}/subscriptions/{names.subscription(old.stream)}"
        topics._create("Publisher/CreateTopic", types.Topic.pb()(name=topics.topic(old.stream)), types.Topic)
        topics.subscribe(names.subscription(old.stream), topics.topic(old.stream))
        before = call(types.GetSubscriptionRequest.pb()(subscription=path))
        topics.ensure([old])
        after = call(types.GetSubscriptionRequest.pb()(subscription=path))
        assert not before.HasField("dead_letter_policy")
        assert after.dead_letter_policy == types.DeadLetterPolicy.pb()(
            dead_letter_topic=f"projects/{project}/topics/{names.dead_letter_topic(old.stream)}",
            max_delivery_attempts=MOST_DELIVERIES,
        )
        after.ClearField("dead_letter_policy")
        assert after == before
        topics.ensure([old])  # and then it stays


def test_messages_keep_their_order_and_ids_are_given(stream: Stream) -> None:
    payloads = [b"%d" % number for number in range(PUBLISH_MESSAGES + 5)]
    ids = stream.publish(*payloads)
    assert (len(set(ids)), ids) == (len(payloads), sorted(ids, key=int))
    source = PubSubSubscription("noren-test", names.subscription(stream.name), stream.servers.pubsub)
    messages = [*source.pull(1_000, timeout=5), *source.pull(1_000, timeout=5)]
    source.close()
    assert {message.message_id: message.data for message in messages} == dict(zip(ids, payloads, strict=True))


def test_a_message_that_the_server_refuses_is_one_sentence(stream: Stream) -> None:
    with pytest.raises(NorenError, match=rf"^{stream.name}: the Pub/Sub server refuses the events: .+\.$"):
        stream.publish(b"x" * 10_000_001)


def test_a_topic_that_does_not_exist_is_one_sentence(stream: Stream) -> None:
    with pytest.raises(NorenError, match=r"^no_such: the Pub/Sub server refuses the events: .+\.$"):
        stream.topics.publish("no_such", [b"x"])


def test_a_name_that_the_server_refuses_is_one_sentence(stream: Stream) -> None:
    with pytest.raises(NorenError, match=r"^projects/noren-test/topics/x: cannot be made: .+\.$"):
        stream.topics.ensure([replace(stream.contract, stream="x")])


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [
        ([], []),
        ([1] * (PUBLISH_MESSAGES + 1), [PUBLISH_MESSAGES, 1]),
        ([PUBLISH_BYTES - 1, 1, 1], [2, 1]),
        ([PUBLISH_BYTES + 1, 1], [1, 1]),
        ([0, 0], [2]),
    ],
)
def test_a_request_stays_within_the_services_limits(sizes: list[int], batches: list[int]) -> None:
    assert [len(batch) for batch in _batches([(bytes(size), {}) for size in sizes])] == batches


def test_lines_of_a_file_are_events(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b'{"a": 1}\r\n\n{"b": "\xe2\x80\xa8"}')
    assert read_lines(path) == [b'{"a": 1}', b"", b'{"b": "\xe2\x80\xa8"}']
    with pytest.raises(NorenError, match=r"gone\.ndjson: cannot be read: No such file or directory\.$"):
        read_lines(tmp_path / "gone.ndjson")


def test_a_server_that_is_away_is_one_sentence(stream: Stream) -> None:
    with (
        LocalTopics("noren-test", "127.0.0.1:9") as topics,
        pytest.raises(NorenError, match=r"app_[0-9a-f]{8}: the Pub/Sub server refuses the events: .+\.$"),
    ):
        topics.publish(stream.name, [uuid.uuid4().bytes])
