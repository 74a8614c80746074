"""Files as a source: the same event from every format, exact refusals, and going on from any place."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from dataflow.contract import Contract
from dataflow.core.rejects import Reason
from dataflow.errors import NorenError
from dataflow.keys import KeyRing
from dataflow.sources.bounded import Chunk
from dataflow.sources.files import FileFormat, FileSource, find
from tests.dataflow.cases import event

NEVER = lambda _: False  # noqa: E731


@pytest.fixture
def source(app_event: Contract, keys: KeyRing) -> Any:
    def make(*paths: Path, most_rows: int = 50_000, format: FileFormat | None = None) -> FileSource:
        return FileSource(app_event, find(paths, format)[0], keys.token_key("ingest", 0), most_rows=most_rows)

    return make


def events(chunks: list[Chunk]) -> list[Any]:
    return [json.loads(row.data) for chunk in chunks for row in chunk.rows]


def refusals(chunks: list[Chunk]) -> list[tuple[Reason, str]]:
    return [(row.refusal.reason, row.refusal.words) for chunk in chunks for row in chunk.rows if row.refusal]


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    text = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    if path.suffix == ".gz":
        text = gzip.compress(text)
    if path.suffix == ".zst":  # two frames, as `cat a.zst b.zst` makes them
        lines = text.splitlines(keepends=True)
        text = b"".join(zstandard.compress(b"".join(part)) for part in (lines[:1], lines[1:]))
    path.write_bytes(text)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson.gz", "a.jsonl.zst"])
def test_json_lines_are_events_as_they_stand(source: Any, tmp_path: Path, name: str) -> None:
    rows = [event(1), event(2)]
    chunks = list(source(written(tmp_path / name, rows)).read("", NEVER))
    assert events(chunks) == rows
    assert [len(chunk.finished) for chunk in chunks] == [1]


def test_cells_of_csv_get_the_types_that_the_contract_declares(source: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "event_id,timestamp,device.type,location.latitude,location.longitude,properties.page_name,extra\n"
        '1,2024-01-15T10:30:00Z,ios,35.5,139,"a ""page"",\nof two lines",\n'
        "2,2024-01-15T10:30:00Z,ios,east,,,x\n"
    )
    assert events(list(source(path).read("", NEVER))) == [
        {
            "event_id": "1",
            "timestamp": "2024-01-15T10:30:00Z",
            "device": {"type": "ios"},
            "location": {"latitude": 35.5, "longitude": 139.0},
            "properties": {"page_name": 'a "page",\nof two lines'},
        },
        {
            "event_id": "2",
            "timestamp": "2024-01-15T10:30:00Z",
            "device": {"type": "ios"},
            "location": {"latitude": "east"},
            "extra": "x",
        },
    ]


def test_a_bad_record_of_csv_is_refused_alone(source: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'event_id,user_id\n1,a,b\n2,\xff\n3,x\n4,"a"b\n5,y\n')
    chunks = list(source(path).read("", NEVER))
    assert refusals(chunks) == [
        (Reason.WRONG_LENGTH, "has 3 cells, the header names 2 columns"),
        (Reason.INVALID_UTF8, "is no valid UTF-8"),
        (Reason.INVALID_FORMAT, "is no record of CSV: quotes"),
    ]
    good = [json.loads(row.data)["event_id"] for row in chunks[0].rows if row.refusal is None]
    assert good == ["3", "5"]


def test_parquet_gives_nested_events_with_times_in_text(source: Any, tmp_path: Path) -> None:
    import datetime
    import decimal

    moment = datetime.datetime(2024, 1, 15, 10, 30, 0, 123456, datetime.UTC)
    table = pa.table(
        {
            "event_id": ["1", "2"],
            "timestamp": pa.array([moment, moment], pa.timestamp("ns", "UTC")),
            "device": [{"type": "ios", "os_version": None}, None],
            "price": [decimal.Decimal("1.50"), None],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=1)
    time = "2024-01-15T10:30:00.123456Z"
    assert events(list(source(tmp_path / "a.parquet").read("", NEVER))) == [
        {"event_id": "1", "timestamp": time, "device": {"type": "ios", "os_version": None}, "price": 1.5},
        {"event_id": "2", "timestamp": time},
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.parquet"])
def test_reading_goes_on_behind_any_checkpoint(source: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    rows = [{"event_id": str(number)} for number in range(10)]
    if name.endswith(".csv"):
        path.write_text("event_id\n" + "".join(f"{row['event_id']}\n" for row in rows))
    elif name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=4)
    else:
        written(path, rows)
    files = source(path, most_rows=3)
    chunks = list(files.read("", NEVER))
    assert [len(chunk.rows) for chunk in chunks] == [3, 3, 3, 1]
    for number, chunk in enumerate(chunks):
        rest = list(files.read(chunk.checkpoint, NEVER))
        assert [row.position for c in rest for row in c.rows] == [
            row.position for c in chunks[number + 1 :] for row in c.rows
        ]


def test_a_finished_file_is_not_read_again_until_it_changes(source: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [event(1)])
    (first,) = source(path).read("", NEVER)
    done = set(first.finished)
    assert events(list(source(path).read("", done.__contains__))) == []
    written(path, [event(1), event(2)])
    assert events(list(source(path).read("", done.__contains__))) == [event(1), event(2)]


def test_a_position_names_the_row_and_its_content_and_shows_neither(source: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "alice.jsonl", [{"user_id": "alice"}, {"user_id": "bob"}])
    (before,) = source(path).read("", NEVER)
    written(path, [{"user_id": "alice"}, {"user_id": "eve"}, {"user_id": "new"}])
    (after,) = source(path).read("", NEVER)
    assert [a.position == b.position for a, b in zip(after.rows, before.rows, strict=False)] == [True, False]
    for row in after.rows:
        assert not any(word in row.position + row.label for word in ("alice", "bob", "eve", "new"))


def test_a_directory_is_searched_and_what_is_no_log_is_passed_over(source: Any, tmp_path: Path) -> None:
    (tmp_path / "2024").mkdir()
    for name in ("2024/b.jsonl", "a.csv", "notes.txt", "_SUCCESS", ".hidden.jsonl"):
        (tmp_path / name).write_text("")
    found, ignored = find([tmp_path])
    assert [file.path.relative_to(tmp_path).as_posix() for file in found] == ["2024/b.jsonl", "a.csv"]
    assert [path.name for path in ignored] == ["notes.txt"]


def test_a_broken_file_says_how_far_it_was_read(source: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl.gz", [event(number) for number in range(1_000)])
    path.write_bytes(path.read_bytes()[:-2_000])
    chunks: list[Chunk] = []
    with pytest.raises(NorenError, match=r"a\.jsonl\.gz: its compression is broken behind record \d+; get the file"):
        chunks.extend(source(path, most_rows=10).read("", NEVER))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a.txt", r"its name does not say what it holds; give --format jsonl, csv or parquet\."),
        ("gone.jsonl", r"cannot be read: No such file or directory\."),
    ],
)
def test_what_cannot_be_read_is_said_before_anything_is(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(NorenError, match=sentence):
        find([tmp_path / name])
