"""google.pubsub.v1.Publisher: topics and publishing."""

from collections.abc import Sequence
from typing import Any

from google.protobuf import empty_pb2
from google.pubsub_v1 import types

from . import names, rpc, schemas
from .broker import Broker
from .message import bodies
from .refusal import invalid

MAX_REQUEST_BYTES = 10_000_000
MAX_MESSAGES = 1000
MAX_ATTRIBUTES = 100
MAX_KEY_BYTES = 256
MAX_VALUE_BYTES = 1024
MAX_ORDERING_KEY_BYTES = 1024

SMALL_BYTES = 256
"""Whatever stands beside the data of a message, in so few bytes it is within all limits."""
ONLY_DATA_BYTES = 3
"""What a message of data alone (under 16 KiB) takes beside it: nothing else can be in there."""

PublishRequest = types.PublishRequest.pb()
PublishResponse = types.PublishResponse.pb()
ListTopicsResponse = types.ListTopicsResponse.pb()
ListTopicSubscriptionsResponse = types.ListTopicSubscriptionsResponse.pb()
ListTopicSnapshotsResponse = types.ListTopicSnapshotsResponse.pb()
DetachSubscriptionResponse = types.DetachSubscriptionResponse.pb()


def _read(request: bytes) -> tuple[Any, list[bytes]]:
    """A publish request, and its messages as bytes."""
    return PublishRequest.FromString(request), bodies(request)


def check_messages(request: Any, serialized: Sequence[bytes]) -> None:
    """Google's limits for a publish request: https://cloud.google.com/pubsub/quotas#resource_limits.

    serialized: its messages.
    Raises Refusal INVALID_ARGUMENT. Its text names the message by position and the field, never a value.
    """
    count = len(request.messages)
    if not count:
        raise invalid("No messages to publish")
    if count > MAX_MESSAGES:
        raise invalid(f"Too many messages to publish: {count}; at most {MAX_MESSAGES}.")
    size = request.ByteSize()
    if size > MAX_REQUEST_BYTES:
        raise invalid(f"The request has {size} bytes; at most {MAX_REQUEST_BYTES:,}.")
    for index, (message, body) in enumerate(zip(request.messages, serialized, strict=True)):
        data = message.data
        beside = len(body) - len(data)
        if not data or (beside > ONLY_DATA_BYTES and (beside > SMALL_BYTES or "" in message.attributes)):
            _check_message(message, index)


def _check_message(message: Any, index: int) -> None:
    attributes = message.attributes
    if attributes:
        _check_attributes(attributes, index)
    elif not message.data:
        raise invalid(f"Some messages are empty: messages[{index}] has neither data nor attributes.")
    if len(message.ordering_key) > MAX_ORDERING_KEY_BYTES // 4:
        _check_length(message.ordering_key, MAX_ORDERING_KEY_BYTES, f"messages[{index}].ordering_key")


def _check_attributes(attributes: Any, index: int) -> None:
    if len(attributes) > MAX_ATTRIBUTES:
        raise invalid(f"messages[{index}] has {len(attributes)} attributes; at most {MAX_ATTRIBUTES}.")
    for key, value in attributes.items():
        if not key:
            raise invalid(f"messages[{index}] has an attribute without a name.")
        if len(key) > MAX_KEY_BYTES // 4:
            _check_length(key, MAX_KEY_BYTES, f"an attribute's name of messages[{index}]")
        if len(value) > MAX_VALUE_BYTES // 4:
            _check_length(value, MAX_VALUE_BYTES, f"an attribute's value of messages[{index}]")


def _check_length(text: str, limit: int, what: str) -> None:
    if len(text.encode()) > limit:
        raise invalid(f"{what} is too long: at most {limit} bytes.")


class Publisher:
    """The service's methods over one broker."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    def methods(self) -> dict[str, Any]:
        return {
            "CreateTopic": rpc.unary(types.Topic, self.create_topic),
            "UpdateTopic": rpc.unary(types.UpdateTopicRequest, self.update_topic),
            "Publish": rpc.unary(types.PublishRequest, self.publish, _read),
            "GetTopic": rpc.unary(types.GetTopicRequest, self.get_topic),
            "ListTopics": rpc.unary(types.ListTopicsRequest, self.list_topics),
            "ListTopicSubscriptions": rpc.unary(types.ListTopicSubscriptionsRequest, self.list_topic_subscriptions),
            "ListTopicSnapshots": rpc.unary(types.ListTopicSnapshotsRequest, self.list_topic_snapshots),
            "DeleteTopic": rpc.unary(types.DeleteTopicRequest, self.delete_topic),
            "DetachSubscription": rpc.unary(types.DetachSubscriptionRequest, self.detach_subscription),
        }

    async def create_topic(self, request: Any, _context: Any) -> Any:
        names.check(request.name, "topics")
        return self.broker.create_topic(request).proto

    async def update_topic(self, request: Any, _context: Any) -> Any:
        names.check(request.topic.name, "topics")
        return self.broker.update_topic(request.topic, request.update_mask).proto

    async def publish(self, call: tuple[Any, list[bytes]], _context: Any) -> Any:
        request, serialized = call
        topic = self.broker.topic(names.check(request.topic, "topics"))
        check_messages(request, serialized)
        if topic.proto.HasField("schema_settings"):
            settings = topic.proto.schema_settings
            schemas.stamp_messages(request.messages, settings, self.broker.state.schemas.get(settings.schema))
            serialized = []  # they have more attributes now
        numbers = self.broker.publish(topic, request.messages, serialized)
        return PublishResponse(message_ids=[str(number) for number in numbers])

    async def get_topic(self, request: Any, _context: Any) -> Any:
        return self.broker.topic(names.check(request.topic, "topics")).proto

    async def list_topics(self, request: Any, _context: Any) -> Any:
        topics = self.broker.state.topics
        found, token = rpc.page(topics, request.project, request.page_size, request.page_token)
        return ListTopicsResponse(topics=[topics[name].proto for name in found], next_page_token=token)

    async def list_topic_subscriptions(self, request: Any, _context: Any) -> Any:
        topic = self.broker.topic(names.check(request.topic, "topics"))
        ordered = sorted(subscription.name for subscription in topic.subscriptions.values())
        found, token = rpc.paged(ordered, request.page_size, request.page_token)
        return ListTopicSubscriptionsResponse(subscriptions=found, next_page_token=token)

    async def list_topic_snapshots(self, request: Any, _context: Any) -> Any:
        topic = self.broker.topic(names.check(request.topic, "topics"))
        ordered = sorted(snapshot.name for snapshot in topic.snapshots.values())
        found, token = rpc.paged(ordered, request.page_size, request.page_token)
        return ListTopicSnapshotsResponse(snapshots=found, next_page_token=token)

    async def delete_topic(self, request: Any, _context: Any) -> Any:
        self.broker.delete_topic(names.check(request.topic, "topics"))
        return empty_pb2.Empty()

    async def detach_subscription(self, request: Any, _context: Any) -> Any:
        self.broker.detach(names.check(request.subscription, "subscriptions"))
        return DetachSubscriptionResponse()
