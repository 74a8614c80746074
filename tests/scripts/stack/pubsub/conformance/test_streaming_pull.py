"""StreamingPull by raw requests: flow control, deadlines, acknowledgments on the stream, refusals."""

import queue
import threading
import time

import grpc
import pytest
from google.pubsub_v1 import types

Request = types.StreamingPullRequest.pb()


class Stream:
    """One stream: `send` requests, `take` messages."""

    def __init__(self, endpoint, **first):
        self.channel = grpc.insecure_channel(endpoint)
        self.requests = queue.SimpleQueue()
        call = self.channel.stream_stream(
            "/google.pubsub.v1.Subscriber/StreamingPull",
            request_serializer=Request.SerializeToString,
            response_deserializer=types.StreamingPullResponse.pb().FromString,
        )
        self.responses = queue.SimpleQueue()
        self.error = None
        self.send(**{"stream_ack_deadline_seconds": 10, **first})
        self.stream = call(iter(self.requests.get, None))
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        try:
            for response in self.stream:
                self.responses.put(response)
        except grpc.RpcError as error:
            self.error = error

    def send(self, **fields):
        self.requests.put(Request(**fields))

    def take(self, count, seconds=3.0):
        """Messages until there are `count` or the time is over."""
        messages, until = [], time.monotonic() + seconds
        while len(messages) < count and time.monotonic() < until:
            try:
                messages += self.responses.get(timeout=max(0.01, until - time.monotonic())).received_messages
            except queue.Empty:
                break
        return messages

    def refusal(self):
        self.reader.join(timeout=10)
        return self.error.code()

    def close(self):
        self.stream.cancel()
        self.requests.put(None)
        self.reader.join(timeout=5)
        self.channel.close()


@pytest.fixture
def stream(cloud):
    opened = []

    def open_stream(**first):
        opened.append(Stream(cloud.endpoint, **first))
        return opened[-1]

    yield open_stream
    for each in opened:
        each.close()


def test_messages_flow_as_they_are_published(cloud, stream):
    topic, name = cloud.both()
    opened = stream(subscription=name)
    for data in (b"1", b"2"):
        cloud.publish(topic, data)
        assert [each.message.data for each in opened.take(1)] == [data]


def test_what_is_acknowledged_on_the_stream_does_not_come_again(cloud, stream):
    topic, name = cloud.both()
    cloud.publish(topic, b"x")
    opened = stream(subscription=name)
    (received,) = opened.take(1)
    opened.send(ack_ids=[received.ack_id])
    time.sleep(0.3)
    opened.send(modify_deadline_ack_ids=[received.ack_id], modify_deadline_seconds=[0])
    assert opened.take(1, seconds=0.5) == []


def test_what_is_given_up_on_the_stream_comes_again(cloud, stream):
    topic, name = cloud.both()
    cloud.publish(topic, b"x")
    opened = stream(subscription=name)
    (received,) = opened.take(1)
    opened.send(modify_deadline_ack_ids=[received.ack_id], modify_deadline_seconds=[0])
    assert [each.message.message_id for each in opened.take(1)] == [received.message.message_id]


@pytest.mark.google_differs("the emulator has no flow control")
def test_no_more_messages_are_outstanding_than_allowed(cloud, stream):
    topic, name = cloud.both()
    opened = stream(subscription=name, max_outstanding_messages=3)
    cloud.publish(topic, *[b"x"] * 5)
    first = opened.take(5, seconds=0.7)
    assert len(first) == 3
    opened.send(ack_ids=[each.ack_id for each in first[:2]])
    assert len(opened.take(2)) == 2


@pytest.mark.google_differs("the emulator has no flow control")
def test_no_more_bytes_are_outstanding_than_allowed(cloud, stream):
    topic, name = cloud.both()
    opened = stream(subscription=name, max_outstanding_bytes=1500)
    cloud.publish(topic, *[b"x" * 1000] * 4)
    first = opened.take(4, seconds=0.5)
    assert len(first) < 4
    opened.send(ack_ids=[each.ack_id for each in first])
    assert len(opened.take(1)) == 1


@pytest.mark.google_differs("the emulator has no flow control", run=False)
def test_two_streams_share_a_subscription(cloud, stream):
    topic, name = cloud.both()
    opened = [stream(subscription=name, max_outstanding_messages=5) for _ in range(2)]
    time.sleep(0.2)
    cloud.publish(topic, *[b"%d" % number for number in range(10)])
    taken = [each.take(5) for each in opened]
    assert sorted(int(each.message.data) for part in taken for each in part) == list(range(10))
    assert [len(part) for part in taken] == [5, 5]


def test_a_stream_of_no_subscription_is_not_found(stream, project):
    assert stream(subscription=f"{project}/subscriptions/nothing-here").refusal() == grpc.StatusCode.NOT_FOUND


@pytest.mark.google_differs("the emulator takes any deadline of a stream", run=False)
def test_a_stream_needs_a_deadline_within_bounds(cloud, stream):
    _, name = cloud.both()
    opened = stream(subscription=name, stream_ack_deadline_seconds=5)
    assert opened.refusal() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_later_request_cannot_name_a_subscription(cloud, stream):
    _, name = cloud.both()
    opened = stream(subscription=name)
    opened.send(subscription=name)
    assert opened.refusal() == grpc.StatusCode.INVALID_ARGUMENT


def test_deadlines_and_ids_have_to_be_as_many(cloud, stream):
    topic, name = cloud.both()
    cloud.publish(topic, b"x")
    opened = stream(subscription=name)
    (received,) = opened.take(1)
    opened.send(modify_deadline_ack_ids=[received.ack_id], modify_deadline_seconds=[10, 10])
    assert opened.refusal() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_stream_ends_when_its_subscription_is_deleted(cloud, stream):
    _, name = cloud.both()
    opened = stream(subscription=name)
    time.sleep(0.2)
    cloud.subscriber.delete_subscription(subscription=name)
    assert opened.refusal() == grpc.StatusCode.NOT_FOUND


@pytest.mark.google_differs("the emulator confirms nothing on the stream", run=False)
def test_exactly_once_the_stream_confirms_acknowledgments(cloud, stream):
    topic, name = cloud.both(enable_exactly_once_delivery=True)
    cloud.publish(topic, b"x")
    opened = stream(subscription=name)
    (received,) = opened.take(1)
    opened.send(ack_ids=[received.ack_id])
    first = opened.responses.get(timeout=3).acknowledge_confirmation
    opened.send(ack_ids=[received.ack_id], modify_deadline_ack_ids=[received.ack_id], modify_deadline_seconds=[20])
    second = opened.responses.get(timeout=3).acknowledge_confirmation
    third = opened.responses.get(timeout=3).modify_ack_deadline_confirmation
    assert (list(first.ack_ids), list(first.invalid_ack_ids)) == ([received.ack_id], [])
    assert (list(second.ack_ids), list(second.invalid_ack_ids)) == ([], [received.ack_id])
    assert (list(third.ack_ids), list(third.invalid_ack_ids)) == ([], [received.ack_id])
