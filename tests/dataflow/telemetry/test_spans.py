"""Traces: one a batch, from message ids to batch_id, without a word of what is in the messages."""

import json
import logging
import stat
from pathlib import Path
from typing import Any

import pytest

from dataflow.errors import NorenError
from dataflow.sources.message import Message, Messages
from dataflow.telemetry.catalogue import Stage
from dataflow.telemetry.pipeline import Telemetry
from dataflow.telemetry.spans import MOST_LINKS, JsonLines, SpanTracer, otlp_exporter
from tests.dataflow.cases import encoded
from tests.dataflow.deliveries import message

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def traced(path: Path, messages: list[Message], error: Exception | None = None) -> list[dict[str, Any]]:
    """Spans of a batch that went through, in the order of their end."""
    telemetry = Telemetry(tracer=SpanTracer("app_event", [JsonLines(path)]))
    trace = telemetry.taken(Messages.of(messages), 0.25)
    with telemetry.timed(Stage.STAGE, trace) as attributes:
        attributes["entry"] = 7
    with telemetry.timed(Stage.COMMIT, trace, batch_id="abc-1"):
        pass
    trace.end(error)
    telemetry.tracer.close()
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_batch_is_one_trace_with_a_span_for_each_stage(tmp_path: Path) -> None:
    spans = traced(tmp_path / "traces", [message(encoded(1), 1), message(encoded(2), 2)])
    assert [span["name"] for span in spans] == ["pull", "stage", "commit", "batch"]
    root = spans[-1]
    assert {span["context"]["trace_id"] for span in spans} == {root["context"]["trace_id"]}
    assert {span["parent_id"] for span in spans[:-1]} == {root["context"]["span_id"]}
    assert (spans[0]["start_time"], root["status"]) == (root["start_time"], {"status_code": "UNSET"})


def test_it_leads_from_message_to_rows(tmp_path: Path) -> None:
    root = traced(tmp_path / "traces", [message(encoded(1), 11), message(encoded(2), 12)])[-1]["attributes"]
    assert {name: root[name] for name in ("noren.message_ids", "noren.entry", "noren.batch_id")} == {
        "noren.message_ids": ["11", "12"],
        "noren.entry": 7,
        "noren.batch_id": "abc-1",
    }


def test_an_output_may_be_later_than_the_end_of_its_batch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Telemetry(tracer=SpanTracer("app_event", [JsonLines(tmp_path / "traces")]))
    trace = telemetry.taken(Messages.of([message(b"", 1)]), 0.0)
    trace.end()
    with telemetry.timed(Stage.OUTPUT, trace, output="archive"):
        pass
    telemetry.tracer.close()
    spans = [json.loads(line) for line in (tmp_path / "traces").read_text().splitlines()]
    assert [span["name"] for span in spans] == ["pull", "batch", "output"]
    assert (spans[2]["parent_id"], spans[2]["attributes"]) == (
        spans[1]["context"]["span_id"],
        {"noren.output": "archive"},
    )
    assert caplog.messages == []


def test_publishers_traces_are_linked_once_each(tmp_path: Path) -> None:
    messages = [
        message(b"", 1, traceparent=PARENT),
        message(b"", 2, traceparent=PARENT, tracestate="user=u1234567"),
        message(b"", 3, traceparent="u1234567"),
        message(b"", 4),
    ]
    spans = traced(tmp_path / "traces", messages)
    assert [link["context"] for link in spans[-1]["links"]] == [
        {"trace_id": "0x4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "0x00f067aa0ba902b7", "trace_state": "[]"}
    ]
    assert "u1234567" not in (tmp_path / "traces").read_text()


def test_links_are_bounded(tmp_path: Path) -> None:
    messages = [message(b"", n, traceparent=f"00-{n:032x}-{n:016x}-01") for n in range(1, 300)]
    assert len(traced(tmp_path / "traces", messages)[-1]["links"]) == MOST_LINKS


def test_of_an_error_there_is_its_type(tmp_path: Path) -> None:
    root = traced(tmp_path / "traces", [message(b"", 1)], ValueError("user_1234567"))[-1]
    assert (root["status"], root["events"]) == ({"status_code": "ERROR", "description": "ValueError"}, [])


def test_a_stage_that_fails_is_timed_and_quotes_nothing(tmp_path: Path) -> None:
    telemetry = Telemetry(tracer=SpanTracer("app_event", [JsonLines(tmp_path / "traces")]))
    trace = telemetry.taken(Messages.of([message(b"", 1)]), 0.0)
    with pytest.raises(ValueError, match="user_1234567"), telemetry.timed(Stage.ANONYMIZE, trace):
        raise ValueError("user_1234567")
    telemetry.tracer.close()
    text = (tmp_path / "traces").read_text()
    assert [json.loads(line)["name"] for line in text.splitlines()] == ["pull", "anonymize"]
    assert "user_1234567" not in text


def test_the_file_is_for_its_owner_and_is_appended_to(tmp_path: Path) -> None:
    traced(tmp_path / "traces", [message(b"", 1)])
    assert len(traced(tmp_path / "traces", [message(b"", 2)])) == 8
    assert stat.S_IMODE((tmp_path / "traces").stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NorenError, match=r"traces: traces cannot be written there: No such file or directory\.$"):
        JsonLines(tmp_path / "nowhere" / "traces")


def test_without_an_exporter_for_it_an_endpoint_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert otlp_exporter() is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    with caplog.at_level(logging.WARNING):
        assert otlp_exporter() is None
    assert caplog.messages == [
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, but opentelemetry-exporter-otlp-proto-http is not installed: "
        "no traces go there"
    ]


def test_nobody_listening_costs_no_span() -> None:
    telemetry = Telemetry()
    trace = telemetry.taken(Messages.of([message(b"", 1)]), 0.0)
    with telemetry.timed(Stage.STAGE, trace) as attributes:
        attributes["entry"] = 1
    trace.end()
    telemetry.tracer.close()
