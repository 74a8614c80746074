"""Batches are prepared ahead, in order; what is not staged goes back."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dataflow.core import SchemasAwayError
from dataflow.pull import prepare
from dataflow.pull.prepare import Preparing
from dataflow.pull.stage import Prepared
from dataflow.sources.message import Message, Messages


class Source:
    """Gives these batches, one a call, then nothing; or dies."""

    arrived = 0.0

    def __init__(self, *batches: Messages, dies: Exception | None = None) -> None:
        self._batches = list(batches)
        self._dies = dies
        self._wait = threading.Event()

    def take(self, *_: Any) -> Messages:
        if self._batches:
            return self._batches.pop(0)
        if self._dies:
            raise self._dies
        self._wait.wait(0.005)
        return Messages.of(())


def batch(*numbers: int) -> Messages:
    return Messages.of(Message(b"{}", {}, str(n), f"/{n}", 1, f"ack-{n}") for n in numbers)


def prepared(messages: Messages, trace: Any) -> Prepared:
    return Prepared(None, messages, None, trace)  # type: ignore[arg-type]


Start = Callable[..., Preparing]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Preparing] = []

    def begin(source: Source, function: Any = prepared) -> Preparing:
        started.append(Preparing(source, function))  # type: ignore[arg-type]
        started[-1].start()
        return started[-1]

    yield begin
    for preparing in started:
        preparing.stop()


def ids(preparing: Preparing) -> list[str]:
    found = preparing.take(5)
    assert found is not None
    return [message.message_id for message in found.messages]


def test_batches_come_in_the_order_of_their_messages(start: Start) -> None:
    preparing = start(Source(batch(1, 2), batch(3), batch(4, 5)))
    assert [ids(preparing) for _ in range(3)] == [["1", "2"], ["3"], ["4", "5"]]
    assert preparing.take(0.05) is None
    assert preparing.stop().to_list() == []


def test_what_is_not_taken_goes_back(start: Start) -> None:
    preparing = start(Source(*(batch(n) for n in range(10))))
    assert ids(preparing) == ["0"]
    left = preparing.stop().to_list()
    assert left == [f"ack-{n}" for n in range(1, len(left) + 1)]
    assert len(left) <= 1 + prepare.MOST_AHEAD + 1  # those that the thread held when it was told


def test_it_is_idle_only_when_nothing_is_on_its_way(start: Start) -> None:
    go = threading.Event()

    def slow(messages: Messages, trace: Any) -> Prepared:
        go.wait(5)
        return prepared(messages, trace)

    preparing = start(Source(batch(1)), slow)
    assert not preparing.idle()
    go.set()
    assert ids(preparing) == ["1"]
    assert preparing.take(0.05) is None
    assert preparing.idle()


def test_what_pulling_died_of_is_raised(start: Start) -> None:
    preparing = start(Source(batch(1), dies=ValueError("gone")))
    preparing._thread.join(5)
    with pytest.raises(ValueError, match="gone"):
        preparing.take(5)
    assert preparing.stop().to_list() == ["ack-1"]


def test_a_schema_service_that_is_away_makes_no_dead_letters(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "SCHEMAS_AWAY_SECONDS", 0.01)
    asked: list[int] = []

    def away(messages: Messages, trace: Any) -> Prepared:
        asked.append(1)
        if len(asked) < 3:
            raise SchemasAwayError("projects/p/schemas/s: its revision 1 cannot be read: away.")
        return prepared(messages, trace)

    assert ids(start(Source(batch(1)), away)) == ["1"]
    assert len(asked) == 3


def test_it_can_be_stopped_while_a_schema_service_is_away(start: Start) -> None:
    asked = threading.Event()

    def away(_messages: Messages, _trace: Any) -> Prepared:
        asked.set()
        raise SchemasAwayError("projects/p/schemas/s: its revision 1 cannot be read: away.")

    preparing = start(Source(batch(1)), away)
    assert asked.wait(5)
    assert preparing.stop().to_list() == ["ack-1"]
