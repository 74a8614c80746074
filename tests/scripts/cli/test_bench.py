"""`noren bench anonymizer`."""

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from scripts.bench import anonymizer, methods
from scripts.bench.pipeline import measure as pipeline
from scripts.cli.bench import bench


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anonymizer, "ROUNDS", 1)
    monkeypatch.setattr(anonymizer, "RATES", (50_000, 100_000))
    monkeypatch.setattr(anonymizer, "LATENCY_SECONDS", 0.02)
    monkeypatch.setattr(methods, "ROUNDS", 1)
    monkeypatch.setattr(methods, "VALUES", 64)
    monkeypatch.setattr(methods, "READING_SECONDS", 0.0)


@pytest.mark.usefixtures("small")
def test_the_report_and_the_flat_rows(tmp_path: Path) -> None:
    report, output = tmp_path / "bench.json", tmp_path / "rows.parquet"
    arguments = ["anonymizer", "--no-peers", "--events", "1000", "--json", str(report), "--output", str(output)]
    done = CliRunner().invoke(bench, arguments, catch_exceptions=False)
    assert done.exit_code == 0

    told = json.loads(report.read_text())
    speeds = told["events_per_core_second"]
    assert set(speeds) == {"noren_declared", "noren_free_form", "naive", "tuned", "peers"}
    assert speeds.pop("peers") == {}
    assert min(speeds.values()) > 0
    assert {rate: set(told["latency_ms"][rate]) for rate in told["latency_ms"]} == {
        "50000": {"p50", "p95", "p99"},
        "100000": {"p50", "p95", "p99"},
    }
    assert set(told["bad_rows"]) == {"0.01"}
    assert {"token", "encrypt", "scrub", "city"} <= set(told["ns_per_value"])

    rows = pl.read_parquet(output)
    assert rows.height == 1_000
    assert {"device.os_version", "location.latitude", "properties.note", "user_id"} <= set(rows.columns)
    assert not {"device.device_model", "location.accuracy", "properties.referrer"} & set(rows.columns)
    assert not any(kind.is_nested() for kind in rows.schema.values())


def test_a_wrong_peer_is_told_before_the_work() -> None:
    done = CliRunner().invoke(bench, ["anonymizer", "--peers", "nobody"])
    assert str(done.exception).startswith("there is no peer nobody; there are chdb, ")


MISSED = {"target": "speed", "limit": 100_000, "figure": 90_000.0, "held": False}
REPORT = {
    "machine": {"cores": 2, "load_average": [0.5, 2.5]},
    "arrow": {"events_per_second": 90_000, "events_per_cpu_second": {"pipeline": 70_000, "all": 50_000}},
    "targets": [MISSED, {"target": "delay", "limit": 80, "figure": None, "held": None}],
}


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--check"], 1)])
def test_a_missed_target_fails_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: list[str], code: int
) -> None:
    monkeypatch.setattr(pipeline, "measure", lambda *_: REPORT)
    report = tmp_path / "pipeline.json"
    done = CliRunner().invoke(bench, ["pipeline", "--quick", "--json", str(report), *options])
    assert done.exit_code == code
    assert json.loads(report.read_text()) == REPORT
    assert done.stdout.splitlines()[1].split() == ["speed", "100,000", "90,000", "no"]
    assert "delay" not in done.stdout
    assert "arrow: events a CPU second: pipeline 70,000, all 50,000" in done.stdout


def test_events_that_are_missing_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "measure", lambda *_: REPORT | {"tables": {"problems": ["one is missing."]}})
    done = CliRunner().invoke(bench, ["pipeline"])
    assert done.exit_code == 1
    assert str(done.exception) == "one is missing."


def test_a_wrong_part_is_told_before_the_work() -> None:
    done = CliRunner().invoke(bench, ["pipeline", "--only", "arrow,speed"])
    assert str(done.exception) == "there is no part speed; there are arrow, tables, delays, pause, memory."
