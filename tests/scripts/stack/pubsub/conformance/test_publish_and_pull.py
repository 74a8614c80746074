"""Publishing, unary pull, acknowledgments and deadlines."""

import time

import grpc
import pytest
from google.api_core import exceptions
from google.pubsub_v1 import types


def test_a_published_message_is_pulled_as_it_was(cloud):
    topic, name = cloud.both()
    (message_id,) = cloud.publish(topic, b"\x00\xffdata", kind="page_view", **{"ä b": "ö"})
    (received,) = cloud.pull(name)
    assert received.message.data == b"\x00\xffdata"
    assert dict(received.message.attributes) == {"kind": "page_view", "ä b": "ö"}
    assert received.message.message_id == message_id
    assert abs(received.message.publish_time.timestamp() - time.time()) < 60


def test_a_message_may_have_attributes_alone(cloud):
    topic, name = cloud.both()
    cloud.publish(topic, b"", kind="empty")
    assert dict(cloud.pull(name)[0].message.attributes) == {"kind": "empty"}


def test_the_publisher_cannot_choose_id_or_time(cloud):
    topic, name = cloud.both()
    forged = types.PubsubMessage(data=b"x", message_id="7", publish_time={"seconds": 7, "nanos": 7})
    (message_id,) = cloud.publisher.publish(topic=topic, messages=[forged]).message_ids
    message = cloud.pull(name)[0].message
    assert message_id != "7"
    assert message.message_id == message_id
    assert message.publish_time.timestamp() > 1e9


@pytest.mark.parametrize("messages", [[], [types.PubsubMessage()], [types.PubsubMessage(data=b"x")] * 1001])
def test_a_request_without_or_with_too_many_messages_is_refused(cloud, messages):
    topic = cloud.topic()
    with pytest.raises(exceptions.InvalidArgument):
        cloud.publisher.publish(topic=topic, messages=messages)


@pytest.mark.google_differs("the emulator has no limits for attributes and ordering keys")
@pytest.mark.parametrize(
    "fields",
    [
        {"attributes": {"k" * 257: "v"}},
        {"attributes": {"k": "v" * 1025}},
        {"attributes": {"": "v"}},
        {"attributes": {str(number): "v" for number in range(101)}},
        {"ordering_key": "k" * 1025},
    ],
    ids=["long name", "long value", "no name", "too many", "long ordering key"],
)
def test_attributes_over_googles_limits_are_refused(cloud, fields):
    topic = cloud.topic()
    with pytest.raises(exceptions.InvalidArgument):
        cloud.publisher.publish(topic=topic, messages=[types.PubsubMessage(data=b"x", **fields)])


@pytest.mark.google_differs("the emulator takes requests over 10,000,000 bytes")
def test_a_request_over_ten_million_bytes_is_refused(cloud):
    topic = cloud.topic()
    with pytest.raises(exceptions.InvalidArgument):
        cloud.publish(topic, b"x" * 10_000_000)


def test_a_message_of_almost_ten_million_bytes_goes_both_ways(cloud):
    topic, name = cloud.both()
    data = bytes(range(256)) * 39_000
    cloud.publish(topic, data)
    with grpc.insecure_channel(cloud.endpoint, options=[("grpc.max_receive_message_length", -1)]) as channel:
        pull = channel.unary_unary(
            "/google.pubsub.v1.Subscriber/Pull",
            request_serializer=types.PullRequest.pb().SerializeToString,
            response_deserializer=types.PullResponse.pb().FromString,
        )
        response = pull(types.PullRequest.pb()(subscription=name, max_messages=10), timeout=20)
    assert [received.message.data for received in response.received_messages] == [data]


def test_publishing_to_no_topic_is_not_found(cloud, project):
    with pytest.raises(exceptions.NotFound):
        cloud.publish(f"{project}/topics/nothing-here", b"x")


def test_every_subscription_gets_every_message(cloud):
    topic, one = cloud.both()
    other = cloud.subscription(topic)
    cloud.publish(topic, b"x")
    assert cloud.pull_data(one) == cloud.pull_data(other) == [b"x"]


def test_a_subscription_gets_nothing_published_before_it(cloud):
    topic = cloud.topic()
    cloud.publish(topic, b"early")
    name = cloud.subscription(topic)
    assert cloud.pull_data(name, seconds=0.2) == []


def test_message_ids_rise_within_a_request(cloud):
    topic = cloud.topic()
    ids = [int(each) for each in cloud.publish(topic, *[b"x"] * 100)]
    assert ids == sorted(set(ids))


def test_a_pull_that_shall_not_wait_comes_back_empty(cloud):
    _, name = cloud.both()
    assert cloud.pull(name, seconds=0.01) == []


def test_a_waiting_pull_gets_the_message_when_it_comes(cloud):
    topic, name = cloud.both()
    future = cloud.batching.publish(topic, b"late")
    received = cloud.subscriber.pull(subscription=name, max_messages=5, timeout=10, retry=None)
    assert [each.message.data for each in received.received_messages] == [b"late"]
    assert future.result(timeout=5)


def test_a_waiting_pull_ends_empty_before_its_deadline(cloud):
    _, name = cloud.both()
    started = time.monotonic()
    assert not cloud.subscriber.pull(subscription=name, max_messages=1, timeout=2.0, retry=None).received_messages
    assert 0.5 < time.monotonic() - started < 2.0


def test_a_pull_gives_no_more_than_asked_for(cloud):
    topic, name = cloud.both()
    cloud.publish(topic, *[b"x"] * 10)
    assert len(cloud.pull(name, 3)) == 3


def test_a_pull_of_no_messages_is_refused(cloud):
    _, name = cloud.both()
    with pytest.raises(exceptions.InvalidArgument):
        cloud.subscriber.pull(subscription=name, max_messages=0)


def test_pulling_from_no_subscription_is_not_found(cloud, project):
    with pytest.raises(exceptions.NotFound):
        cloud.subscriber.pull(subscription=f"{project}/subscriptions/nothing-here", max_messages=1)


def test_an_acknowledged_message_does_not_come_again(cloud):
    topic, name = cloud.both()
    cloud.publish(topic, b"x")
    received = cloud.pull(name)
    cloud.modack(name, received, 1)
    cloud.ack(name, received)
    cloud.ack(name, received)
    assert cloud.pull(name, seconds=1.5) == []


def test_an_outstanding_message_is_not_given_to_another(cloud):
    topic, name = cloud.both()
    cloud.publish(topic, b"x")
    assert len(cloud.pull(name)) == 1
    assert cloud.pull(name, seconds=0.2) == []


def test_a_message_given_up_comes_again_at_once(cloud):
    topic, name = cloud.both()
    (message_id,) = cloud.publish(topic, b"x")
    cloud.modack(name, cloud.pull(name), 0)
    assert [each.message.message_id for each in cloud.pull(name, seconds=1)] == [message_id]


def test_a_message_comes_again_after_its_deadline(cloud):
    topic, name = cloud.both()
    cloud.publish(topic, b"x")
    cloud.modack(name, cloud.pull(name), 1)
    assert cloud.pull(name, seconds=0.4) == []
    assert cloud.pull_data(name, seconds=3) == [b"x"]


def test_a_longer_deadline_keeps_a_message(cloud):
    topic, name = cloud.both()
    cloud.publish(topic, b"x")
    received = cloud.pull(name)
    cloud.modack(name, received, 1)
    cloud.modack(name, received, 60)
    assert cloud.pull(name, seconds=1.5) == []


@pytest.mark.parametrize("ack_ids", [[], ["nonsense"], [""]])
def test_an_acknowledgment_that_names_nothing_is_refused(cloud, ack_ids):
    _, name = cloud.both()
    with pytest.raises(exceptions.InvalidArgument):
        cloud.subscriber.acknowledge(subscription=name, ack_ids=ack_ids)


def test_a_negative_deadline_is_refused(cloud):
    topic, name = cloud.both()
    cloud.publish(topic, b"x")
    received = cloud.pull(name)
    with pytest.raises(exceptions.InvalidArgument):
        cloud.modack(name, received, -1)


@pytest.mark.google_differs("the emulator takes any positive deadline")
def test_a_deadline_over_ten_minutes_is_refused(cloud):
    topic, name = cloud.both()
    cloud.publish(topic, b"x")
    received = cloud.pull(name)
    with pytest.raises(exceptions.InvalidArgument):
        cloud.modack(name, received, 601)


def test_the_batching_client_publishes_and_the_callback_client_receives(cloud):
    topic, name = cloud.both()
    futures = [cloud.batching.publish(topic, b"%d" % number) for number in range(300)]
    ids = {future.result(timeout=10) for future in futures}
    seen = {}

    def callback(message):
        seen[message.message_id] = message.data
        message.ack()

    stream = cloud.subscriber.subscribe(name, callback)
    until = time.monotonic() + 10
    while len(seen) < 300 and time.monotonic() < until:
        time.sleep(0.02)
    stream.cancel()
    stream.result(timeout=10)
    assert set(seen) == ids
    assert sorted(seen.values(), key=int) == [b"%d" % number for number in range(300)]
