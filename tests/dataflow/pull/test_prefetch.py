"""Pulling ahead: bounded, with leases renewed, and what is not taken goes back."""

import threading
import time
from collections.abc import Callable, Iterator

import polars as pl
import pytest
from google.pubsub_v1.types import PullResponse

from dataflow.errors import NorenError
from dataflow.pull import prefetch
from dataflow.pull.prefetch import Prefetcher
from dataflow.sources import wire
from dataflow.sources.message import Messages


class Source:
    """Gives batches of messages, one a pull, and notes what is asked of it."""

    def __init__(self, *batches: list[int]) -> None:
        self.batches = batches
        self.given = 0
        self.extended: list[tuple[list[str], int]] = []
        self.pulls: list[float] = []
        self.failure: Exception | None = None
        self.away = False
        self.deaf = False
        self.attribute = ""

    def fetch(self, *_: object) -> bytes:
        self.pulls.append(time.monotonic())
        if self.failure is not None:
            raise self.failure
        if self.given < len(self.batches):
            self.given += 1
            return response(self.batches[self.given - 1], self.attribute)
        if not self.away:
            time.sleep(0.06)
        return b""

    def read(self, answer: bytes) -> Messages:
        return wire.read(answer, "")

    def extend(self, ack_ids: pl.Series, seconds: int = 40) -> bool:
        if len(ack_ids):
            self.extended.append((list(ack_ids), seconds))
        return not self.deaf


def response(numbers: list[int], attribute: str = "") -> bytes:
    """Of messages with 1,000 bytes of data, or with this attribute alone."""
    answer = PullResponse.pb()()
    for number in numbers:
        received = answer.received_messages.add(ack_id=f"ack-{number}")
        received.message.message_id = str(number)
        if attribute:
            received.message.attributes["a"] = attribute
        else:
            received.message.data = b"x" * 1_000
    return bytes(answer.SerializeToString())


Start = Callable[[Source], Prefetcher]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Prefetcher] = []

    def begin(source: Source) -> Prefetcher:
        started.append(Prefetcher(source))  # type: ignore[arg-type]
        started[-1].start()
        return started[-1]

    yield begin
    for prefetcher in started:
        prefetcher.stop()


def until(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def ids(messages: Messages) -> list[str]:
    return [message.message_id for message in messages]


def test_pulls_that_are_ready_are_taken_together_in_order(start: Start) -> None:
    source = Source([1, 2], [3], [4])
    prefetcher = start(source)
    until(lambda: prefetcher._ready.qsize() == 3)
    assert ids(prefetcher.take(100, wait=5)) == ["1", "2", "3", "4"]


def test_no_more_pulls_are_taken_than_make_a_batch(start: Start) -> None:
    source = Source([1, 2], [3, 4], [5, 6])
    prefetcher = start(source)
    until(lambda: prefetcher._ready.qsize() == 3)
    assert ids(prefetcher.take(3, wait=5)) == ["1", "2", "3", "4"]
    assert ids(prefetcher.take(3, wait=5)) == ["5", "6"]


def test_without_messages_it_waits_and_gives_none(start: Start) -> None:
    started = time.monotonic()
    assert start(Source()).take(10, wait=0.1).data == []
    assert 0.1 <= time.monotonic() - started < 1


def test_it_pulls_no_further_ahead_than_its_bound(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "MOST_AHEAD_BYTES", 2_500)
    source = Source([1, 2], [3, 4], [5, 6])
    prefetcher = start(source)
    until(lambda: source.given == 2)
    time.sleep(0.1)
    assert source.given == 2
    prefetcher.take(2, wait=5)
    until(lambda: source.given == 3)


def test_messages_of_attributes_alone_count_for_its_bound(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "MOST_AHEAD_BYTES", 2_500)
    source = Source([1, 2], [3, 4], [5, 6])
    source.attribute = "x" * 1_000
    prefetcher = start(source)
    until(lambda: source.given == 2)
    time.sleep(0.1)
    assert source.given == 2
    assert prefetcher.ahead > 4_000


def test_a_renewal_that_did_not_reach_the_server_is_made_again_in_a_second(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetch, "FIRST_RENEWAL_SECONDS", 0)
    source = Source([1])
    source.deaf = True
    start(source)
    until(lambda: len(source.extended) == 2)


def test_what_arrived_before_a_mark_has_passed_when_it_is_released(start: Start) -> None:
    source = Source([1, 2], [3])
    prefetcher = start(source)
    until(lambda: prefetcher._ready.qsize() == 2)
    mark = prefetcher.mark()
    assert not prefetcher.passed(mark)
    prefetcher.release(2)
    assert not prefetcher.passed(mark)
    prefetcher.release(1)
    assert prefetcher.passed(mark)


def test_leases_are_renewed_until_they_are_released(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "FIRST_RENEWAL_SECONDS", 0)
    monkeypatch.setattr(prefetch, "RENEWAL_SECONDS", 0)
    source = Source([1, 2])
    prefetcher = start(source)
    until(lambda: source.extended)
    prefetcher.release(1)
    until(lambda: len(source.extended) >= 3)
    assert source.extended[0] == (["ack-1", "ack-2"], 40)
    assert source.extended[-1] == (["ack-2"], 40)


def test_a_lease_is_renewed_before_the_shortest_deadline_of_a_subscription_runs_out() -> None:
    assert prefetch.FIRST_RENEWAL_SECONDS + 2 < 10
    assert prefetch.RENEWAL_SECONDS + 2 < prefetch.LEASE_SECONDS


def test_what_was_not_taken_goes_back_at_once_when_it_stops(start: Start) -> None:
    source = Source([1, 2], [3])
    prefetcher = start(source)
    until(lambda: source.given == 2)
    prefetcher.stop()
    assert source.extended == [(["ack-1", "ack-2", "ack-3"], 0)]
    assert not any(thread.name in ("puller", "leases") for thread in threading.enumerate())


def test_what_the_pulling_died_of_is_raised(start: Start) -> None:
    source = Source()
    source.failure = NorenError("gone")
    prefetcher = start(source)
    until(lambda: prefetcher.failure is not None)
    with pytest.raises(NorenError, match=r"^gone$"):
        prefetcher.take(10, wait=1)


def test_a_server_that_is_away_is_asked_less_and_less_often(start: Start) -> None:
    source = Source()
    source.away = True
    start(source)
    until(lambda: len(source.pulls) >= 5)
    pauses = [later - earlier for earlier, later in zip(source.pulls, source.pulls[1:], strict=False)]
    assert [pause > least for pause, least in zip(pauses, (0.05, 0.1, 0.2, 0.4), strict=False)] == [True] * 4


def test_no_more_bytes_are_taken_than_make_a_batch(start: Start) -> None:
    source = Source([1, 2], [3, 4], [5, 6])
    prefetcher = start(source)
    until(lambda: prefetcher._ready.qsize() == 3)
    assert ids(prefetcher.take(100, wait=5, most_bytes=2_500)) == ["1", "2", "3", "4"]
    assert ids(prefetcher.take(100, wait=5, most_bytes=2_500)) == ["5", "6"]
