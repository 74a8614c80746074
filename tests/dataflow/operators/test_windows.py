"""Windows: every content is in exactly one pane, whatever the order, the batches and the restarts."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.operators.state import Changes, LocalState
from dataflow.operators.watermark import NEVER
from dataflow.operators.windows import MARK, MOST_ITEMS, Pane, Timing, Windows


def joined(contents: Sequence[bytes]) -> bytes:
    """Merges contents that are sets of bytes with repetition."""
    return bytes(sorted(b"".join(contents)))


def windows(lateness: int = 20, most_bytes: int = 1_000, most_windows: int = 100) -> Windows:
    """Ten units wide; the watermark is the newest event, at most the newest publish time."""
    return Windows(10, lateness, joined, 0, 1_000, most_bytes, most_windows)


def put(operator: Windows, state: LocalState, added: dict[int, bytes], at: int = NEVER) -> list[Pane]:
    panes, changes = operator.step(state, added, at, at)
    state.apply(changes)
    return panes


def test_a_window_fires_once_the_watermark_is_at_its_end() -> None:
    operator, state = windows(), LocalState()
    assert put(operator, state, {0: b"1"}, 9) == []
    assert put(operator, state, {10: b"3"}, 10) == [Pane(0, 1, Timing.ON_TIME, b"1")]
    assert state.buckets() == [MARK, 1]


def test_what_a_step_adds_is_in_the_panes_that_it_fires() -> None:
    operator, state = windows(), LocalState()
    put(operator, state, {0: b"1"}, 5)
    assert [pane.content for pane in put(operator, state, {0: b"2"}, 10)] == [b"12"]


def test_time_alone_fires_too() -> None:
    operator, state = windows(), LocalState()
    put(operator, state, {0: b"1"}, 5)
    panes, _ = operator.step(state, {}, NEVER, 1_100)  # nothing but publish time went on: by its bound
    assert panes == [Pane(0, 1, Timing.ON_TIME, b"1")]


def test_within_the_allowed_lateness_more_comes_in_a_late_pane_without_what_was_in_the_first() -> None:
    operator, state = windows(), LocalState()
    put(operator, state, {0: b"1"}, 12)
    assert put(operator, state, {0: b"2"}, 13) == []
    assert put(operator, state, {0: b"3"}, 14) == []
    assert put(operator, state, {}, 20) == [Pane(0, 2, Timing.LATE, b"23")]


def test_windows_close_when_the_lateness_is_over() -> None:
    operator, state = windows(lateness=20), LocalState()
    assert operator.closed_before(state) == NEVER
    put(operator, state, {}, 29)
    assert operator.closed_before(state) == 0  # 0 to 10 takes events still
    put(operator, state, {}, 30)
    assert operator.closed_before(state) == 1


def test_asking_changes_nothing_and_twice_is_the_same() -> None:
    operator, state = windows(), LocalState()
    put(operator, state, {0: b"0"}, 3)
    before = state.changes()
    assert operator.step(state, {0: b"1"}, 10, 10) == operator.step(state, {0: b"1"}, 10, 10)
    assert state.changes() == before


def test_a_step_without_news_changes_nothing() -> None:
    operator, state = windows(), LocalState()
    put(operator, state, {0: b"1"}, 3)
    assert operator.step(state, {}, 2, 3) == ([], Changes())


@pytest.mark.parametrize("operator", [windows(most_windows=2), windows(most_bytes=5)])
def test_too_much_held_fires_early(operator: Windows) -> None:
    state = LocalState()
    put(operator, state, {0: b"11", 10: b"2"}, 0)
    panes = put(operator, state, {20: b"333"}, 5)
    assert panes == [
        Pane(0, 1, Timing.EARLY, b"11"),
        Pane(10, 1, Timing.EARLY, b"2"),
        Pane(20, 1, Timing.EARLY, b"333"),
    ]
    assert state.buckets() == [MARK]


def test_contents_of_a_window_do_not_pile_up() -> None:
    operator, state = Windows(10, 20, max, 0, 1_000), LocalState()
    for number in range(100):
        put(operator, state, {0: bytes([number])}, 0)
    assert len(state.read(0)) <= MOST_ITEMS
    assert max(state.read(0)) == bytes([99])


# (event time, letter): what comes, in the order of coming
EVENTS = st.lists(st.integers(0, 99), max_size=30)


def run(data: st.DataObject, events: list[int], lateness: int) -> tuple[list[Pane], int]:
    """All panes, in batches cut anywhere, with restarts anywhere; and how many events were too late."""
    operator = windows(lateness, data.draw(st.sampled_from([10, 1_000])), data.draw(st.sampled_from([3, 100])))
    panes: list[Pane] = []
    journal: list[Changes] = []
    state = LocalState()
    late = 0
    cuts = data.draw(st.lists(st.integers(0, len(events)), max_size=6).map(sorted))
    for first, last in zip([0, *cuts], [*cuts, len(events)], strict=True):
        added: dict[int, list[bytes]] = {}
        for time in events[first:last]:
            if operator.start_of(time) < operator.closed_before(state):
                late += 1
            else:
                added.setdefault(operator.start_of(time), []).append(bytes([time]))
        newest = max(events[first:last], default=NEVER)
        fired, changes = operator.step(
            state, {start: joined(contents) for start, contents in added.items()}, newest, newest
        )
        panes += fired
        journal.append(changes)
        state.apply(changes)
        if data.draw(st.booleans()):  # killed, and rebuilt from what is durable
            state = LocalState(journal)
    return panes + put(operator, state, {}, 10_000), late


def total(panes: list[Pane]) -> Counter[tuple[int, int]]:
    return Counter((pane.start, time) for pane in panes for time in pane.content)


@given(st.data())
def test_any_order_any_batches_and_any_restarts_give_the_same_totals(data: st.DataObject) -> None:
    events = data.draw(EVENTS)
    panes, late = run(data, data.draw(st.permutations(events)), lateness=1_000)
    assert late == 0
    assert total(panes) == Counter((time - time % 10, time) for time in events)
    assert len({(pane.start, pane.firing) for pane in panes}) == len(panes)


@given(st.data())
def test_every_event_is_in_a_pane_or_late(data: st.DataObject) -> None:
    events = data.draw(EVENTS)
    panes, late = run(data, events, lateness=10)
    assert total(panes).total() + late == len(events)
