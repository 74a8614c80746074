"""Commit groups: everything that waits in one write a table, then acknowledged; a second writer stops it."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from dataflow.contract import Contract
from dataflow.errors import NorenError
from dataflow.journal import Entry, Journal, Taken
from dataflow.keys import KeyRing
from dataflow.objects import LocalObjects
from dataflow.operators.deduplicate import HORIZON, HOUR, Index
from dataflow.policy import Policy
from dataflow.pull import commit
from dataflow.pull.commit import Committer
from dataflow.pull.stage import Staged
from dataflow.schemas import Table, tables
from dataflow.sources.message import texts
from dataflow.telemetry.catalogue import Stage

ROLES = ("raw", "anonymized", "dead", "unknown")


class Sink:
    """Takes the rows instead of BigQuery, or refuses them."""

    def __init__(self) -> None:
        self.written: dict[str, list[tuple[str, int]]] = {}
        self.recovered: set[tuple[str, str]] = set()
        self.open = threading.Event()
        self.open.set()
        self.refusal: Exception | None = None

    def ensure(self, table: Table) -> None: ...

    def close(self) -> None: ...

    def recover(self, table: Table, batch_id: str) -> bool:
        return (table.dataset.partition("__")[0], batch_id[-2:]) in self.recovered

    def write(self, table: Table, rows: pl.DataFrame, batch_id: str) -> None:
        self.open.wait(10)
        if self.refusal is not None:
            raise self.refusal
        self.written.setdefault(table.dataset.partition("__")[0], []).append((batch_id[-2:], rows.height))


class Parts:
    """A committer and what it stands between."""

    def __init__(self, directory: Path, keys: KeyRing, tables: dict[str, Table]) -> None:
        self.sealer, self.directory, self.tables = keys.sealer("journal"), directory, tables
        self.sink = Sink()
        self.acknowledged: list[str] = []
        self.journal = self.opened()
        self.committer = Committer(self.journal, self.sink, tables, self.acknowledged.extend)

    def opened(self) -> Journal:
        return Journal(LocalObjects(self.directory), self.sealer, "shard")

    def entry(self, rows: int) -> Entry:
        frames = {
            role: pl.DataFrame(schema={k: v for k, v in self.tables[role].polars().items() if k != "batch_id"})
            for role in ROLES
        }
        for role in ("raw", "anonymized") if rows else ():
            frames[role] = frames[role].clear(rows)
        return Entry(Index.of([(f"t{rows}", f"p{rows}", 1)]), frames)

    def staged(self, rows: int, ack_id: str) -> Staged:
        entry = self.entry(rows)
        return Staged(self.journal.stage(entry), entry, texts([ack_id]), self.tables)


@pytest.fixture
def parts(tmp_path: Path, keys: KeyRing, app_event: Contract, policy: Policy) -> Iterator[Parts]:
    parts = Parts(tmp_path, keys, tables(app_event, policy))
    yield parts
    parts.sink.open.set()


def test_what_waits_together_is_written_together_and_then_acknowledged(parts: Parts) -> None:
    parts.sink.open.clear()
    parts.committer.start()
    parts.committer.put(parts.staged(1, "a"))
    while parts.committer._waiting.qsize():  # the first is being written now
        threading.Event().wait(0.01)
    for rows, ack_id in ((2, "b"), (3, "c")):
        parts.committer.put(parts.staged(rows, ack_id))
    assert (parts.acknowledged, parts.committer.idle()) == ([], False)
    parts.sink.open.set()
    parts.committer.finish()
    assert parts.sink.written == {"raw": [("00", 1), ("01", 5)], "anonymized": [("00", 1), ("01", 5)]}
    assert (parts.acknowledged, parts.committer.committed) == (["a", "b", "c"], 3)
    assert parts.opened().uncommitted_groups() == []


def test_a_group_that_is_not_full_waits_for_company(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "GATHER_SECONDS", 60.0)
    parts.committer.start()
    parts.committer.put(parts.staged(1, "a"))
    while not parts.committer.idle():  # nothing was written before: the first does not wait
        threading.Event().wait(0.001)
    for rows, ack_id in ((2, "b"), (3, "c")):
        parts.committer.put(parts.staged(rows, ack_id))
        threading.Event().wait(0.05)
    assert parts.sink.written["raw"] == [("00", 1)]
    parts.committer.finish()
    assert parts.sink.written["raw"] == [("00", 1), ("01", 5)]


def test_what_the_horizon_passed_is_forgotten_while_it_runs(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "FORGET_SECONDS", 0.0)
    monkeypatch.setattr(commit, "GATHER_SECONDS", 0.0)
    parts.committer.start()
    for day in range(40):
        entry = replace(parts.entry(1), index=Index.of([(f"t{day}", f"p{day}", 1 + day * 24 * HOUR)]))
        parts.committer.put(Staged(parts.journal.stage(entry), entry, texts([]), parts.tables))
        while not parts.committer.idle():
            threading.Event().wait(0.001)
    parts.committer.finish()
    kept = [number for number, _ in parts.opened().indexes()]
    assert kept == list(range(40 - 1 - HORIZON // (24 * HOUR), 40))


def test_a_batch_without_news_is_acknowledged_after_what_came_before(parts: Parts) -> None:
    parts.committer.start()
    parts.committer.put(parts.staged(1, "a"))
    parts.committer.put(Staged(None, parts.entry(0), texts(["again"]), parts.tables))
    parts.committer.finish()
    assert parts.acknowledged == ["a", "again"]
    assert parts.sink.written["raw"] == [("00", 1)]


def test_a_failed_write_is_neither_committed_nor_acknowledged_and_stops_it(parts: Parts) -> None:
    parts.sink.refusal = NorenError("refused")
    parts.committer.start()
    parts.committer.put(parts.staged(1, "a"))
    with pytest.raises(NorenError, match=r"^refused$"):
        parts.committer.finish()
    with pytest.raises(NorenError, match=r"^refused$"):
        parts.committer.put(parts.staged(2, "b"))
    assert parts.acknowledged == []
    assert [group.first for group in parts.opened().uncommitted_groups()] == [0]


class Trace:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def span(self, stage: Stage, started: int, ended: int, **attributes: str | int) -> None:
        assert started <= ended
        self.told.append((stage.value, attributes))

    def end(self, error: BaseException | None = None) -> None:
        self.told.append(type(error))


def test_a_batchs_trace_ends_with_its_acknowledgement_and_names_the_batch_id(parts: Parts) -> None:
    trace = Trace()
    parts.committer.start()
    parts.committer.put(replace(parts.staged(1, "a"), trace=trace))
    parts.committer.finish()
    assert trace.told == [
        ("commit", {"batch_id": f"{parts.journal.id}-00000000"}),
        ("acknowledge", {}),
        type(None),
    ]


def test_the_trace_of_a_batch_that_fails_ends_with_the_error(parts: Parts) -> None:
    trace = Trace()
    parts.sink.refusal = NorenError("refused")
    parts.committer.start()
    parts.committer.put(replace(parts.staged(1, "a"), trace=trace))
    with pytest.raises(NorenError):
        parts.committer.finish()
    assert trace.told == [("commit", {"batch_id": f"{parts.journal.id}-00000000"}), NorenError]


def test_what_an_earlier_process_grouped_is_written_under_that_id_and_the_rest_under_the_next(parts: Parts) -> None:
    earlier = parts.opened()
    for rows in (1, 2, 3, 4):
        earlier.stage(parts.entry(rows))
    earlier.group(0, 1)
    later = Parts(parts.directory, _Keys(parts), parts.tables)  # type: ignore[arg-type]
    later.committer.recover()
    assert later.sink.written["raw"] == [("00", 3), ("01", 7)]
    assert (later.acknowledged, later.committer.committed) == ([], 4)
    assert (parts.opened().uncommitted_groups(), list(parts.opened().ungrouped())) == ([], [])


def test_what_a_table_has_of_a_group_is_not_written_again(parts: Parts) -> None:
    earlier = parts.opened()
    for rows in (1, 2):
        earlier.stage(parts.entry(rows))
    earlier.group(0, 0)
    later = Parts(parts.directory, _Keys(parts), parts.tables)  # type: ignore[arg-type]
    later.sink.recovered = {("raw", "00"), ("anonymized", "01")}
    later.committer.recover()
    assert later.sink.written == {"raw": [("01", 2)], "anonymized": [("00", 1), ("01", 2)]}
    assert parts.opened().uncommitted_groups() == []


def test_a_second_writer_of_the_journal_stops_it_and_nothing_is_lost(parts: Parts) -> None:
    first = parts.staged(1, "a")
    other = parts.opened()
    other.stage(parts.entry(2))
    with pytest.raises(Taken):
        parts.staged(3, "c")
    with pytest.raises(NorenError, match=r"^shard: another process writes this journal too; stop it\.$"):
        parts.staged(3, "c")
    parts.committer.put(first)
    parts.committer.start()
    with pytest.raises(NorenError, match=r"^shard: another process writes this journal too; stop it\.$"):
        parts.committer.finish()
    assert (parts.acknowledged, parts.sink.written) == ([], {})
    later = Parts(parts.directory, _Keys(parts), parts.tables)  # type: ignore[arg-type]
    later.committer.recover()
    assert later.sink.written["raw"] == [("00", 1), ("01", 5)]


def test_a_slow_sink_slows_down_who_stages(
    tmp_path: Path, keys: KeyRing, app_event: Contract, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataflow.pull.commit.MOST_WAITING", 1)
    parts = Parts(tmp_path, keys, tables(app_event, policy))
    parts.sink.open.clear()
    parts.committer.start()
    batches = [parts.staged(number, str(number)) for number in range(1, 5)]
    putter = threading.Thread(target=lambda: [parts.committer.put(batch) for batch in batches])
    putter.start()
    putter.join(0.7)
    assert putter.is_alive()
    parts.sink.open.set()
    putter.join(10)
    parts.committer.finish()
    assert parts.acknowledged == ["1", "2", "3", "4"]


class _Keys:
    """The same keys, for a second set of parts."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def sealer(self, _: str) -> object:
        return self._parts.sealer


def test_large_rows_wait_for_the_sink_however_few_they_are(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataflow.pull.commit.MOST_WAITING_BYTES", 0)
    parts.sink.open.clear()
    parts.committer.start()
    batches = [parts.staged(number, str(number)) for number in (1, 2, 3)]
    putter = threading.Thread(target=lambda: [parts.committer.put(batch) for batch in batches])
    putter.start()
    putter.join(0.7)
    assert (putter.is_alive(), parts.committer.waiting) == (True, 1)
    parts.sink.open.set()
    putter.join(10)
    parts.committer.finish()
    assert parts.acknowledged == ["1", "2", "3"]
