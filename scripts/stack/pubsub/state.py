"""Everything the server knows, as the records of the log make it, and back into records for compaction."""

from collections.abc import Callable, Iterable, Iterator

from . import records, schemas, settings
from .lease import Entry
from .message import Message, restore
from .names import DELETED_SCHEMA, DELETED_TOPIC
from .resources import Snapshot, Subscription, Topic

_HELD_BYTES = 1_000_000
"""Messages in one frame of a compacted log, in bytes."""


class State:
    """Resources by name. `apply` takes records in the order of the log, at run time and after a restart alike."""

    def __init__(self, failed: Callable[[Subscription, list[Entry]], None]) -> None:
        self.topics: dict[str, Topic] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.schemas: dict[str, list[schemas.Revision]] = {}
        self.next_number = 1
        self.next_serial = 1
        self._failed = failed
        self._topics: dict[int, Topic] = {}
        self._subscriptions: dict[int, Subscription] = {}
        self._snapshots: dict[int, Snapshot] = {}
        self._held: dict[int, Message] = {}

    def accept(self, topic: Topic, count: int, messages: list[Message]) -> None:
        """What a `Published` record does, at run time with the messages at hand.

        count: of accepted messages. messages: those, none where nobody could ever receive them.
        """
        topic.accepted += count
        self.next_number += count
        topic.accept(messages)

    def loaded(self) -> None:
        """The log is read to its end."""
        self._held.clear()
        for subscription in self._subscriptions.values():
            subscription.delivery.tidy()

    def snapshot_topic(self, snapshot: Snapshot) -> Topic | None:
        """The topic that a snapshot belongs to, None when it is deleted."""
        return next((topic for topic in self._topics.values() if snapshot.serial in topic.snapshots), None)

    def apply(self, record: records.Record) -> None:
        """One change. Raises KeyError or ValueError for a record that does not fit what is there: a damaged log."""
        match record:
            case records.Published():
                topic = self._topics[record.topic]
                topic.accepted += record.count
                self.next_number = record.first + record.count
                topic.accept(list(restore(record.chunks)))
            case records.Acknowledged():
                subscription = self._subscriptions[record.subscription]
                subscription.retain(subscription.delivery.drop(records.unpack(record.numbers)))
            case records.Failed():
                backlog = self._subscriptions[record.subscription].delivery.backlog
                for number, failures in record.failures.items():
                    if number in backlog:
                        backlog[number].failures = failures
            case records.SoughtTime():
                self._subscriptions[record.subscription].seek_time(record.time)
            case records.SoughtSnapshot():
                self._subscriptions[record.subscription].seek_snapshot(self._snapshots[record.snapshot])
            case records.TopicSet():
                self._set_topic(record)
            case records.TopicDeleted():
                self._delete_topic(record.topic)
            case records.SubscriptionSet():
                self._set_subscription(record)
            case records.SubscriptionDeleted():
                self._delete_subscription(record.subscription)
            case records.SnapshotTaken():
                backlog = self._subscriptions[record.subscription].delivery.backlog
                snapshot = self._add_snapshot(record.snapshot, record.topic, record.proto)
                snapshot.messages = {number: entry.message for number, entry in backlog.items()}
            case records.SnapshotSet():
                if record.snapshot in self._snapshots:
                    self._snapshots[record.snapshot].proto = settings.Snapshot.FromString(record.proto)
                else:
                    self._add_snapshot(record.snapshot, record.topic, record.proto)
            case records.SnapshotDeleted():
                snapshot = self._snapshots.pop(record.snapshot)
                del self.snapshots[snapshot.name]
                for topic in self._topics.values():
                    topic.snapshots.pop(record.snapshot, None)
            case records.SchemaSet():
                self.schemas[record.name] = schemas.restored(record.revisions)
            case records.SchemaDeleted():
                del self.schemas[record.name]
                for topic in self._topics.values():
                    if topic.proto.schema_settings.schema == record.name:
                        topic.proto.schema_settings.schema = DELETED_SCHEMA
            case records.Counters():
                self.next_number, self.next_serial = record.number, record.serial
            case records.Held():
                self._held.update((message.number, message) for message in restore(record.chunks))
            case records.Retained():
                self._topics[record.topic].retained = self._find(record.numbers)
            case records.SnapshotHolds():
                self._snapshots[record.snapshot].messages = self._find(record.numbers)
            case records.Backlog():
                subscription = self._subscriptions[record.subscription]
                delivery = subscription.delivery
                delivery.reset(self._find(record.numbers).values())
                delivery.seeks = record.seeks
                for number, failures in record.failures.items():
                    delivery.backlog[number].failures = failures
                subscription.acknowledged = self._find(record.acknowledged)

    def _find(self, packed: bytes) -> dict[int, Message]:
        return {number: self._held[number] for number in records.unpack(packed)}

    def _take_serial(self, serial: int) -> int:
        self.next_serial = max(self.next_serial, serial + 1)
        return serial

    def _set_topic(self, record: records.TopicSet) -> None:
        proto = settings.Topic.FromString(record.proto)
        topic = self._topics.get(record.topic)
        if topic is None:
            topic = self._topics[self._take_serial(record.topic)] = Topic(record.topic, proto)
            self.topics[topic.name] = topic
        topic.proto, topic.accepted = proto, record.accepted
        if not topic.retention:
            topic.retained.clear()

    def _delete_topic(self, serial: int) -> None:
        topic = self._topics.pop(serial)
        del self.topics[topic.name]
        for subscription in topic.subscriptions.values():
            subscription.topic = None
            subscription.proto.topic = DELETED_TOPIC
        for snapshot in topic.snapshots.values():
            snapshot.proto.topic = DELETED_TOPIC

    def _set_subscription(self, record: records.SubscriptionSet) -> None:
        proto = settings.Subscription.FromString(record.proto)
        subscription = self._subscriptions.get(record.subscription)
        if subscription is None:
            subscription = Subscription(self._take_serial(record.subscription), proto, self._failed)
            self._subscriptions[record.subscription] = self.subscriptions[subscription.name] = subscription
            subscription.topic = self._topics.get(record.topic)
            if subscription.topic is not None:
                subscription.topic.subscriptions[subscription.serial] = subscription
        else:
            subscription.configure(proto)
        if proto.detached and subscription.topic is not None:
            subscription.topic.subscriptions.pop(subscription.serial, None)
            subscription.topic = None

    def _delete_subscription(self, serial: int) -> None:
        subscription = self._subscriptions.pop(serial)
        del self.subscriptions[subscription.name]
        if subscription.topic is not None:
            del subscription.topic.subscriptions[serial]
        subscription.deleted = True
        subscription.delivery.close()

    def _add_snapshot(self, serial: int, topic: int, proto: bytes) -> Snapshot:
        snapshot = Snapshot(self._take_serial(serial), settings.Snapshot.FromString(proto))
        self._snapshots[serial] = self.snapshots[snapshot.name] = snapshot
        if topic in self._topics:
            self._topics[topic].snapshots[serial] = snapshot
        return snapshot

    # --- compaction

    def frames(self) -> Iterator[list[records.Record]]:
        """The whole state as frames of a new log."""
        yield [records.Counters(self.next_number, self.next_serial)]
        for name, revisions in self.schemas.items():
            yield [records.SchemaSet(name, [revision.record() for revision in revisions])]
        for serial, topic in self._topics.items():
            yield [records.TopicSet(serial, topic.proto.SerializeToString(), topic.accepted)]
        for serial, subscription in self._subscriptions.items():
            parent = subscription.topic.serial if subscription.topic is not None else -1
            yield [records.SubscriptionSet(serial, parent, subscription.proto.SerializeToString())]
        for serial, snapshot in self._snapshots.items():
            owner = self.snapshot_topic(snapshot)
            parent = owner.serial if owner is not None else -1
            yield [records.SnapshotSet(serial, parent, snapshot.proto.SerializeToString())]
        chunks: list[bytes] = []
        size = 0
        for message in self._messages():
            chunks.append(message.chunk)
            size += len(message.chunk)
            if size >= _HELD_BYTES:
                yield [records.Held(b"".join(chunks))]
                chunks, size = [], 0
        yield [records.Held(b"".join(chunks))]
        for serial, topic in self._topics.items():
            yield [records.Retained(serial, records.pack(topic.retained))]
        for serial, snapshot in self._snapshots.items():
            yield [records.SnapshotHolds(serial, records.pack(snapshot.messages))]
        for serial, subscription in self._subscriptions.items():
            backlog = subscription.delivery.backlog
            failures = {number: entry.failures for number, entry in backlog.items() if entry.failures}
            acknowledged = records.pack(subscription.acknowledged)
            yield [records.Backlog(serial, records.pack(backlog), acknowledged, failures, subscription.delivery.seeks)]

    def _messages(self) -> Iterable[Message]:
        """Every message that anybody holds, once."""
        seen: set[int] = set()
        for messages in self._holdings():
            for message in messages:
                if message.number not in seen:
                    seen.add(message.number)
                    yield message

    def _holdings(self) -> Iterator[Iterable[Message]]:
        for topic in self._topics.values():
            yield topic.retained.values()
        for snapshot in self._snapshots.values():
            yield snapshot.messages.values()
        for subscription in self._subscriptions.values():
            yield subscription.acknowledged.values()
            yield (entry.message for entry in subscription.delivery.backlog.values())
