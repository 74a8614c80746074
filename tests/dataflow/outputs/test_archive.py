"""The archive: Parquet by date and hour, each run once."""

import datetime
from pathlib import Path

import polars as pl
import pytest

from dataflow.objects import LocalObjects
from dataflow.outputs.archive import Archive
from dataflow.outputs.base import Run, StagedEntry

NOON = datetime.datetime(2026, 1, 15, 12, 30, tzinfo=datetime.UTC)


def entry(number: int, *hours: int | None, **more: str) -> StagedEntry:
    times = [None if hour is None else NOON + datetime.timedelta(hours=hour) for hour in hours]
    rows = pl.DataFrame(
        {"event_token": [f"{number}-{row}" for row in range(len(hours))], "receive_time": times},
        schema_overrides={"receive_time": pl.Datetime("us", "UTC")},
    )
    return StagedEntry(number, "3", {"anonymized": rows.with_columns(**{k: pl.lit(v) for k, v in more.items()})})


def run(*entries: StagedEntry) -> Run:
    return Run("j0", entries[0].number, entries[-1].number, entries)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(LocalObjects(tmp_path), "app_event")


def tokens(path: Path) -> dict[str, list[tuple[str, int, int]]]:
    return {
        str(file.relative_to(path)): pl.read_parquet(file, hive_partitioning=False)
        .select("event_token", "entry", "row")
        .rows()
        for file in sorted(path.rglob("*.parquet"))
    }


def test_rows_lie_by_date_and_hour_with_their_entry_and_row(archive: Archive, tmp_path: Path) -> None:
    archive.put(run(entry(7, 0, 12, None), entry(8, 0)))
    name = "j0-000000000007-000000000008.parquet"
    assert tokens(tmp_path) == {
        f"app_event/date=2026-01-15/hour=12/{name}": [("7-0", 7, 0), ("8-0", 8, 0)],
        f"app_event/date=2026-01-16/hour=00/{name}": [("7-1", 7, 1)],
        f"app_event/date=none/hour=none/{name}": [("7-2", 7, 2)],
    }


def test_a_run_that_comes_again_changes_nothing(archive: Archive, tmp_path: Path) -> None:
    archive.put(run(entry(7, 0, 12)))
    before = tokens(tmp_path)
    next(iter(tmp_path.rglob("*hour=00/*.parquet"))).unlink()  # as a crash between the two would leave it
    archive.put(run(entry(7, 0, 12)))
    assert tokens(tmp_path) == before


def test_entries_of_two_versions_share_a_file(archive: Archive, tmp_path: Path) -> None:
    archive.put(run(entry(1, 0), entry(2, 0, color="red")))
    (file,) = tmp_path.rglob("*.parquet")
    assert pl.read_parquet(file, hive_partitioning=False)["color"].to_list() == [None, "red"]


def test_a_run_without_rows_leaves_no_file(archive: Archive, tmp_path: Path) -> None:
    archive.put(run(entry(1)))
    assert list(tmp_path.iterdir()) == []
