"""Three eras of one log that overlaps the live stream, imported across a SIGKILL and once more, on the real servers.

Nothing is lost, nothing is there twice.
"""

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from dataflow.telemetry.prometheus import PrometheusRecorder
from scripts.cli.observe import Observer
from scripts.main_job.pipeline import PipelineProcess
from tests.conftest import Stream, made_stream
from tests.dataflow.cases import event
from tests.dataflow.ingest.importing import kill_after, run

pytestmark = pytest.mark.timeout(180)

CSV_ROWS, LINES, PARQUET_ROWS, LIVE = 120, 150, 100, 80
"""The third era ends with 40 events that the live stream has, and behind its cut-over has 10 more of them."""

ERAS: list[dict[str, Any]] = [
    {
        "name": "csv",
        "files": ["2016/*.csv"],
        "others": "drop",
        "fields": {
            "event_id": {"join": {"paths": ["prefix", "id"], "separator": "-"}},
            "event_type": {"from": "ev", "map": {"PV": "page_view", "BC": "button_click"}},
            "timestamp": {"from": "ts", "time": "%Y-%m-%d %H:%M:%S", "zone": "Asia/Tokyo"},
            "user_id": {"from": "uid", "type": "string"},
            "session_id": "sess",
            "device.type": {"from": "plat", "lower": True},
            "device.os_version": {"value": "9"},
            "device.app_version": {"value": "1.0"},
        },
    },
    {
        "name": "nested",
        "has": ["who.id", "t_ms"],
        "fields": {
            "event_id": "id",
            "timestamp": {"from": "t_ms", "time": "epoch_ms"},
            "user_id": "who.id",
            "session_id": "who.session",
        },
    },
    {"name": "columns", "has": ["event_id"], "until": "2026-01-15T09:01:20Z", "fields": {}},
]

START = {
    "csv": datetime(2016, 12, 31, 12, tzinfo=UTC),
    "nested": datetime(2020, 2, 28, 23, tzinfo=UTC),
    "columns": datetime(2026, 1, 15, 8, 59, 40, tzinfo=UTC),
}


def made(era: str, number: int) -> dict[str, Any]:
    """Event `number` of an era: one a second."""
    offset = {"csv": 10_000, "nested": 20_000, "columns": 30_000}[era]
    time = START[era] + timedelta(seconds=number)
    return event(offset + number, timestamp=time.isoformat().replace("+00:00", "Z"))


def old_csv() -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["prefix", "id", "ev", "ts", "uid", "sess", "plat"])
    for number in range(CSV_ROWS):
        new = made("csv", number)
        prefix, _, last = new["event_id"].rpartition("-")
        tokyo = START["csv"] + timedelta(seconds=number, hours=9)
        kind = "??" if number % 40 == 39 else "PV"  # three rows that no map knows
        writer.writerow([prefix, last, kind, tokyo.strftime("%Y-%m-%d %H:%M:%S"), new["user_id"], "s", "IOS"])
    return text.getvalue().encode()


def old_lines() -> bytes:
    lines = []
    for number in range(LINES):
        new = made("nested", number)
        micros = datetime.fromisoformat(new["timestamp"]).timestamp()
        new["t_ms"] = int(micros * 1_000)
        new["id"], new["who"] = new.pop("event_id"), {"id": new.pop("user_id"), "session": new.pop("session_id")}
        del new["timestamp"]
        lines.append(json.dumps(new))
    lines += [lines[7], "{broken"]  # a duplicate, and what is no JSON
    return gzip.compress("\n".join(lines).encode())


def write_logs(directory: Path) -> None:
    for part in ("2016", "2020", "2026"):
        (directory / part).mkdir(parents=True)
    (directory / "2016" / "events.csv").write_bytes(old_csv())
    (directory / "2020" / "events.jsonl.gz").write_bytes(old_lines())
    rows = [made("columns", number) for number in range(PARQUET_ROWS + 10)]
    pq.write_table(pa.Table.from_pylist(rows), directory / "2026" / "events.parquet", row_group_size=30)


@pytest.fixture(scope="module")
def imported(servers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stream, list[dict[str, Any]]]]:
    """The stream, and the results of: a preview, a killed import that was resumed, the same again, and all again."""
    for stream in made_stream(servers, tmp_path_factory.mktemp("project")):
        live = PipelineProcess(stream.name, servers.home.root, stream.project.root)
        try:
            first = PARQUET_ROWS - 40
            stream.publish(*(json.dumps(made("columns", first + number)).encode() for number in range(LIVE)))
            live.wait_for(LIVE)
            logs = tmp_path_factory.mktemp("logs")
            write_logs(logs)
            mapping = logs.parent / f"{stream.name}.yaml"
            mapping.write_text(yaml.safe_dump({"stream": stream.name, "eras": ERAS}, sort_keys=False))
            arguments = (stream.name, logs, "--mapping", mapping, "--rows", 35)
            preview = run(stream, "files", *arguments, "--dry-run")
            before = len(stream.rows("raw"))
            assert before == LIVE
            kill_after(stream, 4, "files", *arguments)
            results = [preview, run(stream, "files", *arguments), run(stream, "files", *arguments)]
            results.append(run(stream, "files", *arguments, "--again"))
            yield stream, results
        finally:
            live.stop()


Imported = tuple[Stream, list[dict[str, Any]]]

NEW = CSV_ROWS - 3 + LINES + PARQUET_ROWS - 40
READ = CSV_ROWS + LINES + 2 + PARQUET_ROWS + 10


def counts(result: dict[str, Any]) -> dict[str, Any]:
    return {name: result[name] for name in ("read", "raw", "dead", "duplicates", "outside")}


def test_a_preview_writes_nothing_and_counts_what_would_be_read(imported: Imported) -> None:
    preview = imported[1][0]
    assert counts(preview) == {"read": READ, "raw": NEW + 41, "dead": 4, "duplicates": 0, "outside": 10}
    assert preview["reasons"] == {"not_allowed": 3, "malformed_json": 1}


def test_an_import_goes_on_where_it_was_killed(imported: Imported) -> None:
    result = imported[1][1]
    assert result["resumed"]
    assert counts(result) == {"read": READ, "raw": NEW, "dead": 4, "duplicates": 41, "outside": 10}


def test_every_event_is_there_once(imported: Imported) -> None:
    stream, _ = imported
    for role in ("raw", "anonymized"):
        tokens = Counter(row["event_token"] for row in stream.rows(role, "event_token"))
        assert len(tokens) == NEW + LIVE
        assert set(tokens.values()) == {1}
    assert Counter(row["reason"] for row in stream.rows("dead")) == {"not_allowed": 3, "malformed_json": 1}


def test_a_second_import_reads_no_file_again(imported: Imported) -> None:
    assert counts(imported[1][2]) == {"read": 0, "raw": 0, "dead": 0, "duplicates": 0, "outside": 0}


def test_reading_all_again_finds_everything_there(imported: Imported) -> None:
    result = imported[1][3]
    assert counts(result) == {"read": READ, "raw": 0, "dead": 4, "duplicates": NEW + 41, "outside": 10}


def test_anonymized_rows_keep_the_date_of_the_event(imported: Imported) -> None:
    stream, _ = imported
    days = Counter(row["event_time"].date().isoformat() for row in stream.rows("anonymized", "event_time"))
    assert days == {"2016-12-31": 117, "2020-02-28": 150, "2026-01-15": 60 + LIVE}
    today = Counter(row["receive_time"].year for row in stream.rows("raw", "receive_time"))
    assert set(today) == {datetime.now(UTC).year}


def test_old_events_have_the_conversions_of_their_era(imported: Imported) -> None:
    stream, _ = imported
    (row,) = (row for row in stream.rows("raw") if row["event_id"] == made("csv", 5)["event_id"])
    assert (row["event_type"], row["device"]["type"], row["timestamp"].isoformat()) == (
        "page_view",
        "ios",
        "2016-12-31T12:00:05+00:00",
    )
    assert row["user_id"] == made("csv", 5)["user_id"]


def test_the_archive_has_every_anonymized_row_once_after_a_kill(imported: Imported) -> None:
    stream, _ = imported
    files = (stream.servers.home.root / "archive" / stream.name).glob("date=*/hour=*/*.parquet")
    archived = Counter(token for file in files for token in pl.read_parquet(file)["event_token"])
    wanted = Counter(row["event_token"] for row in stream.rows("anonymized", "event_token"))
    missing = wanted - archived
    assert set((archived - wanted).values()) == set()
    assert len(missing) <= LIVE  # the stream's own pipeline still runs, and gathers for a minute
    assert not set(missing) & imported_tokens(stream)


def imported_tokens(stream: Stream) -> set[str]:
    rows = stream.rows("anonymized", "event_token, batch_id")
    return {row["event_token"] for row in rows if row["batch_id"].startswith("import-")}


def test_an_import_tells_the_metrics_of_a_pipeline(imported: Imported, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, _ = imported
    texts: list[str] = []
    close = Observer.close

    def closing(observer: Observer) -> None:
        recorder = observer.telemetry.recorder
        assert isinstance(recorder, PrometheusRecorder)
        texts.append(recorder.text().decode())
        assert observer.health.readyz() == (True, {"committing": "ok"})
        close(observer)

    monkeypatch.setattr(Observer, "close", closing)
    directory = stream.project.root / "more"
    directory.mkdir()
    lines = [*(json.dumps(made("columns", 500 + number)) for number in range(5)), "{broken"]
    (directory / "more.jsonl").write_text("\n".join(lines))
    run(stream, "files", stream.name, directory, "--metrics-port", "0")
    found = dict(
        line.split()
        for line in texts[0].replace('stream="' + stream.name + '"', "").replace(",", "").splitlines()
        if line.startswith(("noren_input_total", "noren_raw", "noren_dead", "noren_stage_duration_seconds_count"))
    )
    assert {name: float(value) for name, value in found.items()} == {
        "noren_input_total{}": 6,
        "noren_raw_total{}": 5,
        'noren_dead_total{reason="malformed_json"}': 1,
        'noren_stage_duration_seconds_count{stage="anonymize"}': 1,
        'noren_stage_duration_seconds_count{stage="stage"}': 1,
        'noren_stage_duration_seconds_count{stage="output"}': 1,
        'noren_stage_duration_seconds_count{stage="commit"}': 2,
        'noren_stage_duration_seconds_count{stage="acknowledge"}': 2,
    }
