"""What the broker gave up is drained by the running pipeline, and counted as dead exactly once."""

import datetime
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from dataflow import names
from dataflow.core import Anonymizer
from dataflow.dead_letters import PURPOSE, GivenUp, open_dead_letter
from dataflow.dead_letters.counted import MOST_ATTEMPTS, Counted
from dataflow.journal import Journal
from dataflow.keys import KeyRing
from dataflow.objects import LocalObjects
from dataflow.sources.message import Message
from dataflow.sources.pubsub import PubSubSubscription
from scripts.cli.dlq import dlq
from scripts.main_job.pipeline import PipelineProcess
from scripts.stack.pubsub import statistics
from scripts.stack.streams import MOST_DELIVERIES
from tests.conftest import Stream, made_stream
from tests.dataflow.cases import encoded

pytestmark = pytest.mark.timeout(180)

GOOD, BAD = encoded(1), encoded(2, user_id=5)
TWIN = encoded(1, user_id="user_9")
LEFT = [encoded(3), encoded(4)[:-9]]


def published(stream: Stream) -> int:
    return int(statistics(stream.servers.pubsub)["topics"][stream.topics.topic(stream.name)]["published"])


def settled(stream: Stream, pipeline: PipelineProcess) -> tuple[int, int, int]:
    progress = pipeline.wait_for(published(stream))
    assert progress["accounted"] == published(stream)
    return progress["raw"], progress["dead"], progress["duplicates"]


def give_up(stream: Stream, count: int) -> None:
    """As consumers do that die over each message: it is taken and never acknowledged."""
    source = PubSubSubscription("noren-test", names.subscription(stream.name), stream.servers.pubsub)
    for _ in range(MOST_DELIVERIES):
        taken: list[Message] = []
        while len(taken) < count:
            taken += source.pull(10, timeout=5)
        source.extend([message.ack_id for message in taken], 0)
    assert not source.pull(10, timeout=0.5)
    source.close()


def undrained(stream: Stream) -> int:
    subscriptions = statistics(stream.servers.pubsub)["subscriptions"]
    return int(
        subscriptions[f"projects/noren-test/subscriptions/{names.dead_letter_topic(stream.name)}"]["unacknowledged"]
    )


def wait_until_drained(stream: Stream) -> None:
    end = time.monotonic() + 30
    while undrained(stream):
        assert time.monotonic() < end
        time.sleep(0.05)


Ran = tuple[Stream, PipelineProcess]


@pytest.fixture(scope="module")
def ran(servers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """A stream of which the broker gave up two messages before a pipeline ran."""
    for stream in made_stream(servers, tmp_path_factory.mktemp("project")):
        stream.topics.publish_messages(stream.name, [(data, {"app_version": "3.2"}) for data in LEFT])
        give_up(stream, len(LEFT))
        pipeline = PipelineProcess(stream.name, servers.home.root, stream.project.root)
        try:
            assert settled(stream, pipeline) == (0, 2, 0)
            wait_until_drained(stream)
            yield stream, pipeline
        finally:
            pipeline.stop()


def test_what_nobody_counted_is_dead_and_opens_with_the_key(ran: Ran) -> None:
    stream, _ = ran
    letters = stream.rows("dead")
    assert [(letter["reason"], letter["field"], letter["message"]) for letter in letters] == [
        ("undeliverable", "$", f"was given up by the broker after {MOST_DELIVERIES} deliveries")
    ] * 2
    assert [(letter["payload_redacted"], letter["attributes"]) for letter in letters] == [
        (None, [{"name": "app_version", "value": "3.2"}])
    ] * 2
    sealer = KeyRing.local(stream.servers.home.root / "keys").sealer(PURPOSE)
    opened = [open_dead_letter(letter["sealed"], letter["dead_token"], sealer) for letter in letters]
    assert sorted(opened) == sorted((data, {"app_version": "3.2"}) for data in LEFT)


def forward(stream: Stream, data: bytes, received: datetime.datetime) -> None:
    """As the broker does it, with Google's precision of the time."""
    text = received.isoformat(timespec="milliseconds")
    attributes = {
        "CloudPubSubDeadLetterSourceDeliveryCount": "20",
        "CloudPubSubDeadLetterSourceTopicPublishTime": text,
        "kind": "a",
    }
    stream.topics.publish_messages(names.dead_letter_topic(stream.name), [(data, attributes)])


def duplicate_time(stream: Stream) -> datetime.datetime:
    """When the one duplicate was received; only the journal knows."""
    home = stream.servers.home.root
    sealer = KeyRing.local(home / "keys").sealer("journal")
    journal = Journal(LocalObjects(home / "journal"), sealer, names.subscription(stream.name))
    (time,) = [int(time) for _, index in journal.indexes() for time in index.duplicates.times]
    return datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(microseconds=time)


def test_what_was_counted_before_it_was_given_up_is_not_counted_again(ran: Ran) -> None:
    stream, pipeline = ran
    raw, dead, duplicates = settled(stream, pipeline)
    for data in (GOOD, BAD, TWIN):  # apart from each other in time
        stream.topics.publish_messages(stream.name, [(data, {"kind": "a"})])
        settled(stream, pipeline)
        time.sleep(0.01)
    counted = (raw + 1, dead + 1, duplicates + 1)
    assert settled(stream, pipeline) == counted
    (row,) = stream.rows("raw", "receive_time")
    (letter,) = [letter for letter in stream.rows("dead") if letter["reason"] == "wrong_type"]
    forward(stream, GOOD, row["receive_time"])
    forward(stream, BAD, letter["receive_time"])
    forward(stream, TWIN, duplicate_time(stream))
    wait_until_drained(stream)
    assert settled(stream, pipeline) == counted
    # of the same bytes, but published at another time: another message
    forward(stream, BAD, letter["receive_time"] - datetime.timedelta(seconds=1))
    wait_until_drained(stream)
    assert len(stream.rows("dead", "dead_token")) == dead + 2


def test_forwarded_twice_it_is_counted_once(ran: Ran) -> None:
    stream, _ = ran
    before = len(stream.rows("dead", "dead_token"))
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    for _ in range(2):
        forward(stream, encoded(50), moment)
        wait_until_drained(stream)
    forward(stream, encoded(50), moment)
    wait_until_drained(stream)
    assert len(stream.rows("dead", "dead_token")) == before + 1
    tokens = [row["dead_token"] for row in stream.rows("dead", "dead_token")]
    assert len(set(tokens)) == len(tokens)


def test_replayed_it_lands_once(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, pipeline = ran
    monkeypatch.chdir(stream.project.root)

    def replay(*options: str) -> dict[str, Any]:
        home = str(stream.servers.home.root)
        arguments = ["replay", "--stream", stream.name, "--reason", "undeliverable", "--json", "--home", home, *options]
        (report,) = json.loads(CliRunner().invoke(dlq, arguments, catch_exceptions=False).stdout)
        return {name: report[name] for name in ("published", "refused", "landed")}

    letters = [row for row in stream.rows("dead") if row["reason"] == "undeliverable"]
    refused = [
        {"reason": "undeliverable", "now": "malformed_json", "letters": 1},
        {"reason": "undeliverable", "now": "wrong_type", "letters": 1},
    ]
    good = len(letters) - len(refused)
    wanted = {"published": {"undeliverable": good}, "refused": refused, "landed": {}}
    first = pipeline.wait_for(published(stream))
    before, count = published(stream), len(stream.rows("raw", "event_token"))
    assert replay("--dry-run") == wanted
    assert published(stream) == before
    assert replay() == wanted
    assert published(stream) == before + good
    # what tests forwarded by hand was never published to the stream's topic, and is counted as dead
    last = pipeline.wait_for(first["accounted"] + good)
    assert [last[name] - first[name] for name in ("raw", "dead", "duplicates")] == [good, 0, 0]
    assert len(stream.rows("raw", "event_token")) == count + good
    again = {"published": {}, "refused": refused, "landed": {}}
    assert replay() == again
    assert replay("--again") == {**again, "landed": {"undeliverable": good}}
    assert published(stream) == before + good


def test_a_message_that_ends_the_process_is_not_looked_into_for_ever(ran: Ran, tmp_path: Any) -> None:
    stream, _ = ran
    keys = KeyRing.local(stream.servers.home.root / "keys")
    anonymizer = Anonymizer(stream.contract, stream.policy, keys)
    asked: list[bytes] = []

    class Killed(BaseException):
        pass

    def kill(data: Any, *_: Any) -> None:
        asked.extend(data)
        raise Killed

    anonymizer.unpack = kill  # type: ignore[method-assign,assignment]
    counted = Counted(stream.client, anonymizer, keys.sealer(PURPOSE), LocalObjects(tmp_path), lambda: ())
    message = GivenUp.of(Message(b"poison", {}, "1", "store/1", 1, "ack"))
    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(Killed):
            counted.sort_out([message])
    assert counted.sort_out([message]) == [False]
    assert len(asked) == MOST_ATTEMPTS
