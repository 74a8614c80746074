"""Outputs: every staged entry once at least, in order, whatever dies on the way; rows stay until all have them."""

import threading
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from dataflow.errors import NorenError
from dataflow.journal import Entry, Journal
from dataflow.keys import KeyRing
from dataflow.objects import LocalObjects
from dataflow.operators.index import Index
from dataflow.outputs.base import Run
from dataflow.pull import distribute
from dataflow.pull.distribute import Distributor
from dataflow.telemetry.catalogue import Stage


class Crash(BaseException):
    """SIGKILL, as far as the code can see."""


class Crashing(LocalObjects):
    """Dies before the step that `survives` says."""

    survives = 1 << 30

    def step(self) -> None:
        self.survives -= 1
        if self.survives < 0:
            raise Crash

    def create(self, name: str, data: bytes) -> bool:
        self.step()
        return super().create(name, data)

    def delete(self, name: str) -> None:
        self.step()
        super().delete(name)


class Remembering:
    """Remembers what it was given, over crashes."""

    most_bytes = 1 << 30

    def __init__(self, name: str, seconds: float = 0.0) -> None:
        self.name, self.seconds = name, seconds
        self.roles = ("anonymized",)
        self.runs: list[tuple[int, int, list[int]]] = []
        self.open = threading.Event()
        self.open.set()
        self.steps: Callable[[], None] = lambda: None

    def put(self, run: Run) -> None:
        self.open.wait(10)
        self.steps()
        self.runs.append((run.first, run.last, [entry.number for entry in run.entries]))
        self.steps()

    def close(self) -> None: ...


def entry(number: int) -> Entry:
    rows = pl.DataFrame({"event_token": [f"t{number}"], "policy_version": ["3"]})
    return Entry(Index.of([(f"t{number}", f"p{number}", number)]), {"raw": rows, "anonymized": rows})


@pytest.fixture
def objects(tmp_path: Path) -> Crashing:
    return Crashing(tmp_path)


@pytest.fixture
def opened(objects: Crashing, keys: KeyRing) -> Callable[[], Journal]:
    return lambda: Journal(objects, keys.sealer("journal"), "shard")


Opened = Callable[[], Journal]


def stage(journal: Journal, distributor: Distributor, *numbers: int) -> None:
    for number in numbers:
        assert journal.stage(entry(number)) == number
        distributor.put(number, entry(number))


def started(journal: Journal, *outputs: Remembering) -> Distributor:
    distributor = Distributor(journal, outputs)
    distributor.recover()
    distributor.start()
    return distributor


def test_each_entry_is_put_out_at_once_and_in_order(opened: Opened) -> None:
    journal, output = opened(), Remembering("one")
    distributor = started(journal, output)
    stage(journal, distributor, 0, 1, 2)
    distributor.finish()
    assert (output.runs, distributor.idle()) == ([(n, n, [n]) for n in range(3)], True)


def test_an_output_that_gathers_gets_runs(opened: Opened) -> None:
    journal, output = opened(), Remembering("one", seconds=60)
    distributor = started(journal, output)
    stage(journal, distributor, 0, 1, 2)
    assert not distributor.idle()
    distributor.finish()
    assert output.runs == [(0, 2, [0, 1, 2])]


def test_a_run_is_put_out_when_it_is_large_enough_or_waited_long_enough(opened: Opened) -> None:
    journal, output = opened(), Remembering("one", seconds=0.05)
    distributor = started(journal, output)
    stage(journal, distributor, 0)
    while not distributor.idle():
        threading.Event().wait(0.01)
    output.seconds, output.most_bytes = 60, 1
    stage(journal, distributor, 1, 2)
    while not distributor.idle():
        threading.Event().wait(0.01)
    distributor.finish()
    assert output.runs == [(0, 0, [0]), (1, 1, [1]), (2, 2, [2])]


def test_each_output_is_a_span_of_the_batches_in_its_run(opened: Opened) -> None:
    class Spans:
        def __init__(self) -> None:
            self.outputs: list[tuple[Stage, object]] = []

        def span(self, stage: Stage, _started: int, _ended: int, **attributes: str | int) -> None:
            self.outputs.append((stage, attributes["output"]))

        def end(self, error: BaseException | None = None) -> None: ...

    journal, first, second = opened(), Spans(), Spans()
    distributor = started(journal, Remembering("each"), Remembering("gathered", seconds=60))
    for trace in (first, second):
        distributor.put(journal.stage(entry(0)), entry(0), trace)
    distributor.finish()
    wanted = [(Stage.OUTPUT, "each"), (Stage.OUTPUT, "gathered")]
    assert (sorted(first.outputs), sorted(second.outputs)) == (wanted, wanted)


def test_rows_stay_until_every_output_has_them(opened: Opened) -> None:
    journal, fast, slow = opened(), Remembering("fast"), Remembering("slow", seconds=60)
    distributor = started(journal, fast, slow)
    stage(journal, distributor, 0, 1)
    journal.commit(journal.group(0, 1))
    assert journal.kept(-1) == [0, 1]
    distributor.finish()
    assert journal.kept(-1) == []


def test_an_output_that_is_new_gets_what_is_still_there(opened: Opened) -> None:
    journal, old = opened(), Remembering("old", seconds=60)
    distributor = started(journal, old)
    stage(journal, distributor, 0, 1)
    journal.commit(journal.group(0, 0))
    again = opened()
    new = Remembering("new")
    distributor = started(again, new)
    stage(again, distributor, 2)
    distributor.finish()
    assert new.runs == [(n, n, [n]) for n in range(3)]


def test_a_slow_output_slows_down_who_stages(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribute, "MOST_QUEUED_BYTES", 1)
    journal, output = opened(), Remembering("one")
    output.open.clear()
    distributor = started(journal, output)
    putter = threading.Thread(target=stage, args=(journal, distributor, 0, 1, 2, 3))
    putter.start()
    putter.join(0.5)
    assert putter.is_alive()
    output.open.set()
    putter.join(10)
    distributor.finish()
    assert [run[0] for run in output.runs] == [0, 1, 2, 3]


def test_what_an_output_dies_of_is_raised_where_entries_are_handed_over(opened: Opened) -> None:
    journal, output = opened(), Remembering("one")

    def refuse() -> None:
        raise NorenError("refused")

    output.steps = refuse
    distributor = started(journal, output)
    distributor.put(0, entry(0))
    with pytest.raises(NorenError, match=r"^refused$"):
        distributor.finish()
    with pytest.raises(NorenError, match=r"^refused$"):
        distributor.put(1, entry(1))


@pytest.mark.parametrize("survives", range(1, 32, 2))
def test_a_crash_between_any_two_steps_loses_nothing_and_a_gathered_run_keeps_its_bounds(
    objects: Crashing, opened: Opened, monkeypatch: pytest.MonkeyPatch, survives: int
) -> None:
    monkeypatch.setattr(distribute, "RECORD_SECONDS", 0)
    each, gathered = Remembering("each"), Remembering("gathered", seconds=60)
    staged = 0

    def work(journal: Journal) -> None:
        """A process: what it found is put out, then two more entries are staged, committed and put out."""
        nonlocal staged
        for output in (each, gathered):
            output.steps = objects.step
        distributor = Distributor(journal, [each, gathered])
        distributor.recover()
        for group in journal.uncommitted_groups():
            journal.commit(group)
        if rest := journal.ungrouped():
            journal.commit(journal.group(rest[0], rest[-1]))
        journal.clean(1 << 40)
        distributor.start()
        try:
            first = journal.next_entry
            for number in (first, first + 1):
                journal.stage(entry(number))
                staged = number + 1
                distributor.put(number, entry(number))
            journal.commit(journal.group(first, first + 1))
        finally:
            distributor.finish()

    def opening() -> Journal:
        return opened()

    opened()  # the identity exists
    objects.survives = survives
    for _ in range(2):
        try:
            work(opening())
        except Crash:
            objects.survives = 1 << 30
            staged = max(staged, opened().next_entry)
            work(opening())
    for output in (each, gathered):
        numbers = [number for run in output.runs for number in run[2]]
        assert set(numbers) == set(range(staged))
        firsts = [run[0] for run in output.runs]
        assert firsts == sorted(firsts)
    bounds = sorted({(first, last, tuple(numbers)) for first, last, numbers in gathered.runs})
    assert [number for run in bounds for number in run[2]] == list(range(staged))
    assert opened().kept(-1) == []
