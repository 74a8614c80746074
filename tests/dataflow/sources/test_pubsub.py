"""A subscription by raw calls on the real server."""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dataflow.errors import NorenError
from dataflow.sources.message import Message
from dataflow.sources.pubsub import PubSubSubscription
from scripts.stack.endpoints import Endpoints
from scripts.stack.pubsub import statistics
from scripts.stack.streams import LocalTopics
from scripts.stack.supervisor import free_port
from tests.conftest import Stream

Opened = Callable[[Stream], PubSubSubscription]


@pytest.fixture
def source(stream: Stream) -> Iterator[PubSubSubscription]:
    subscription = f"{stream.name.replace('_', '-')}-anonymizer"
    opened = PubSubSubscription(stream.servers.project_id, subscription, stream.servers.pubsub, store="store-1")
    yield opened
    opened.close()


def pulled(source: PubSubSubscription, count: int) -> list[Message]:
    """At least `count` messages."""
    messages: list[Message] = []
    deadline = time.monotonic() + 20
    while len(messages) < count and time.monotonic() < deadline:
        messages += source.pull(1_000, timeout=1)
    return messages


def test_a_message_has_data_attributes_position_and_publish_time(stream: Stream, source: PubSubSubscription) -> None:
    before = time.time()
    ids = stream.publish(b"one", b"")
    messages = {message.data: message for message in pulled(source, 2)}
    one, empty = messages[b"one"], messages[b""]
    assert (one.message_id, dict(one.attributes)) == (ids[0], {})
    assert dict(empty.attributes) == {"empty": "true"}
    assert [message.position for message in (one, empty)] == [f"store-1/{name}" for name in ids]
    assert before - 1 < one.received / 1e6 < time.time() + 1


def test_a_pull_gives_no_more_than_asked_for(stream: Stream, source: PubSubSubscription) -> None:
    stream.publish(*(b"%d" % number for number in range(10)))
    assert len(source.pull(3, timeout=1)) == 3


def test_ten_megabytes_arrive_whole(stream: Stream, source: PubSubSubscription) -> None:
    stream.publish(b"x" * 9_990_000)
    assert [len(message.data) for message in pulled(source, 1)] == [9_990_000]


def test_what_is_acknowledged_does_not_come_again_and_what_is_given_back_does(
    stream: Stream, source: PubSubSubscription
) -> None:
    stream.publish(b"done", b"not yet")
    first = {message.data: message for message in pulled(source, 2)}
    source.acknowledge([first[b"done"].ack_id])
    source.extend([message.ack_id for message in first.values()], 0)
    again = pulled(source, 1)
    assert [(message.data, message.position) for message in again] == [(b"not yet", first[b"not yet"].position)]
    assert again[0].ack_id != first[b"not yet"].ack_id


def test_nothing_to_pull_is_no_message_after_the_timeout(source: PubSubSubscription) -> None:
    started = time.monotonic()
    assert not source.pull(10, timeout=0.3)
    assert 0.2 < time.monotonic() - started < 5


def test_many_acknowledgements_go_in_several_requests(stream: Stream, source: PubSubSubscription) -> None:
    stream.publish(*(b"%d" % number for number in range(2_600)))
    source.acknowledge([message.ack_id for message in pulled(source, 2_600)])
    counted = statistics(stream.servers.pubsub)["subscriptions"][source.path]
    assert counted["unacknowledged"] == 0


def test_a_subscription_that_does_not_exist_is_one_sentence(servers: Endpoints) -> None:
    source = PubSubSubscription("noren-test", "no-such", servers.pubsub)
    with pytest.raises(NorenError, match=r"^projects/noren-test/subscriptions/no-such: cannot be pulled from: .+\.$"):
        source.pull(1, timeout=5)
    with pytest.raises(NorenError, match=r"^projects/noren-test/subscriptions/no-such: .+\.$"):
        source.acknowledge(["1"])
    source.close()


class Server:
    """A Pub/Sub server of one's own, on one port and one directory, that can be killed and started again."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.port = directory, free_port()
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "scripts.stack.pubsub", "--data-dir", str(self.directory)]
        self.process = subprocess.Popen([*command, "--port", str(self.port)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert json.loads(self.process.stdout.readline().removeprefix("READY "))["port"] == self.port

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def test_a_server_that_is_away_gives_nothing_and_goes_on_when_it_is_back(tmp_path: Path, app_event: object) -> None:
    server = Server(tmp_path)
    endpoint = f"127.0.0.1:{server.port}"
    source = PubSubSubscription("noren-test", "app-event-anonymizer", endpoint)
    try:
        with LocalTopics("noren-test", endpoint) as topics:
            topics.ensure([app_event])  # type: ignore[list-item]
            topics.publish("app_event", [b"before"])
        (before,) = pulled(source, 1)
        server.kill()
        assert not source.pull(10, timeout=1)
        source.acknowledge([before.ack_id])  # lost, and no error
        source.extend([before.ack_id])
        server.start()
        (again,) = pulled(source, 1)
        assert (again.data, again.position) == (b"before", before.position)
    finally:
        source.close()
        server.kill()


def test_without_an_endpoint_it_is_the_service_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataflow.sources.pubsub._cloud_channel", lambda: pytest.fail("asked for Google's channel"))
    with pytest.raises(pytest.fail.Exception, match="asked for Google's channel"):
        PubSubSubscription("noren-test", str(uuid.uuid4()))
