"""Topics, subscriptions and snapshots with what they hold."""

from collections.abc import Callable, Iterable
from typing import Any

from . import settings
from .delivery import Delivery
from .filter import Predicate
from .lease import Entry
from .message import Message


class Topic:
    """proto: the `Topic` protobuf. accepted: messages accepted since its creation, dead letters forwarded to it too.

    retained: what its own message_retention_duration keeps, by number.
    """

    def __init__(self, serial: int, proto: Any) -> None:
        self.serial = serial
        self.proto = proto
        self.accepted = 0
        self.subscriptions: dict[int, Subscription] = {}
        self.snapshots: dict[int, Snapshot] = {}
        self.retained: dict[int, Message] = {}

    @property
    def name(self) -> str:
        return str(self.proto.name)

    @property
    def retention(self) -> int:
        """In nanoseconds; 0 when the topic itself retains nothing."""
        return settings.nanos(self.proto.message_retention_duration)

    @property
    def keeps(self) -> bool:
        """Whether anybody can ever receive a message published now."""
        return bool(self.subscriptions or self.snapshots or self.retention)

    def accept(self, messages: Iterable[Message]) -> None:
        """Hand accepted messages to everything that is attached."""
        for subscription in self.subscriptions.values():
            subscription.delivery.offer(subscription.admit(messages))
        for snapshot in self.snapshots.values():
            snapshot.messages.update((message.number, message) for message in messages)
        if self.retention:
            self.retained.update((message.number, message) for message in messages)

    def prune(self, now: int) -> None:
        _prune(self.retained, now - self.retention)


class Subscription:
    """proto: the `Subscription` protobuf. topic: None when it is deleted or the subscription detached.

    acknowledged: what retain_acked_messages keeps, by number.
    """

    def __init__(self, serial: int, proto: Any, failed: Callable[["Subscription", list[Entry]], None]) -> None:
        self.serial = serial
        self.topic: Topic | None = None
        self.acknowledged: dict[int, Message] = {}
        self.deleted = False
        self.delivery = Delivery(serial, lambda entries: failed(self, entries))
        self.passes: Predicate | None = None
        self.configure(proto)

    @property
    def name(self) -> str:
        return str(self.proto.name)

    def configure(self, proto: Any) -> None:
        """Take over a checked protobuf."""
        self.proto = proto
        self.passes = settings.passes(proto)
        self.delivery.rules = settings.rules(proto)
        if not proto.retain_acked_messages:
            self.acknowledged.clear()
        if proto.detached:
            self.acknowledged.clear()
            self.delivery.close()

    def admit(self, messages: Iterable[Message]) -> Iterable[Message]:
        """The messages that the filter lets pass."""
        passes = self.passes
        if passes is None:
            return messages
        return [message for message in messages if passes(message.attributes)]

    def retain(self, messages: Iterable[Message]) -> None:
        """Keep acknowledged messages, where the subscription does."""
        if self.proto.retain_acked_messages:
            self.acknowledged.update((message.number, message) for message in messages)

    def seek_time(self, time: int) -> None:
        """Make everything retained from `time` (nanoseconds) on unacknowledged, and everything before acknowledged."""
        pool = self._retained()
        backlog = {number: message for number, message in pool.items() if message.published >= time}
        self._seek(backlog, pool)

    def seek_snapshot(self, snapshot: "Snapshot") -> None:
        """Make exactly what the snapshot holds unacknowledged."""
        messages = sorted(snapshot.messages.values(), key=lambda message: message.number)
        self._seek({message.number: message for message in self.admit(messages)}, self._retained())

    def _retained(self) -> dict[int, Message]:
        pool = dict(self.acknowledged)
        if self.topic is not None:
            pool.update((message.number, message) for message in self.admit(self.topic.retained.values()))
        pool.update((number, entry.message) for number, entry in self.delivery.backlog.items())
        return dict(sorted(pool.items()))

    def _seek(self, backlog: dict[int, Message], pool: dict[int, Message]) -> None:
        self.acknowledged.clear()
        self.retain(message for number, message in pool.items() if number not in backlog)
        self.delivery.reset(backlog.values())

    def prune(self, now: int) -> None:
        """Forget what is older than the subscription's retention."""
        oldest = now - settings.nanos(self.proto.message_retention_duration)
        _prune(self.acknowledged, oldest)
        expired = []
        for number, entry in self.delivery.backlog.items():
            if entry.message.published >= oldest:
                break
            expired.append(number)
        self.delivery.drop(expired)


class Snapshot:
    """What was unacknowledged when it was taken, and everything published to its topic since."""

    def __init__(self, serial: int, proto: Any) -> None:
        self.serial = serial
        self.proto = proto
        self.messages: dict[int, Message] = {}

    @property
    def name(self) -> str:
        return str(self.proto.name)


def _prune(messages: dict[int, Message], oldest: int) -> None:
    expired = []
    for number, message in messages.items():
        if message.published >= oldest:
            break
        expired.append(number)
    for number in expired:
        del messages[number]
