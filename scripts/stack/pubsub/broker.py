"""The state of the server, and the only room that writes the log.

Each change is first written to the log and then applied; a restart applies the same records again (`state.State`). So
the two cannot differ, and an answered request survives the process.

Message ids: whole numbers that rise by one. At every start the counter jumps to the microseconds since 1970 if it is
behind them. So ids do not repeat after a restart or SIGKILL (the log has the counter), not after a power failure that
cut the log's tail, and not in a store that is made afresh later, as long as no more than a million messages a second
are published.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import timestamp_pb2
from grpc import StatusCode

from . import records, schemas, settings
from .delivery import AckIdError
from .lease import Entry
from .log import Log
from .message import NANOS, Message, stamp
from .refusal import Refusal, exists, invalid, missing, precondition
from .resources import Snapshot, Subscription, Topic
from .state import State

log = logging.getLogger(__name__)

SNAPSHOT_SECONDS = 7 * settings.DAY
HOUSEKEEPING_SECONDS = 30


class Broker:
    """The server's state in one data directory. Raises NorenError as `log.Log` does.

    compact_at: size of the log, in bytes, from which on it is compacted.
    """

    def __init__(self, directory: Path, compact_at: int = 64 * 1024 * 1024) -> None:
        self.log = Log(directory, compact_at)
        self.state = State(self._failed)
        for frame in self.log.open():
            for record in frame:
                self.state.apply(record)
        self.state.loaded()
        self.state.next_number = max(self.state.next_number, time.time_ns() // 1000)
        self._published = 0
        self.keep_house()

    @property
    def store_id(self) -> str:
        return self.log.store_id

    # --- looking up

    def topic(self, name: str) -> Topic:
        if name not in self.state.topics:
            raise missing("Topic not found")
        return self.state.topics[name]

    def subscription(self, name: str) -> Subscription:
        if name not in self.state.subscriptions:
            raise missing("Subscription does not exist")
        return self.state.subscriptions[name]

    def snapshot(self, name: str) -> Snapshot:
        if name not in self.state.snapshots:
            raise missing("Snapshot does not exist")
        return self.state.snapshots[name]

    def schema(self, name: str) -> list[schemas.Revision]:
        if name not in self.state.schemas:
            raise missing("Schema not found")
        return self.state.schemas[name]

    # --- topics

    def create_topic(self, proto: Any) -> Topic:
        if proto.name in self.state.topics:
            raise exists("Topic already exists")
        made = settings.topic(proto)
        self._check_schema(made)
        self._write(records.TopicSet(self.state.next_serial, made.SerializeToString(), 0))
        return self.topic(proto.name)

    def update_topic(self, proto: Any, mask: Any) -> Topic:
        topic = self.topic(proto.name)
        made = settings.topic(settings.merge(topic.proto, proto, mask, settings.TOPIC_MUTABLE))
        self._check_schema(made)
        self._write(records.TopicSet(topic.serial, made.SerializeToString(), topic.accepted))
        return topic

    def delete_topic(self, name: str) -> None:
        self._write(records.TopicDeleted(self.topic(name).serial))

    def _check_schema(self, proto: Any) -> None:
        if proto.HasField("schema_settings"):
            given = proto.schema_settings
            if given.schema not in self.state.schemas:
                raise missing("Schema could not be found")
            for revision_id in (given.first_revision_id, given.last_revision_id):
                if revision_id:
                    schemas.find(self.schema(given.schema), revision_id)

    # --- messages

    def publish(self, topic: Topic, messages: Sequence[Any], serialized: Sequence[bytes] = ()) -> range:
        """Accept `PubsubMessage` protobufs, checked already. Returns their numbers; then they are in the log.

        serialized: the same as bytes, where they are at hand.
        """
        first = self.state.next_number
        accepted = self._stamp(messages, serialized) if topic.keeps else []
        self._append(self._published_record(topic, first, len(messages), accepted))
        self.state.accept(topic, len(messages), accepted)
        self._maybe_compact()
        return range(first, first + len(messages))

    def _stamp(self, messages: Sequence[Any], serialized: Sequence[bytes] = ()) -> list[Message]:
        self._published = max(self._published, time.time_ns() // 1000 * 1000)
        return stamp(self.state.next_number, self._published, messages, serialized)

    @staticmethod
    def _published_record(topic: Topic, first: int, count: int, accepted: list[Message]) -> records.Published:
        return records.Published(topic.serial, first, count, b"".join([message.chunk for message in accepted]))

    # --- subscriptions

    def create_subscription(self, proto: Any) -> Subscription:
        if proto.name in self.state.subscriptions:
            raise exists("Subscription already exists")
        if proto.topic not in self.state.topics:
            raise missing("Subscription topic does not exist")
        made = settings.subscription(proto)
        made.detached = False
        self._check_dead_letter(made)
        topic = self.topic(proto.topic)
        self._write(records.SubscriptionSet(self.state.next_serial, topic.serial, made.SerializeToString()))
        return self.subscription(proto.name)

    def update_subscription(self, proto: Any, mask: Any) -> Subscription:
        subscription = self.subscription(proto.name)
        merged = settings.merge(subscription.proto, proto, mask, settings.SUBSCRIPTION_MUTABLE)
        made = settings.subscription(merged)
        self._check_dead_letter(made)
        self._set_subscription(subscription, made)
        return subscription

    def detach(self, name: str) -> None:
        subscription = self.subscription(name)
        made = settings.Subscription()
        made.CopyFrom(subscription.proto)
        made.detached = True
        self._set_subscription(subscription, made)

    def delete_subscription(self, name: str) -> None:
        self._write(records.SubscriptionDeleted(self.subscription(name).serial))

    def _set_subscription(self, subscription: Subscription, proto: Any) -> None:
        topic = subscription.topic.serial if subscription.topic is not None else -1
        self._write(records.SubscriptionSet(subscription.serial, topic, proto.SerializeToString()))

    def _check_dead_letter(self, proto: Any) -> None:
        if proto.HasField("dead_letter_policy") and proto.dead_letter_policy.dead_letter_topic not in self.state.topics:
            raise missing("Dead letter topic not found")

    def acknowledge(self, subscription: Subscription, ack_ids: Iterable[str]) -> list[str]:
        """Returns the ids that hold no lease any more. Raises Refusal INVALID_ARGUMENT for an id never given out."""
        try:
            messages, stale = subscription.delivery.acknowledge(ack_ids)
        except AckIdError as error:
            raise _bad_ack_id(error) from error
        if messages:
            numbers = records.pack([message.number for message in messages])
            self._append(records.Acknowledged(subscription.serial, numbers))
            subscription.retain(messages)
            self._maybe_compact()
        return stale

    def modify_ack_deadline(self, subscription: Subscription, ack_ids: Iterable[str], seconds: float) -> list[str]:
        """As `acknowledge`; 0 seconds gives the messages up."""
        try:
            given_up, stale = subscription.delivery.modify(ack_ids, seconds)
        except AckIdError as error:
            raise _bad_ack_id(error) from error
        self._failed(subscription, given_up)
        return stale

    def _failed(self, subscription: Subscription, entries: list[Entry]) -> None:
        """Log failed deliveries where they are counted, and forward what is exhausted to the dead-letter topic."""
        if not entries or not subscription.delivery.rules.max_attempts:
            return
        exhausted = [entry for entry in entries if subscription.delivery.exhausted(entry)]
        topic = self.state.topics.get(subscription.proto.dead_letter_policy.dead_letter_topic)
        failures = {entry.message.number: entry.failures for entry in entries}
        try:
            if not exhausted or topic is None:
                self._append(records.Failed(subscription.serial, failures))
                subscription.delivery.requeue(exhausted)
                return
            first = self.state.next_number
            letters = self._stamp([_dead_letter(subscription, entry) for entry in exhausted]) if topic.keeps else []
            numbers = [entry.message.number for entry in exhausted]
            self._append(
                records.Failed(subscription.serial, failures),
                self._published_record(topic, first, len(exhausted), letters),
                records.Acknowledged(subscription.serial, records.pack(numbers)),
            )
        except Refusal:
            subscription.delivery.requeue(exhausted)
            raise
        subscription.retain(subscription.delivery.drop(numbers))
        self.state.accept(topic, len(exhausted), letters)

    # --- seek and snapshots

    def seek_time(self, subscription: Subscription, time_ns: int) -> None:
        self._write(records.SoughtTime(subscription.serial, time_ns))

    def seek_snapshot(self, subscription: Subscription, snapshot: Snapshot) -> None:
        if subscription.topic is None or self.state.snapshot_topic(snapshot) is not subscription.topic:
            raise precondition(
                f"The subscription's topic {subscription.proto.topic} is different from that of the snapshot "
                f"{snapshot.proto.topic}; a topic that was deleted and made again is another one."
            )
        self._write(records.SoughtSnapshot(subscription.serial, snapshot.serial))

    def create_snapshot(self, name: str, subscription: Subscription, labels: Any) -> Snapshot:
        if name in self.state.snapshots:
            raise exists("Snapshot already exists")
        if subscription.topic is None:
            raise precondition(f"The subscription has no topic ({subscription.proto.topic}) any more.")
        now = time.time_ns()
        oldest = min((entry.message.published for entry in subscription.delivery.backlog.values()), default=now)
        expires = oldest + SNAPSHOT_SECONDS * NANOS
        if expires < now + 3600 * NANOS:
            raise precondition("The snapshot would expire within an hour: the oldest message is too old.")
        proto = settings.Snapshot(
            name=name, topic=subscription.topic.name, labels=labels, expire_time=_timestamp(expires)
        )
        self._write(
            records.SnapshotTaken(
                self.state.next_serial, subscription.topic.serial, proto.SerializeToString(), subscription.serial
            )
        )
        return self.snapshot(name)

    def update_snapshot(self, proto: Any, mask: Any) -> Snapshot:
        snapshot = self.snapshot(proto.name)
        made = settings.merge(snapshot.proto, proto, mask, settings.SNAPSHOT_MUTABLE)
        topic = self.state.snapshot_topic(snapshot)
        serial = topic.serial if topic is not None else -1
        self._write(records.SnapshotSet(snapshot.serial, serial, made.SerializeToString()))
        return snapshot

    def delete_snapshot(self, name: str) -> None:
        self._write(records.SnapshotDeleted(self.snapshot(name).serial))

    # --- schemas

    def set_schema(self, name: str, revisions: list[schemas.Revision]) -> None:
        self._write(records.SchemaSet(name, [revision.record() for revision in revisions]))

    def delete_schema(self, name: str) -> None:
        self.schema(name)
        self._write(records.SchemaDeleted(name))

    # --- house

    def statistics(self) -> dict[str, Any]:
        """See `scripts.stack.pubsub.statistics`."""
        return {
            "store_id": self.store_id,
            "log_bytes": self.log.size,
            "topics": {name: {"published": topic.accepted} for name, topic in self.state.topics.items()},
            "subscriptions": {
                name: {
                    "topic": subscription.proto.topic,
                    "unacknowledged": len(subscription.delivery.backlog),
                    "outstanding": len(subscription.delivery.leases),
                }
                for name, subscription in self.state.subscriptions.items()
            },
        }

    async def housekeeping(self) -> None:
        """Forget what is past its retention, again and again, until cancelled."""
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            with contextlib.suppress(
                Refusal
            ):  # the log could not be written, which is logged; the next round tries again
                self.keep_house()

    def keep_house(self) -> None:
        now = time.time_ns()
        for topic in self.state.topics.values():
            topic.prune(now)
        for subscription in self.state.subscriptions.values():
            subscription.prune(now)
        for snapshot in list(self.state.snapshots.values()):
            if settings.nanos(snapshot.proto.expire_time) < now:
                self._write(records.SnapshotDeleted(snapshot.serial))
        self._maybe_compact()

    def close(self) -> None:
        self.log.close()

    def _append(self, *changes: records.Record) -> None:
        try:
            self.log.append(*changes)
        except OSError as error:
            log.exception("cannot write the log")
            raise Refusal(StatusCode.UNAVAILABLE, f"The server cannot write its log: {error.strerror}") from error

    def _write(self, change: records.Record) -> None:
        self._append(change)
        self.state.apply(change)
        self._maybe_compact()

    def _maybe_compact(self) -> None:
        if not self.log.full:
            return
        try:
            self.log.compact(self.state.frames())
        except OSError:
            log.exception("cannot compact the log; it goes on growing until the next try")
            self.log.put_off()


def _bad_ack_id(error: AckIdError) -> Refusal:
    return invalid(f"Invalid ack id (ack_id={str(error)[:300]})")


def _timestamp(nanoseconds: int) -> timestamp_pb2.Timestamp:
    seconds, nanos = divmod(nanoseconds, NANOS)
    return timestamp_pb2.Timestamp(seconds=seconds, nanos=nanos)


def _dead_letter(subscription: Subscription, entry: Entry) -> Any:
    """The message with the attributes that Google's service adds when it forwards it.

    https://cloud.google.com/pubsub/docs/dead-letter-topics
    """
    letter = entry.message.proto()
    _, project, _, short = subscription.name.split("/", 3)
    letter.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] = str(entry.failures)
    letter.attributes["CloudPubSubDeadLetterSourceSubscription"] = short
    letter.attributes["CloudPubSubDeadLetterSourceSubscriptionProject"] = project
    letter.attributes["CloudPubSubDeadLetterSourceTopicPublishTime"] = letter.publish_time.ToJsonString()
    letter.ClearField("message_id")
    letter.ClearField("publish_time")
    return letter
