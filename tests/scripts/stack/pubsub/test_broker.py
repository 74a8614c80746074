"""What a restart finds: the same state as before, after any changes, with and without compaction."""

import asyncio
import random
import shutil
import time

import pytest
from google.pubsub_v1 import types

from scripts.stack.pubsub.broker import Broker
from scripts.stack.pubsub.log import Log
from scripts.stack.pubsub.message import restore, stamp
from scripts.stack.pubsub.refusal import Refusal
from scripts.stack.pubsub.schemas import prepare

Message, Topic, Subscription = types.PubsubMessage.pb(), types.Topic.pb(), types.Subscription.pb()
TOPIC, DEAD = "projects/p/topics/topic", "projects/p/topics/dead"
NAMES = [f"projects/p/subscriptions/sub-{number}" for number in range(4)]


def canonical(message):
    return message.proto().SerializeToString(deterministic=True)


def dump(broker):
    """Everything that has to survive."""
    state = broker.state
    return {
        "topics": {
            name: (topic.proto.SerializeToString(deterministic=True), topic.accepted, list(topic.retained))
            for name, topic in state.topics.items()
        },
        "subscriptions": {
            name: (
                subscription.proto.SerializeToString(deterministic=True),
                subscription.topic and subscription.topic.name,
                [
                    (
                        number,
                        entry.failures if subscription.delivery.rules.max_attempts else 0,
                        canonical(entry.message),
                    )
                    for number, entry in subscription.delivery.backlog.items()
                ],
                sorted(subscription.acknowledged),
                subscription.delivery.seeks,
            )
            for name, subscription in state.subscriptions.items()
        },
        "snapshots": {
            name: (snapshot.proto.SerializeToString(deterministic=True), list(snapshot.messages))
            for name, snapshot in state.snapshots.items()
        },
        "schemas": {name: [each.record() for each in revisions] for name, revisions in state.schemas.items()},
        "serial": state.next_serial,
    }


class Walk:
    """Random changes to a broker."""

    def __init__(self, broker, seed):
        self.broker = broker
        self.random = random.Random(seed)
        self.count = 0
        for name in (TOPIC, DEAD):
            broker.create_topic(Topic(name=name, message_retention_duration={"seconds": 600} if name == DEAD else None))

    def step(self):
        steps = [self.publish] * 6 + [self.take] * 6
        steps += [self.subscribe, self.unsubscribe, self.seek, self.snapshot, self.schema, self.labels]
        self.random.choice(steps)()

    def publish(self):
        keys = ["", "", "a", "b"]
        messages = [
            Message(
                data=self.random.randbytes(20), ordering_key=self.random.choice(keys), attributes={"n": str(number % 3)}
            )
            for number in range(self.random.randint(1, 8))
        ]
        self.broker.publish(self.broker.topic(TOPIC), messages)

    def any_subscription(self):
        return self.random.choice(list(self.broker.state.subscriptions.values()) or [None])

    def subscribe(self):
        name = self.random.choice(NAMES)
        if name in self.broker.state.subscriptions:
            return
        proto = Subscription(name=name, topic=TOPIC, retain_acked_messages=self.random.random() < 0.5)
        proto.enable_message_ordering = self.random.random() < 0.5
        if self.random.random() < 0.5:
            proto.dead_letter_policy.dead_letter_topic = DEAD
        if self.random.random() < 0.3:
            proto.filter = 'attributes.n != "1"'
        self.broker.create_subscription(proto)

    def unsubscribe(self):
        if len(self.broker.state.subscriptions) > 2:
            self.broker.delete_subscription(self.any_subscription().name)

    def poison(self):
        """A message that fails until it is forwarded."""
        topic = self.broker.create_topic(Topic(name="projects/p/topics/poisoned"))
        proto = Subscription(name="projects/p/subscriptions/poisoned", topic=topic.name)
        proto.dead_letter_policy.dead_letter_topic = DEAD
        delivery = self.broker.create_subscription(proto).delivery
        (number,) = self.broker.publish(topic, [Message(data=b"poison")])
        while number in delivery.backlog:
            delivery.take(1, 1000, 60)
            self.broker.modify_ack_deadline(self.broker.subscription(proto.name), list(delivery.leases), 0)
        self.broker.delete_subscription(proto.name)

    def take(self):
        subscription = self.any_subscription()
        if subscription is None:
            return
        subscription.delivery.take(self.random.randint(1, 12), 10_000, 60)
        held = list(subscription.delivery.leases)
        some = self.random.sample(held, len(held) // 2)
        if some:
            self.broker.acknowledge(subscription, some)
        rest = [ack_id for ack_id in held if ack_id in subscription.delivery.leases]
        if rest:
            self.broker.modify_ack_deadline(subscription, rest, 0)

    def seek(self):
        subscription = self.any_subscription()
        if subscription is not None:
            self.broker.seek_time(subscription, time.time_ns() - self.random.randint(0, 20_000_000))

    def snapshot(self):
        subscription = self.any_subscription()
        if subscription is None:
            return
        if self.broker.state.snapshots and self.random.random() < 0.5:
            snapshot = self.random.choice(list(self.broker.state.snapshots.values()))
            self.broker.seek_snapshot(subscription, snapshot)
            self.broker.delete_snapshot(snapshot.name)
        else:
            self.count += 1
            self.broker.create_snapshot(f"projects/p/snapshots/snapshot-{self.count}", subscription, {})

    def schema(self):
        name = "projects/p/schemas/schema"
        revision = prepare(types.Schema.pb()(type_=types.Schema.Type.AVRO, definition='"string"'), name)
        self.broker.set_schema(name, [*self.broker.state.schemas.get(name, []), revision])

    def labels(self):
        topic = Topic(name=TOPIC, labels={"a": str(self.random.random())})
        self.broker.update_topic(topic, types.UpdateTopicRequest.pb()(update_mask={"paths": ["labels"]}).update_mask)


def drain(broker, subscription):
    """Every message of a backlog can be leased and acknowledged: none is lost between queues."""
    delivery = subscription.delivery
    if delivery.leases:
        broker.acknowledge(subscription, list(delivery.leases))
    while delivery.take(1000, 10_000_000, 60)[1]:
        broker.acknowledge(subscription, list(delivery.leases))
    assert (len(delivery.backlog), len(delivery.leases), delivery._lanes) == (0, 0, {})


@pytest.mark.parametrize("compact_at", [1 << 30, 4000], ids=["plain", "compacted"])
@pytest.mark.parametrize("seed", range(4))
def test_a_restart_finds_the_same_state_after_any_changes(tmp_path, seed, compact_at):
    async def walk():
        broker = Broker(tmp_path / "live", compact_at)
        steps = Walk(broker, seed)
        steps.poison()
        for number in range(300):
            steps.step()
            if number % 60 == 59:
                shutil.copytree(tmp_path / "live", tmp_path / f"killed-{number}")
                again = Broker(tmp_path / f"killed-{number}", compact_at)
                assert dump(again) == dump(broker)
                again.close()
        for subscription in broker.state.subscriptions.values():
            drain(broker, subscription)
        assert broker.statistics()["topics"][DEAD]["published"] > 0
        assert [path.name for path in (tmp_path / "live").glob("*.log")] == ["00000001.log"] or compact_at == 4000
        broker.close()

    asyncio.run(walk())


def with_backlog(directory, count):
    broker = Broker(directory, compact_at=20_000)
    broker.create_topic(Topic(name=TOPIC))
    subscription = broker.create_subscription(Subscription(name=NAMES[0], topic=TOPIC))
    broker.publish(broker.topic(TOPIC), [Message(data=b"x" * 100)] * count)
    return broker, subscription


def test_acknowledged_messages_leave_the_log(tmp_path):
    async def run():
        broker, subscription = with_backlog(tmp_path, 1)
        for _ in range(30):
            broker.publish(broker.topic(TOPIC), [Message(data=b"x" * 100)] * 50)
            subscription.delivery.take(1000, 10_000_000, 60)
            broker.acknowledge(subscription, list(subscription.delivery.leases))
        assert broker.log.size < 40_000
        broker.close()

    asyncio.run(run())


def test_ids_stay_ahead_of_the_clock_and_of_the_log(tmp_path):
    broker, _ = with_backlog(tmp_path, 3)
    first = broker.state.next_number
    assert first >= time.time_ns() // 1000 - 60_000_000
    broker.state.next_number = first + 10**12
    ahead = broker.publish(broker.topic(TOPIC), [Message(data=b"x")])[0]
    broker.close()
    again = Broker(tmp_path)
    assert again.publish(again.topic(TOPIC), [Message(data=b"x")])[0] == ahead + 1
    again.close()


def test_messages_that_nobody_can_get_are_counted_and_not_kept(tmp_path):
    broker = Broker(tmp_path)
    broker.create_topic(Topic(name=TOPIC))
    before = broker.log.size
    broker.publish(broker.topic(TOPIC), [Message(data=b"x" * 1000)] * 100)
    assert broker.log.size - before < 100
    assert broker.statistics()["topics"] == {TOPIC: {"published": 100}}
    broker.close()


def test_what_is_past_its_retention_is_forgotten(tmp_path, monkeypatch):
    broker, subscription = with_backlog(tmp_path, 3)
    later = time.time_ns() + 8 * 86400 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: later)
    broker.keep_house()
    assert len(subscription.delivery.backlog) == 0
    broker.close()


def test_a_full_disk_is_an_unavailable_and_changes_nothing(tmp_path, monkeypatch):
    broker, subscription = with_backlog(tmp_path, 1)
    size = broker.log.size

    def full(_self, *_records):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Log, "append", full)
    with pytest.raises(Refusal) as caught:
        broker.publish(broker.topic(TOPIC), [Message(data=b"x")])
    assert caught.value.message == "The server cannot write its log: No space left on device"
    assert (len(subscription.delivery.backlog), broker.log.size) == (1, size)
    broker.close()


@pytest.mark.parametrize("first", [1, 95, 999_999, 1_795_224_688_266_124])
def test_stamped_messages_are_restored_as_they_were(first):
    messages = [
        Message(data=b"%d" * (number * 9), ordering_key="k" * number, message_id="mine") for number in range(40)
    ]
    stamped = stamp(first, 1_700_000_000_123_456_000, messages)
    again = list(restore(b"".join(message.chunk for message in stamped)))
    assert [(each.number, each.published, each.key) for each in again] == [
        (first + number, 1_700_000_000_123_456_000, "k" * number) for number in range(40)
    ]
    assert [each.proto().data for each in stamped] == [message.data for message in messages]
    assert [each.proto().message_id for each in stamped] == [str(first + number) for number in range(40)]
