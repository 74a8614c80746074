"""Latency at a rate of arrivals."""

from scripts.bench.events import events
from scripts.bench.latency import latencies
from scripts.bench.subject import anonymizer


def test_percentiles_rise_and_no_event_is_done_before_its_arrival() -> None:
    figures = latencies(anonymizer("declared"), list(events(500)), 2_000, 0.3)
    assert list(figures) == ["p50", "p95", "p99"]
    assert 0 < figures["p50"] <= figures["p95"] <= figures["p99"]


def test_a_rate_beyond_the_core_shows_as_latency() -> None:
    core, some = anonymizer("declared"), list(events(500))
    latencies(core, some, 1_000, 0.05)
    assert latencies(core, some, 100_000_000, 0.001)["p99"] > 100
