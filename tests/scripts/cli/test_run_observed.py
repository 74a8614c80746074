"""`noren run` watched on the real servers: metrics, health and traces, and no value of any event in any of it."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dataflow.operators.sketches import count_distinct
from dataflow.telemetry.catalogue import METRICS, Stage
from scripts.main_job.pipeline import PipelineProcess
from tests.conftest import Stream, made_stream
from tests.dataflow.cases import CASES, DEAD, DUPLICATES, VALUES, encoded, payloads

pytestmark = pytest.mark.timeout(180)

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

PLANTED = (
    "planted-user",
    "planted-session",
    "planted page",
    "planted_field",
    "planted-attribute",
    "planted in no JSON",
    "3f2504e0-4f89-41d3-9a0c-00000000abcd",
    "35.123987",
    *VALUES[:5],
)
"""Values, names and bytes of which nothing may be told."""

SENT = (
    encoded(
        0xABCD,
        user_id="planted-user-1",
        session_id="planted-session-1",
        location={"latitude": 35.123987, "longitude": 1.0},
        properties={"page_name": "planted page", "planted_field": 1},
    ),
    b'{"event_id": "planted in no JSON',
    encoded(0xABCE, user_id={"planted-user": 1}),
    encoded(0xABCF, event_type="planted page"),
)


class Watched(NamedTuple):
    stream: Stream
    pipeline: PipelineProcess
    url: str
    metrics: dict[str, list[Any]]
    texts: dict[str, str]
    spans: list[dict[str, Any]]


@pytest.fixture(scope="module")
def watched(servers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A pipeline that has seen every case, and what could be asked of it before it was stopped."""
    traces = tmp_path_factory.mktemp("traces") / "traces.jsonl"
    for stream in made_stream(servers, tmp_path_factory.mktemp("project")):
        options = ("--metrics-port", "0", "--trace-file", str(traces))
        pipeline = PipelineProcess(stream.name, servers.home.root, stream.project.root, *options)
        try:
            stream.publish(*payloads(), *DUPLICATES)
            attributes = {"traceparent": PARENT, "tracestate": "x=planted-attribute", "note": "planted-attribute"}
            stream.topics.publish_messages(stream.name, [(data, attributes) for data in SENT])
            pipeline.wait_for(len(CASES) + len(DUPLICATES) + len(SENT))
            said = re.search(r"metrics on (http://127\.0\.0\.1:\d+)/metrics", pipeline.said)
            assert said, pipeline.said
            texts = {path: httpx.get(f"{said[1]}{path}").text for path in ("/metrics", "/healthz", "/readyz")}
        finally:
            pipeline.stop()
        texts |= {"stderr": pipeline.said, "progress": json.dumps(pipeline.progress), "traces": traces.read_text()}
        families = text_string_to_metric_families(texts["/metrics"])
        yield Watched(
            stream,
            pipeline,
            said[1],
            {family.name: family.samples for family in families},
            texts,
            [json.loads(line) for line in texts["traces"].splitlines()],
        )


def value(watched: Watched, name: str) -> float:
    (sample,) = [sample for sample in watched.metrics[name.removesuffix("_total")] if sample.name == name]
    assert sample.labels["stream"] == watched.stream.name
    return float(sample.value)


def test_counts_are_those_of_the_progress(watched: Watched) -> None:
    progress = watched.pipeline.progress
    assert {name: value(watched, f"noren_{name}_total") for name in ("raw", "anonymized", "duplicates")} == {
        "raw": progress["raw"],
        "anonymized": progress["raw"],
        "duplicates": len(DUPLICATES),
    }
    dead = {sample.labels["reason"]: sample.value for sample in watched.metrics["noren_dead"]}
    assert dead == progress["reasons"]
    assert sum(dead.values()) == len(DEAD) + 3
    assert value(watched, "noren_unknown_fields_total") == progress["unknown_fields"]
    assert value(watched, "noren_input_total") >= progress["accounted"]
    assert value(watched, "noren_backlog") == 0


def test_every_stage_is_timed(watched: Watched) -> None:
    counts = {
        sample.labels["stage"]: sample.value
        for sample in watched.metrics["noren_stage_duration_seconds"]
        if sample.name.endswith("_count")
    }
    assert counts.keys() == {stage.value for stage in Stage}
    assert counts["anonymize"] == counts["stage"] >= value(watched, "noren_batches_total")


def test_the_versions_and_sizes_of_now_are_told(watched: Watched) -> None:
    (policy,) = watched.metrics["noren_policy"]
    assert (policy.labels["version"], policy.labels["contract"], policy.value) == (
        watched.stream.policy.version,
        watched.stream.contract.version,
        1,
    )
    assert value(watched, "noren_state_items") == watched.pipeline.progress["raw"]
    assert value(watched, "noren_key_epoch") > 0
    assert watched.metrics.keys() <= {metric.exposed.removesuffix("_total") for metric in METRICS}


def test_minute_metrics_are_written_with_the_rows_that_they_count(watched: Watched) -> None:
    stream = watched.stream
    query = f"SELECT * FROM operations.minute_metrics WHERE stream = '{stream.name}' AND events > 0"
    rows = [dict(row) for row in stream.client.query_and_wait(query)]
    assert {row["batch_id"] for row in rows} <= {row["batch_id"] for row in stream.rows("raw", "batch_id")}
    assert 0 < sum(row["events"] for row in rows) <= watched.pipeline.progress["raw"]
    for row in rows:
        assert row["users"] == count_distinct(row["users_sketch"]) >= 1
        assert 0 <= row["latency_p50_ms"] <= row["latency_p99_ms"]
    assert "minute-metrics" in {sample.labels["operator"] for sample in watched.metrics["noren_state_size_bytes"]}


def test_it_is_alive_and_ready(watched: Watched) -> None:
    assert json.loads(watched.texts["/healthz"]) == {"status": "ok", "checks": {"committing": "ok"}}
    assert json.loads(watched.texts["/readyz"]) == {
        "status": "ok",
        "checks": dict.fromkeys(("committing", "pulling", "sink", "keys", "bundle"), "ok"),
    }


def test_a_trace_leads_from_a_message_to_its_rows(watched: Watched) -> None:
    batches = [span["attributes"] for span in watched.spans if span["name"] == "batch"]
    dead = watched.stream.rows("dead", "message_id, batch_id")
    assert len(dead) == len(DEAD) + 3
    for letter in dead:
        assert letter["batch_id"] in [
            batch["noren.batch_id"] for batch in batches if letter["message_id"] in batch["noren.message_ids"]
        ]
    written = {row["batch_id"] for row in watched.stream.rows("raw", "DISTINCT batch_id AS batch_id")}
    assert written <= {batch.get("noren.batch_id") for batch in batches}


def test_a_trace_has_a_span_for_each_stage_and_links_to_the_publisher(watched: Watched) -> None:
    traces: dict[str, Counter[str]] = {}
    for span in watched.spans:
        traces.setdefault(span["context"]["trace_id"], Counter())[span["name"]] += 1
    once = ("batch", "pull", "anonymize", "stage", "commit", "acknowledge")
    assert {**dict.fromkeys(once, 1), "output": 2} in list(traces.values())
    links = {link["context"]["trace_id"] for span in watched.spans for link in span["links"]}
    assert links == {"0x4bf92f3577b34da6a3ce929d0e0e4736"}


@pytest.mark.parametrize("where", ["/metrics", "/healthz", "/readyz", "stderr", "progress", "traces"])
@pytest.mark.parametrize("planted", PLANTED)
def test_no_value_is_told(watched: Watched, where: str, planted: str) -> None:
    assert watched.texts[where]
    assert planted not in watched.texts[where]


def test_the_endpoint_ends_with_the_pipeline(watched: Watched) -> None:
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{watched.url}/healthz")


def test_traces_say_of_the_machine_no_more_than_the_services_name(watched: Watched) -> None:
    assert all(span["resource"]["attributes"] == {"service.name": "noren"} for span in watched.spans)
