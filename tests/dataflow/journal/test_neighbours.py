"""Drivers of one stream: what one of them staged none of the others takes, whoever commits or folds meanwhile."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dataflow.journal import Entry, Journal
from dataflow.journal.lock import ShardLock
from dataflow.journal.neighbours import Neighbours
from dataflow.keys import KeyRing, Sealer
from dataflow.objects import LocalObjects
from dataflow.operators.index import Events, Index

LIVE, FILES, LANDED = "app-event-anonymizer", "app-event-files", "app-event-landed"


@pytest.fixture(scope="module")
def sealer(keys: KeyRing) -> Sealer:
    return keys.sealer("journal")


class Driver:
    def __init__(self, state: Path, sealer: Sealer, shard: str) -> None:
        (state / LIVE).mkdir(exist_ok=True)
        self.journal = Journal(LocalObjects(state), sealer, shard)
        self.others = Neighbours(state, sealer, LIVE, shard)
        if shard != LIVE:
            self.others.register()

    def stage(self, *tokens: str) -> int:
        return self.journal.stage(Entry(Index.of([(token, f"p{token}", 1) for token in tokens])))

    def commit(self, first: int, last: int) -> None:
        self.journal.commit(self.journal.group(first, last))

    def told(self) -> set[str]:
        with self.others.turn() as taken:
            return names(taken)


def names(taken: Iterator[Events] | list[Events]) -> set[str]:
    return {token for events in taken for token in events.token_names()}


def token(number: int) -> str:
    return f"{number:032x}"


@pytest.fixture
def made(tmp_path: Path, sealer: Sealer) -> Callable[[str], Driver]:
    return lambda shard: Driver(tmp_path, sealer, shard)


Made = Callable[[str], Driver]


def test_each_turn_tells_once_what_others_staged_committed_or_not(made: Made) -> None:
    live, files = made(LIVE), made(FILES)
    files.stage(token(1))
    files.stage(token(2))
    files.commit(0, 0)
    assert live.told() == {token(1), token(2)}
    assert live.told() == set()
    files.commit(1, 1)
    files.stage(token(3))
    assert live.told() == {token(3)}


def test_imports_follow_the_stream_and_each_other_and_not_themselves(made: Made) -> None:
    files, landed = made(FILES), made(LANDED)
    files.stage(token(1))
    assert (files.told(), landed.told()) == (set(), {token(1)})
    live = made(LIVE)  # begins later
    live.stage(token(2))
    assert (files.told(), landed.told(), live.told()) == ({token(2)}, {token(2)}, {token(1)})


def test_what_was_staged_before_the_mark_is_told_by_others(made: Made) -> None:
    live, files = made(LIVE), made(FILES)
    live.stage(token(1))
    live.stage(token(2))
    live.commit(0, 0)
    files.others.mark()
    assert names(files.others.uncommitted()) == {token(2)}
    live.stage(token(3))
    assert files.told() == {token(3)}


def test_the_streams_own_clock_is_its_newest_committed_event(made: Made) -> None:
    live, files = made(LIVE), made(FILES)
    assert files.others.newest() == 0
    live.journal.stage(Entry(Index.of([(token(1), "p", 17)])))
    live.commit(0, 0)
    files.stage(token(2))
    assert files.others.newest() == 17


def test_nobody_else_stages_in_a_turn(made: Made) -> None:
    live, files = made(LIVE), made(FILES)
    told: list[set[str]] = []
    waiting = threading.Thread(target=lambda: told.append(live.told()))
    with files.others.turn():
        waiting.start()
        waiting.join(0.2)
        assert told == []
        files.stage(token(1))
    waiting.join(10)
    assert told == [{token(1)}]


def test_a_driver_that_dies_in_its_turn_holds_nobody_up(made: Made) -> None:
    live, files = made(LIVE), made(FILES)
    with pytest.raises(SystemExit), files.others.turn():
        raise SystemExit
    assert live.told() == set()


class Meanwhile(LocalObjects):
    """Lets another process do something right after names were listed."""

    then: Callable[[str], None] = staticmethod(lambda _: None)

    def names(self, prefix: str) -> Iterator[str]:
        found = list(super().names(prefix))
        self.then(prefix.rpartition("/")[2])
        yield from found


@pytest.mark.parametrize("listed", ["entries", "indexes"])
def test_what_is_committed_while_it_is_read_is_not_overlooked(
    tmp_path: Path, made: Made, sealer: Sealer, listed: str
) -> None:
    files = made(FILES)
    for number in range(3):
        files.stage(token(number))
    objects = Meanwhile(tmp_path)
    reader = Journal(objects, sealer, FILES)
    left = [0, 1, 2]

    def commit(kind: str) -> None:
        if kind == listed and left:
            number = left.pop(0)
            files.commit(number, number)

    objects.then = commit  # type: ignore[method-assign]
    told = names([head.index.accepted for _, head in reader.heads()])
    assert told == {token(number) for number in range(3)}
    assert reader.last() == 2


def test_an_import_that_was_interrupted_is_named_until_it_is_done(made: Made, tmp_path: Path) -> None:
    live, files = made(LIVE), made(FILES)
    assert live.others.interrupted() == []
    lock = ShardLock(tmp_path, FILES)
    files.stage(token(1))
    assert live.others.interrupted() == []  # it runs
    lock.close()
    assert live.others.interrupted() == [FILES]
    files.commit(0, 0)
    assert live.others.interrupted() == []
