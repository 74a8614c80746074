"""Ordering keys, dead letters, backoff, filters, seek, retention, exactly-once delivery."""

import datetime
import time
import uuid

import pytest
from google.api_core import exceptions
from google.cloud.pubsub_v1.subscriber.exceptions import AcknowledgeError, AcknowledgeStatus
from google.protobuf import duration_pb2, field_mask_pb2, timestamp_pb2


def now():
    return timestamp_pb2.Timestamp(seconds=int(time.time()), nanos=int(time.time() % 1 * 1e9))


def snapshot_of(cloud, project, name):
    return cloud.subscriber.create_snapshot(
        name=f"{project}/snapshots/snapshot-{uuid.uuid4().hex[:8]}", subscription=name
    ).name


def test_messages_of_a_key_come_in_order(cloud):
    topic, name = cloud.both(enable_message_ordering=True)
    for number in range(30):
        cloud.publish(topic, b"%d" % number, key="a")
    seen = []
    until = time.monotonic() + 10
    while len(seen) < 30 and time.monotonic() < until:
        received = cloud.pull(name, 7, seconds=0.1)
        seen += [int(each.message.data) for each in received]
        if received:
            cloud.ack(name, received)
    assert seen == list(range(30))


def test_a_key_waits_for_what_is_outstanding(cloud):
    topic, name = cloud.both(enable_message_ordering=True)
    cloud.publish(topic, b"1", b"2", key="a")
    assert cloud.pull_data(name, 1) == [b"1"]
    assert cloud.pull_data(name, 1, seconds=0.3) == []


def test_another_key_does_not_wait(cloud):
    topic, name = cloud.both(enable_message_ordering=True)
    cloud.publish(topic, b"a", key="a")
    assert cloud.pull_data(name) == [b"a"]
    cloud.publish(topic, b"b", key="b")
    assert cloud.pull_data(name) == [b"b"]


@pytest.mark.google_differs("the emulator waits until every message of the key was given up or ran out")
def test_a_key_given_up_comes_again_from_there(cloud):
    topic, name = cloud.both(enable_message_ordering=True)
    cloud.publish(topic, b"1", b"2", b"3", key="a")
    received = cloud.pull(name, 3)
    cloud.ack(name, received[2:])
    cloud.modack(name, received[:1], 0)
    assert cloud.pull_data(name, 3, seconds=1) == [b"1", b"2", b"3"]


def test_a_message_is_dead_lettered_after_its_attempts(cloud):
    dead, drain = cloud.both()
    topic, name = cloud.both(dead_letter_policy={"dead_letter_topic": dead, "max_delivery_attempts": 5})
    cloud.publish(topic, b"poison", kind="bad")
    attempts = []
    for _ in range(5):
        (received,) = cloud.pull(name)
        attempts.append(received.delivery_attempt)
        cloud.modack(name, [received], 0)
    assert cloud.pull(name, seconds=0.3) == []
    (letter,) = cloud.pull(drain)
    assert attempts == [1, 2, 3, 4, 5]
    assert letter.message.data == b"poison"
    attributes = dict(letter.message.attributes)
    published = attributes.pop("CloudPubSubDeadLetterSourceTopicPublishTime")
    assert abs(datetime.datetime.fromisoformat(published).timestamp() - time.time()) < 60
    assert attributes == {
        "kind": "bad",
        "CloudPubSubDeadLetterSourceDeliveryCount": "5",
        "CloudPubSubDeadLetterSourceSubscription": name.rpartition("/")[2],
        "CloudPubSubDeadLetterSourceSubscriptionProject": "noren-local",
    }


def test_without_a_dead_letter_policy_attempts_are_not_counted(cloud):
    topic, name = cloud.both()
    cloud.publish(topic, b"x")
    assert cloud.pull(name)[0].delivery_attempt == 0


@pytest.mark.google_differs("the emulator delivers again at once")
def test_a_retry_policy_delays_what_was_given_up(cloud):
    backoff = {"minimum_backoff": duration_pb2.Duration(seconds=1), "maximum_backoff": duration_pb2.Duration(seconds=2)}
    topic, name = cloud.both(retry_policy=backoff)
    cloud.publish(topic, b"x")
    cloud.modack(name, cloud.pull(name), 0)
    assert cloud.pull(name, seconds=0.5) == []
    assert cloud.pull_data(name, seconds=4) == [b"x"]


@pytest.mark.google_differs("the emulator stores filters and ignores them")
@pytest.mark.parametrize(
    ("text", "passing"),
    [
        ('attributes.kind = "a"', [b"a"]),
        ('attributes.kind != "a"', [b"b", b"none"]),
        ("attributes:kind", [b"a", b"b"]),
        ("NOT attributes:kind", [b"none"]),
        ('hasPrefix(attributes.name, "no")', [b"none"]),
        ('attributes:kind AND (attributes.kind = "b" OR attributes:other)', [b"b"]),
    ],
)
def test_a_filter_lets_pass_by_attributes(cloud, text, passing):
    topic, name = cloud.both(filter=text)
    cloud.publish(topic, b"a", kind="a")
    cloud.publish(topic, b"b", kind="b")
    cloud.publish(topic, b"none", name="nobody")
    assert sorted(cloud.pull_data(name, 3, seconds=0.2)) == passing


@pytest.mark.google_differs("the emulator does not read filters")
@pytest.mark.parametrize(
    "text", ["attributes.x > 3", "data = 1", "attributes:x AND attributes:y OR attributes:z", "a" * 257]
)
def test_a_filter_that_cannot_be_read_is_refused(cloud, text):
    topic = cloud.topic()
    with pytest.raises(exceptions.InvalidArgument):
        cloud.subscription(topic, filter=text)


def test_a_seek_to_now_acknowledges_everything(cloud):
    topic, name = cloud.both()
    cloud.publish(topic, b"old")
    time.sleep(0.05)
    cloud.subscriber.seek(request={"subscription": name, "time": now()})
    assert cloud.pull(name, seconds=0.3) == []
    cloud.publish(topic, b"new")
    assert cloud.pull_data(name) == [b"new"]


def test_a_seek_back_brings_retained_acknowledged_messages_again(cloud):
    topic, name = cloud.both(retain_acked_messages=True)
    cloud.publish(topic, b"before")
    time.sleep(0.05)
    time_between = now()
    time.sleep(0.05)
    cloud.publish(topic, b"after")
    cloud.ack(name, cloud.pull(name, 2))
    cloud.subscriber.seek(request={"subscription": name, "time": time_between})
    assert cloud.pull_data(name, 2, seconds=0.5) == [b"after"]


def test_a_seek_back_cannot_bring_what_is_not_retained(cloud):
    topic, name = cloud.both()
    start = now()
    cloud.publish(topic, b"x")
    cloud.ack(name, cloud.pull(name))
    cloud.subscriber.seek(request={"subscription": name, "time": start})
    assert cloud.pull(name, seconds=0.3) == []


@pytest.mark.google_differs("the emulator keeps nothing for a topic's own retention")
def test_a_topics_retention_serves_a_subscription_made_later(cloud):
    topic = cloud.topic(message_retention_duration=duration_pb2.Duration(seconds=600))
    start = now()
    cloud.publish(topic, b"x")
    name = cloud.subscription(topic)
    assert cloud.pull(name, seconds=0.2) == []
    cloud.subscriber.seek(request={"subscription": name, "time": start})
    assert cloud.pull_data(name) == [b"x"]


def test_a_seek_to_a_snapshot_brings_back_what_was_unacknowledged_then_and_came_since(cloud, project):
    topic, name = cloud.both()
    cloud.publish(topic, b"acknowledged before")
    cloud.ack(name, cloud.pull(name))
    cloud.publish(topic, b"waiting")
    snapshot = snapshot_of(cloud, project, name)
    cloud.publish(topic, b"since")
    cloud.ack(name, cloud.pull(name, 2))
    cloud.subscriber.seek(request={"subscription": name, "snapshot": snapshot})
    assert sorted(cloud.pull_data(name, 3, seconds=0.5)) == [b"since", b"waiting"]


def test_a_snapshot_of_another_topic_cannot_be_sought(cloud, project):
    _, name = cloud.both()
    _, other = cloud.both()
    snapshot = snapshot_of(cloud, project, other)
    with pytest.raises(exceptions.FailedPrecondition):
        cloud.subscriber.seek(request={"subscription": name, "snapshot": snapshot})


def test_a_seek_needs_a_target(cloud):
    _, name = cloud.both()
    with pytest.raises(exceptions.InvalidArgument):
        cloud.subscriber.seek(request={"subscription": name})


def test_a_seek_to_no_snapshot_is_not_found(cloud, project):
    _, name = cloud.both()
    with pytest.raises(exceptions.NotFound):
        cloud.subscriber.seek(request={"subscription": name, "snapshot": f"{project}/snapshots/nothing-here"})


def test_exactly_once_an_ended_lease_cannot_be_acknowledged(cloud):
    topic, name = cloud.both(enable_exactly_once_delivery=True)
    cloud.publish(topic, b"x")
    received = cloud.pull(name)
    cloud.modack(name, received, 0)
    with pytest.raises(exceptions.GoogleAPICallError) as caught:
        cloud.ack(name, received)
    assert caught.value.reason == "EXACTLY_ONCE_ACKID_FAILURE"
    assert caught.value.metadata == {received[0].ack_id: "PERMANENT_FAILURE_INVALID_ACK_ID"}


def test_exactly_once_the_client_hears_that_an_acknowledgment_counted(cloud):
    topic, name = cloud.both(enable_exactly_once_delivery=True)
    cloud.publish(topic, b"x")
    results = []

    def callback(message):
        results.append(message.ack_with_response())

    stream = cloud.subscriber.subscribe(name, callback)
    until = time.monotonic() + 10
    while not results and time.monotonic() < until:
        time.sleep(0.02)
    assert results[0].result(timeout=10) == AcknowledgeStatus.SUCCESS
    stream.cancel()
    stream.result(timeout=10)


def test_exactly_once_the_client_hears_of_a_lost_lease(cloud):
    topic, name = cloud.both(enable_exactly_once_delivery=True)
    cloud.publish(topic, b"x")
    results = []

    def callback(message):
        if not results:
            cloud.subscriber.modify_ack_deadline(subscription=name, ack_ids=[message.ack_id], ack_deadline_seconds=0)
            results.append(message.ack_with_response())

    stream = cloud.subscriber.subscribe(name, callback)
    until = time.monotonic() + 10
    while not results and time.monotonic() < until:
        time.sleep(0.02)
    with pytest.raises(AcknowledgeError) as caught:
        results[0].result(timeout=10)
    stream.cancel()
    stream.result(timeout=10)
    assert caught.value.error_code == AcknowledgeStatus.INVALID_ACK_ID


def test_exactly_once_can_be_switched_on_later(cloud):
    _, name = cloud.both()
    request = {
        "subscription": {"name": name, "enable_exactly_once_delivery": True},
        "update_mask": field_mask_pb2.FieldMask(paths=["enable_exactly_once_delivery"]),
    }
    assert cloud.subscriber.update_subscription(request=request).enable_exactly_once_delivery
