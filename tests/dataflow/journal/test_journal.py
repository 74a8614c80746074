"""The journal: entries exist at once or not at all, groups keep their recorded bounds, nothing in it is readable."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from dataflow.errors import NorenError
from dataflow.journal import Entry, Journal, Taken, folds
from dataflow.journal.folds import Fold
from dataflow.journal.journal import concatenate
from dataflow.keys import KeyRing, Sealer
from dataflow.objects import LocalObjects
from dataflow.operators.deduplicate import HORIZON, Deduplicator, Events, Index, Verdict
from dataflow.operators.index import joined
from dataflow.operators.state import Changes

NOW = 1_768_471_200_000_000
SECRET = "ana@example.com"


class Crash(BaseException):
    """SIGKILL, as far as the code can see."""


class Crashing(LocalObjects):
    """Dies before the operation that `when` picks."""

    when: Callable[[str, str], bool] = staticmethod(lambda *_: False)

    def create(self, name: str, data: bytes) -> bool:
        if self.when("create", name):
            raise Crash
        return super().create(name, data)

    def delete(self, name: str) -> None:
        if self.when("delete", name):
            raise Crash
        super().delete(name)


@pytest.fixture(scope="session")
def sealer(keys: KeyRing) -> Sealer:
    return keys.sealer("journal")


@pytest.fixture
def objects(tmp_path: Path) -> Crashing:
    return Crashing(tmp_path)


@pytest.fixture
def opened(objects: Crashing, sealer: Sealer) -> Callable[[], Journal]:
    """The journal as another process opens it."""
    return lambda: Journal(objects, sealer, "shard")


def entry(number: int, received: int = NOW) -> Entry:
    rows = {
        "raw": pl.DataFrame({"user_id": [f"{SECRET}{number}"]}),
        "anonymized": pl.DataFrame({"user_id": [f"token{number}"]}),
        "dead": pl.DataFrame(schema={"reason": pl.String}),
    }
    return Entry(Index.of([(f"t{number}", f"p{number}", received)], [(f"d{number}", received)], []), rows)


def same(one: Entry, other: Entry) -> bool:
    """Roles without rows aside."""
    roles = {role for role, rows in (one.rows | other.rows).items() if not rows.is_empty()}
    return one.index == other.index and all(one.rows[role].equals(other.rows[role]) for role in roles)


def files(objects: LocalObjects, kind: str) -> list[str]:
    return [name.removeprefix(f"shard/{kind}/") for name in objects.names(f"shard/{kind}")]


def test_a_role_without_rows_is_not_kept(opened: Callable[[], Journal]) -> None:
    opened().stage(entry(0))
    assert opened().read(0).rows.keys() == {"raw", "anonymized"}


def test_entries_are_numbered_from_0_and_read_back_as_they_were(opened: Callable[[], Journal]) -> None:
    journal = opened()
    assert [journal.stage(entry(number)) for number in range(3)] == [0, 1, 2]
    assert [same(opened().read(number), entry(number)) for number in range(3)] == [True] * 3
    assert opened().stage(entry(3)) == 3


def test_its_id_stays_and_is_another_for_every_shard(
    objects: LocalObjects, sealer: Sealer, opened: Callable[[], Journal]
) -> None:
    assert opened().id == opened().id
    assert opened().id != Journal(objects, sealer, "other").id


def test_a_number_that_exists_wins_and_the_rest_goes_into_the_next(opened: Callable[[], Journal]) -> None:
    one, other = opened(), opened()
    one.stage(entry(1))
    with pytest.raises(Taken) as taken:
        other.stage(entry(2))
    assert (taken.value.number, taken.value.entry) == (0, Entry(entry(1).index))
    assert other.stage(entry(2)) == 1
    assert same(one.read(1), entry(2))


def test_a_number_that_was_taken_and_committed_meanwhile_still_tells_its_index(opened: Callable[[], Journal]) -> None:
    one, other = opened(), opened()
    one.stage(entry(1))
    one.commit(one.group(0, 0))
    with pytest.raises(Taken) as taken:
        other.stage(entry(2))
    assert (taken.value.number, taken.value.entry) == (0, Entry(entry(1).index))
    assert other.stage(entry(2)) == 1


def test_who_began_before_is_stopped_and_what_it_wrote_then_counts_for_nobody(
    objects: LocalObjects, opened: Callable[[], Journal]
) -> None:
    one = opened()
    one.stage(entry(0))
    other = opened()
    other.commit(other.group(0, 0))
    assert other.stage(entry(1)) == 1
    other.commit(other.group(1, 1))
    with pytest.raises(NorenError, match=r"^shard: another process writes this journal too; stop it\.$"):
        one.stage(entry(2))  # entry 1, whose number is free again
    again = opened()
    assert [number for number, _ in again.indexes()] == [0, 1]
    again.clean(HORIZON)
    assert (files(objects, "entries"), again.stage(entry(3))) == ([], 2)


def test_a_group_is_a_run_of_entries_with_an_id_of_its_own(opened: Callable[[], Journal]) -> None:
    journal = opened()
    for number in range(3):
        journal.stage(entry(number))
    one, two = journal.group(0, 1), journal.group(2, 2)
    assert [(group.number, group.first, group.last) for group in (one, two)] == [(0, 0, 1), (1, 2, 2)]
    assert [one.id, two.id] == [f"{journal.id}-00000000", f"{journal.id}-00000001"]


def test_bounds_that_are_recorded_win(opened: Callable[[], Journal]) -> None:
    one, other = opened(), opened()
    for number in range(3):
        one.stage(entry(number))
    assert one.group(0, 0) == other.group(0, 2) == one.uncommitted_groups()[0]
    assert other.group(1, 2).number == 1


def test_after_a_restart_the_recorded_groups_are_found_until_they_are_committed(opened: Callable[[], Journal]) -> None:
    journal = opened()
    for number in range(4):
        journal.stage(entry(number))
    first, second = journal.group(0, 1), journal.group(2, 2)
    again = opened()
    assert (again.uncommitted_groups(), list(again.ungrouped())) == ([first, second], [3])
    again.commit(first)
    assert (opened().uncommitted_groups(), list(opened().ungrouped())) == ([second], [3])
    assert opened().group(3, 3).number == 2


def test_a_committed_entry_keeps_its_index_and_no_rows(objects: LocalObjects, opened: Callable[[], Journal]) -> None:
    journal = opened()
    journal.stage(entry(0))
    journal.commit(journal.group(0, 0))
    assert list(opened().indexes()) == [(0, entry(0).index)]
    assert [files(objects, kind) for kind in ("entries", "groups")] == [[], []]
    with pytest.raises(NorenError, match="cannot be read"):
        opened().read(0)


def test_entries_past_the_horizon_are_let_go_with_their_group(
    objects: LocalObjects, opened: Callable[[], Journal]
) -> None:
    journal = opened()
    for number, received in enumerate((NOW - HORIZON - 2, NOW - HORIZON - 1, NOW - HORIZON, NOW)):
        journal.stage(entry(number, received))
        journal.commit(journal.group(number, number))
    journal.clean(HORIZON)
    assert [number for number, _ in opened().indexes()] == [2, 3]
    assert opened().stage(entry(4)) == 4


@pytest.mark.parametrize("survives", range(30))
def test_a_crash_anywhere_in_commits_and_folds_loses_nothing_and_doubles_nothing(
    objects: Crashing, opened: Callable[[], Journal], monkeypatch: pytest.MonkeyPatch, survives: int
) -> None:
    monkeypatch.setattr(folds, "FAN", 2)
    journal, step = opened(), 0
    for number in range(5):
        journal.stage(entry(number, NOW + number))

    def dies(*_: object) -> bool:
        nonlocal step
        step += 1
        return step > survives

    objects.when = dies
    with contextlib.suppress(Crash):
        for first, last in ((0, 1), (2, 2), (3, 3), (4, 4)):
            journal.commit(journal.group(first, last))
    objects.when = lambda *_: False
    again = opened()
    kept = {number: same(again.read(number), entry(number, NOW + number)) for number in again.kept(again.frontier)}
    again.clean(HORIZON)
    assert joined(index for _, index in again.indexes()) == joined(entry(n, NOW + n).index for n in range(5))
    assert kept == dict.fromkeys(range(again.frontier + 1, 5), True)
    for group in again.uncommitted_groups():
        again.commit(group)
    if len(again.ungrouped()):
        again.commit(again.group(again.ungrouped()[0], again.ungrouped()[-1]))
    assert joined(index for _, index in opened().indexes()) == joined(entry(n, NOW + n).index for n in range(5))
    assert [files(objects, kind) for kind in ("entries", "groups")] == [[], []]
    assert opened().stage(entry(9)) == 5


def test_folds_are_few_however_many_groups_were_committed(
    objects: LocalObjects, opened: Callable[[], Journal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folds, "FAN", 3)
    journal = opened()
    for number in range(26):
        journal.stage(entry(number, NOW + number))
        journal.commit(journal.group(number, number))
    assert [Fold.named(name).groups for name in files(objects, "indexes")] == [9, 9, 3, 3, 1, 1]
    assert [number for number, _ in opened().indexes()] == [8, 17, 20, 23, 24, 25]


def test_a_fold_is_no_larger_than_its_bound(
    objects: LocalObjects, opened: Callable[[], Journal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folds, "FAN", 2)
    monkeypatch.setattr(folds, "MOST_EVENTS", 4)  # an entry of these tests has two
    journal = opened()
    for number in range(5):
        journal.stage(entry(number))
        journal.commit(journal.group(number, number))
    assert [Fold.named(name).groups for name in files(objects, "indexes")] == [2, 2, 1]


def test_an_output_keeps_rows_until_it_has_them(objects: LocalObjects, opened: Callable[[], Journal]) -> None:
    journal = opened()
    journal.hold({"one": -1, "two": -1})
    for number in range(3):
        journal.stage(entry(number))
    journal.put_out("one", 2)
    journal.commit(journal.group(0, 1))
    assert journal.kept(-1) == [0, 1, 2]
    journal.put_out("two", 0)
    assert journal.kept(-1) == [1, 2]
    again = opened()
    again.hold({"one": 2, "two": 0})
    again.clean(HORIZON)
    assert (again.kept(-1), again.frontier, same(again.read(1), entry(1))) == ([1, 2], 1, True)
    again.put_out("two", 2)
    assert again.kept(-1) == [2]  # not committed


def test_state_of_operators_outlives_the_horizon(opened: Callable[[], Journal]) -> None:
    journal = opened()
    steps = (
        ({"o": Changes(added={1: [b"a"], 2: [b"b"]})}, NOW - 2 * HORIZON),
        ({"o": Changes([1], {3: [b"c"]}), "p": Changes(added={1: [b"d"]})}, NOW - 2 * HORIZON),
        ({}, NOW),
    )
    for number, (state, received) in enumerate(steps):
        journal.stage(replace(entry(number, received), state=state))
        journal.commit(journal.group(number, number))
    journal.clean(HORIZON)
    heads = [head for _, head in opened().heads()]
    assert [head.index for head in heads] == [entry(2, NOW).index]
    assert heads[0].state == {"o": Changes(added={2: [b"b"], 3: [b"c"]}), "p": Changes(added={1: [b"d"]})}


def test_where_a_source_goes_on_is_known_after_the_commit(opened: Callable[[], Journal]) -> None:
    journal = opened()
    for number in range(2):
        journal.stage(replace(entry(number), consumed=f"line {number}"))
        assert opened().consumed() == f"line {number}"
    journal.commit(journal.group(0, 1))
    assert opened().consumed() == "line 1"


def test_the_last_group_stays_however_old(opened: Callable[[], Journal]) -> None:
    journal = opened()
    journal.stage(entry(0, NOW - 2 * HORIZON))
    journal.commit(journal.group(0, 0))
    journal.stage(entry(1, NOW))
    journal.clean(HORIZON)
    assert list(opened().ungrouped()) == [1]


def test_what_is_not_committed_is_never_let_go(opened: Callable[[], Journal]) -> None:
    journal = opened()
    for number, received in enumerate((NOW - 2 * HORIZON, NOW - 2 * HORIZON, NOW)):
        journal.stage(entry(number, received))
    journal.group(0, 0)
    journal.clean(HORIZON)
    assert [same(opened().read(number), entry(number, NOW - 2 * HORIZON)) for number in (0, 1)] == [True, True]


def test_the_state_rebuilt_from_the_journal_is_the_state_before(opened: Callable[[], Journal]) -> None:
    journal, before = opened(), Deduplicator()
    for number in range(5):
        journal.stage(entry(number, NOW + number * 3_600_000_000))
        before.learn(entry(number, NOW + number * 3_600_000_000).index)
    journal.commit(journal.group(0, 2))
    after = Deduplicator()
    for _, index in opened().indexes():
        after.learn(index)
    asked = Events.of([f"p{n}" for n in range(6)], [NOW] * 6, [f"t{n}" for n in range(6)])
    assert (
        (after.items, after.sort_out(asked))
        == (before.items, before.sort_out(asked))
        == (5, Verdict([5], [], [*range(5)]))
    )


def test_no_value_can_be_read_from_any_file(tmp_path: Path, opened: Callable[[], Journal]) -> None:
    journal = opened()
    for number in range(3):
        journal.stage(entry(number))
    journal.commit(journal.group(0, 1))
    everything = b"".join(path.read_bytes() + str(path).encode() for path in tmp_path.rglob("*") if path.is_file())
    assert [word for word in (SECRET, "token1", "user_id", "reason") if word.encode() in everything] == []


def test_an_object_moved_to_another_name_does_not_open(objects: LocalObjects, opened: Callable[[], Journal]) -> None:
    opened().stage(entry(0))
    objects.create("shard/entries/000000000001", objects.read("shard/entries/000000000000"))
    with pytest.raises(NorenError, match="sealed for journal cannot be opened"):
        list(opened().indexes())


def test_without_the_key_nothing_opens(
    objects: LocalObjects, opened: Callable[[], Journal], tmp_path_factory: pytest.TempPathFactory
) -> None:
    opened().stage(entry(0))
    other = KeyRing.local(tmp_path_factory.mktemp("other")).sealer("journal")
    with pytest.raises(NorenError, match="sealed for journal cannot be opened"):
        list(Journal(objects, other, "shard").indexes())


def test_rows_of_several_entries_are_put_together_without_empty_roles() -> None:
    rows = concatenate([entry(1), entry(2)])
    assert {role: frame.to_dicts() for role, frame in rows.items()} == {
        "raw": [{"user_id": f"{SECRET}1"}, {"user_id": f"{SECRET}2"}],
        "anonymized": [{"user_id": "token1"}, {"user_id": "token2"}],
    }


def test_rows_of_every_type_come_back_as_they_were(opened: Callable[[], Journal]) -> None:
    frame = pl.DataFrame(
        {
            "text": ["é", None],
            "number": [1.5, -0.0],
            "time": [NOW, None],
            "bytes": [b"\x00\xff", b""],
            "object": [{"a": 1, "b": None}, None],
            "list": [[{"name": "n"}], []],
        },
        schema_overrides={"time": pl.Datetime("us", "UTC")},
    )
    opened().stage(Entry(Index(), {"raw": frame}))
    read = opened().read(0).rows["raw"]
    assert (read.schema, read.equals(frame)) == (frame.schema, True)
