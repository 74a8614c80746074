"""The catalogue: every metric once, as Prometheus shows it and as the README tells it."""

import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dataflow.telemetry.catalogue import LAG, METRICS, RAW, SECONDS, STAGE_DURATION, Kind, Metric, table
from dataflow.telemetry.prometheus import PrometheusRecorder

README = Path(__file__).parents[3] / "dataflow" / "telemetry" / "README.md"


def recorded(*values: tuple[Metric, float]) -> dict[str, float]:
    """Sample name with labels -> value, as Prometheus reads it."""
    recorder = PrometheusRecorder("s")
    for metric, value in values:
        recorder.record(metric, value, **dict.fromkeys(metric.labels, "x"))
    families = list(text_string_to_metric_families(recorder.text().decode()))
    recorder.close()
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_every_metric_is_exposed_under_its_name_with_stream_and_labels() -> None:
    recorder = PrometheusRecorder("s")
    for metric in METRICS:
        recorder.record(metric, 1, **dict.fromkeys(metric.labels, "x"))
    families = {family.name: family for family in text_string_to_metric_families(recorder.text().decode())}
    recorder.close()
    assert {name: (family.type, family.documentation) for name, family in families.items()} == {
        metric.exposed.removesuffix("_total"): (metric.kind.value, metric.meaning) for metric in METRICS
    }
    for metric in METRICS:
        for sample in families[metric.exposed.removesuffix("_total")].samples:
            assert set(sample.labels) - {"le"} == {"stream", *metric.labels}
            assert sample.labels["stream"] == "s"


def test_names_are_unique_and_meanings_are_a_line() -> None:
    assert len({metric.exposed for metric in METRICS}) == len(METRICS)
    assert all(metric.meaning.endswith(".") and "\n" not in metric.meaning for metric in METRICS)


def test_the_readme_has_the_catalogue() -> None:
    assert table() in README.read_text(encoding="utf-8")


def test_counters_add_up_gauges_are_set_and_histograms_have_buckets() -> None:
    values = recorded((RAW, 2), (RAW, 3), (LAG, 2), (LAG, 0.5), (STAGE_DURATION, 0.02), (STAGE_DURATION, 400))
    assert (values["noren_raw_total"], values["noren_lag_seconds"]) == (5, 0.5)
    assert (values["noren_stage_duration_seconds_count"], values["noren_stage_duration_seconds_sum"]) == (2, 400.02)
    assert 0.02 < SECONDS[-1] < 400


def test_labels_are_those_of_the_catalogue() -> None:
    recorder = PrometheusRecorder("s")
    with pytest.raises(TypeError, match=r"noren.raw has the labels \(\), not \('user',\)"):
        recorder.record(RAW, 1, user="u1")
    recorder.close()


def test_two_streams_in_one_process_do_not_mix() -> None:
    one, two = PrometheusRecorder("one"), PrometheusRecorder("two")
    one.record(RAW, 1)
    assert b'stream="one"' in one.text()
    assert two.text() == b""
    one.close()
    two.close()


def test_histograms_are_of_seconds() -> None:
    assert all(metric.exposed.endswith("_seconds") for metric in METRICS if metric.kind is Kind.HISTOGRAM)


@pytest.mark.parametrize("module", ["scripts.cli", "scripts.cli.run", "dataflow.telemetry.pipeline"])
def test_opentelemetry_is_imported_only_where_it_is_asked_for(module: str) -> None:
    code = f"import sys, {module}; print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
