"""The anonymized topic on the real server: one row a message, named by journal, entry and row."""

import datetime
import json
import logging
import uuid
from collections.abc import Iterator

import grpc
import polars as pl
import pytest
from google.pubsub_v1 import types
from tenacity import retry, stop_after_attempt

from dataflow.errors import NorenError
from dataflow.outputs import topic as module
from dataflow.outputs.base import Run, StagedEntry
from dataflow.outputs.topic import AnonymizedTopic
from dataflow.outputs.waiting import waiting
from dataflow.sources.pubsub import PubSubSubscription
from scripts.stack.endpoints import Endpoints

TIME = datetime.datetime(2026, 1, 15, 10, 30, 0, 123456, tzinfo=datetime.UTC)


@pytest.fixture
def name(servers: Endpoints) -> str:
    """A topic of the test's own with a subscription of the same name."""
    name = f"out-{uuid.uuid4().hex[:8]}"
    project = f"projects/{servers.project_id}"
    with grpc.insecure_channel(servers.pubsub) as channel:
        for method, kind, resource in (
            ("Publisher/CreateTopic", types.Topic, {"name": f"{project}/topics/{name}"}),
            (
                "Subscriber/CreateSubscription",
                types.Subscription,
                {"name": f"{project}/subscriptions/{name}", "topic": f"{project}/topics/{name}"},
            ),
        ):
            channel.unary_unary(f"/google.pubsub.v1.{method}", kind.pb().SerializeToString, kind.pb().FromString)(
                kind.pb()(**resource)
            )
    return name


@pytest.fixture
def output(servers: Endpoints, name: str) -> Iterator[AnonymizedTopic]:
    output = AnonymizedTopic(f"projects/{servers.project_id}/topics/{name}", servers.pubsub)
    yield output
    output.close()


def run(number: int, rows: int) -> Run:
    frame = pl.DataFrame({"event_token": [f"t{row}" for row in range(rows)], "receive_time": [TIME] * rows})
    return Run("j0", number, number, [StagedEntry(number, "3", {"anonymized": frame})])


def received(servers: Endpoints, name: str, count: int) -> list[tuple[dict[str, str], dict[str, object]]]:
    subscription = PubSubSubscription(servers.project_id, name, servers.pubsub)
    found: list[tuple[dict[str, str], dict[str, object]]] = []
    while len(found) < count:
        found += [(dict(message.attributes), json.loads(message.data)) for message in subscription.pull(1_000, 10)]
    subscription.close()
    return found


def test_each_row_is_a_message_named_for_ever(servers: Endpoints, name: str, output: AnonymizedTopic) -> None:
    output.put(run(7, 2))
    attributes = {"journal": "j0", "entry": "7", "policy_version": "3"}
    rows = [{"event_token": f"t{row}", "receive_time": "2026-01-15T10:30:00.123456+00:00"} for row in (0, 1)]
    assert received(servers, name, 2) == [({**attributes, "row": str(row)}, rows[row]) for row in (0, 1)]


def test_more_rows_than_a_request_takes_are_several_requests(
    servers: Endpoints, name: str, output: AnonymizedTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_MESSAGES", 4)
    monkeypatch.setattr(module, "MOST_BYTES", 600)  # three rows
    output.put(run(7, 10))
    assert [attributes["row"] for attributes, _ in received(servers, name, 10)] == [str(row) for row in range(10)]


def test_an_entry_without_rows_is_no_message(output: AnonymizedTopic) -> None:
    output.put(run(7, 0))


def test_a_missing_topic_is_one_sentence(servers: Endpoints) -> None:
    output = AnonymizedTopic("projects/p-1234/topics/none", servers.pubsub)
    with pytest.raises(NorenError, match=r"^projects/p-1234/topics/none: there is no such topic; make it"):
        output.put(run(7, 1))
    output.close()


def test_a_row_that_no_message_can_hold_does_not_hold_up_the_others(
    servers: Endpoints, name: str, output: AnonymizedTopic, caplog: pytest.LogCaptureFixture
) -> None:
    rows = pl.DataFrame({"event_token": ["x" * 10_000_001, "small"], "receive_time": [TIME] * 2})
    output.put(Run("j0", 1, 1, [StagedEntry(1, "3", {"anonymized": rows})]))
    (message,) = received(servers, name, 1)
    assert message[0]["row"] == "1"
    assert [record.message.partition(": ")[2] for record in caplog.records] == [
        "a row is larger than a message may be (10 MB): it is in the tables, not here; lower maxMessageBytes in the "
        "contract"
    ]


def test_what_is_tried_again_is_told_without_the_errors_text(caplog: pytest.LogCaptureFixture) -> None:
    @retry(stop=stop_after_attempt(2), before_sleep=waiting(logging.getLogger("out")), reraise=True)
    def fail() -> None:
        raise OSError("secret-0412")

    with pytest.raises(OSError, match="secret"):
        fail()
    assert [record.message for record in caplog.records] == ["OSError; again in 0.0 s"]
