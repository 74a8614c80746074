"""google.pubsub.v1.Subscriber: subscriptions, unary pull, acknowledgments, snapshots and seek."""

import asyncio
import uuid
from collections.abc import Iterable
from typing import Any

from google.protobuf import empty_pb2
from google.pubsub_v1 import types

from . import names, rpc, settings
from .broker import Broker
from .refusal import Refusal, invalid, missing, precondition
from .resources import Subscription
from .streaming import StreamingPull

MAX_MESSAGES = 1000
"""Google's most messages of one pull response."""
MAX_BYTES = 3_500_000
"""A response is filled up to here: gRPC clients refuse more than 4 MiB unless told otherwise, also Google's own ones
when PUBSUB_EMULATOR_HOST is set. A single larger message is sent all the same."""
PULL_SECONDS = 20.0
"""The longest that a pull waits for a message."""

ListSubscriptionsResponse = types.ListSubscriptionsResponse.pb()
ListSnapshotsResponse = types.ListSnapshotsResponse.pb()
SeekResponse = types.SeekResponse.pb()


def check_attached(subscription: Subscription) -> None:
    """Raises Refusal when nothing can be pulled: NOT_FOUND once deleted, FAILED_PRECONDITION once detached."""
    if subscription.deleted:
        raise missing("Subscription does not exist")
    if subscription.proto.detached:
        raise precondition("The subscription is detached from its topic.")


def check_exactly_once(subscription: Subscription, stale: Iterable[str]) -> None:
    """Under exactly-once delivery a lost lease is an error; clients read the ids from the ErrorInfo's metadata.

    https://cloud.google.com/pubsub/docs/exactly-once-delivery
    """
    lost = dict.fromkeys(stale, "PERMANENT_FAILURE_INVALID_ACK_ID")
    if lost and subscription.delivery.rules.exactly_once:
        refusal = invalid("Some acknowledgement ids in the request were invalid: their leases have ended.")
        raise Refusal(refusal.code, refusal.message, "EXACTLY_ONCE_ACKID_FAILURE", lost)


class Subscriber:
    """The service's methods over one broker. closing: set when the server stops; whoever waits then ends."""

    def __init__(self, broker: Broker, closing: asyncio.Event) -> None:
        self.broker = broker
        self.closing = closing

    def methods(self) -> dict[str, Any]:
        streaming = StreamingPull(self.broker, self.closing, MAX_MESSAGES, MAX_BYTES, check_attached)
        return {
            "CreateSubscription": rpc.unary(types.Subscription, self.create_subscription),
            "GetSubscription": rpc.unary(types.GetSubscriptionRequest, self.get_subscription),
            "UpdateSubscription": rpc.unary(types.UpdateSubscriptionRequest, self.update_subscription),
            "ListSubscriptions": rpc.unary(types.ListSubscriptionsRequest, self.list_subscriptions),
            "DeleteSubscription": rpc.unary(types.DeleteSubscriptionRequest, self.delete_subscription),
            "ModifyAckDeadline": rpc.unary(types.ModifyAckDeadlineRequest, self.modify_ack_deadline),
            "Acknowledge": rpc.unary(types.AcknowledgeRequest, self.acknowledge),
            "Pull": rpc.unary(types.PullRequest, self.pull),
            "StreamingPull": streaming.handler(),
            "ModifyPushConfig": rpc.unary(types.ModifyPushConfigRequest, self.modify_push_config),
            "GetSnapshot": rpc.unary(types.GetSnapshotRequest, self.get_snapshot),
            "ListSnapshots": rpc.unary(types.ListSnapshotsRequest, self.list_snapshots),
            "CreateSnapshot": rpc.unary(types.CreateSnapshotRequest, self.create_snapshot),
            "UpdateSnapshot": rpc.unary(types.UpdateSnapshotRequest, self.update_snapshot),
            "DeleteSnapshot": rpc.unary(types.DeleteSnapshotRequest, self.delete_snapshot),
            "Seek": rpc.unary(types.SeekRequest, self.seek),
        }

    def _find(self, name: str) -> Subscription:
        return self.broker.subscription(names.check(name, "subscriptions"))

    @staticmethod
    def _view(subscription: Subscription) -> Any:
        if subscription.topic is None or not subscription.topic.retention:
            return subscription.proto
        view = settings.Subscription()
        view.CopyFrom(subscription.proto)
        view.topic_message_retention_duration.CopyFrom(subscription.topic.proto.message_retention_duration)
        return view

    # --- subscriptions

    async def create_subscription(self, request: Any, _context: Any) -> Any:
        if not request.name.rpartition("/")[2]:
            request.name += f"sub-{uuid.uuid4()}"
        names.check(request.name, "subscriptions")
        names.check(request.topic, "topics")
        return self._view(self.broker.create_subscription(request))

    async def get_subscription(self, request: Any, _context: Any) -> Any:
        return self._view(self._find(request.subscription))

    async def update_subscription(self, request: Any, _context: Any) -> Any:
        names.check(request.subscription.name, "subscriptions")
        return self._view(self.broker.update_subscription(request.subscription, request.update_mask))

    async def list_subscriptions(self, request: Any, _context: Any) -> Any:
        known = self.broker.state.subscriptions
        found, token = rpc.page(known, request.project, request.page_size, request.page_token)
        return ListSubscriptionsResponse(
            subscriptions=[self._view(known[name]) for name in found], next_page_token=token
        )

    async def delete_subscription(self, request: Any, _context: Any) -> Any:
        self.broker.delete_subscription(names.check(request.subscription, "subscriptions"))
        return empty_pb2.Empty()

    async def modify_push_config(self, request: Any, _context: Any) -> Any:
        subscription = self._find(request.subscription)
        settings.subscription(settings.Subscription(name=subscription.name, push_config=request.push_config))
        return empty_pb2.Empty()

    # --- messages

    async def pull(self, request: Any, context: Any) -> bytes:
        """Messages as soon as there is one; empty when none comes within PULL_SECONDS or nearly the call's deadline."""
        subscription = self._find(request.subscription)
        check_attached(subscription)
        if request.max_messages <= 0:
            raise invalid("No max_messages specified: it has to be 1 or more.")
        delivery = subscription.delivery
        limit, deadline = min(request.max_messages, MAX_MESSAGES), delivery.rules.ack_deadline
        body, count = delivery.take(limit, MAX_BYTES, deadline)
        if count or request.return_immediately:
            return body
        remaining = context.time_remaining()
        wait = PULL_SECONDS if remaining is None else min(PULL_SECONDS, remaining * 0.9)
        wake = asyncio.Event()
        delivery.consumers.add(wake)
        try:
            async with asyncio.timeout(wait):
                while not count and not self.closing.is_set():
                    await wake.wait()
                    wake.clear()
                    check_attached(subscription)
                    body, count = delivery.take(limit, MAX_BYTES, deadline)
        except TimeoutError:
            return b""
        finally:
            delivery.consumers.discard(wake)
        return body

    async def acknowledge(self, request: Any, _context: Any) -> Any:
        subscription = self._find(request.subscription)
        if not request.ack_ids:
            raise invalid("No ack ids specified.")
        check_exactly_once(subscription, self.broker.acknowledge(subscription, request.ack_ids))
        return empty_pb2.Empty()

    async def modify_ack_deadline(self, request: Any, _context: Any) -> Any:
        subscription = self._find(request.subscription)
        if not request.ack_ids:
            raise invalid("No ack ids specified.")
        if not 0 <= request.ack_deadline_seconds <= 600:
            raise invalid("ack_deadline_seconds out of bounds: it has to be 0 to 600.")
        stale = self.broker.modify_ack_deadline(subscription, request.ack_ids, request.ack_deadline_seconds)
        check_exactly_once(subscription, stale)
        return empty_pb2.Empty()

    # --- snapshots and seek

    async def create_snapshot(self, request: Any, _context: Any) -> Any:
        if not request.name.rpartition("/")[2]:
            request.name += f"snap-{uuid.uuid4()}"
        names.check(request.name, "snapshots")
        return self.broker.create_snapshot(request.name, self._find(request.subscription), request.labels).proto

    async def get_snapshot(self, request: Any, _context: Any) -> Any:
        return self.broker.snapshot(names.check(request.snapshot, "snapshots")).proto

    async def update_snapshot(self, request: Any, _context: Any) -> Any:
        names.check(request.snapshot.name, "snapshots")
        return self.broker.update_snapshot(request.snapshot, request.update_mask).proto

    async def list_snapshots(self, request: Any, _context: Any) -> Any:
        known = self.broker.state.snapshots
        found, token = rpc.page(known, request.project, request.page_size, request.page_token)
        return ListSnapshotsResponse(snapshots=[known[name].proto for name in found], next_page_token=token)

    async def delete_snapshot(self, request: Any, _context: Any) -> Any:
        self.broker.delete_snapshot(names.check(request.snapshot, "snapshots"))
        return empty_pb2.Empty()

    async def seek(self, request: Any, _context: Any) -> Any:
        subscription = self._find(request.subscription)
        target = request.WhichOneof("target")
        if target is None:
            raise invalid("No target was specified in the SeekRequest: it has to be a time or a snapshot.")
        if subscription.proto.detached:
            check_attached(subscription)
        if target == "time":
            self.broker.seek_time(subscription, settings.nanos(request.time))
        else:
            snapshot = self.broker.snapshot(names.check(request.snapshot, "snapshots"))
            self.broker.seek_snapshot(subscription, snapshot)
        return SeekResponse()
