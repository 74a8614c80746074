"""`noren bench anonymizer`."""

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from scripts.bench import anonymizer, methods
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
