"""The watermark goes by event time within bounds of publish time, and never back."""

from hypothesis import given
from hypothesis import strategies as st

from dataflow.operators.watermark import DISORDER, NEVER, SECOND, STALL, Watermark

HOUR = 3_600 * SECOND
NOON = 1_768_478_400_000_000
SEEN = st.lists(st.tuples(st.integers(NOON - HOUR, NOON + HOUR), st.integers(NOON - HOUR, NOON + HOUR)), max_size=8)


def after(*seen: tuple[int, int]) -> Watermark:
    mark = Watermark()
    for events, published in seen:
        mark = mark.seeing(events, published)
    return mark


def test_before_anything_was_seen_it_is_earlier_than_every_moment() -> None:
    assert Watermark().value == NEVER


def test_event_time_drives_it() -> None:
    assert after((NOON - 10 * SECOND, NOON)).value == NOON - 10 * SECOND - DISORDER


def test_a_clock_that_is_ahead_cannot_push_it_beyond_publish_time() -> None:
    assert after((NOON + HOUR, NOON)).value == NOON - DISORDER


def test_old_events_cannot_hold_it_for_ever() -> None:
    assert after((NOON - HOUR, NOON)).value == NOON - STALL - DISORDER


def test_dead_letters_and_idle_streams_move_it_by_publish_time() -> None:
    assert after((NEVER, NOON)).value == NOON - STALL - DISORDER


@given(SEEN)
def test_it_never_goes_back(seen: list[tuple[int, int]]) -> None:
    mark, values = Watermark(), [NEVER]
    for events, published in seen:
        mark = mark.seeing(events, published)
        values.append(mark.value)
    assert values == sorted(values)


@given(st.data())
def test_order_and_grouping_do_not_matter(data: st.DataObject) -> None:
    seen = data.draw(SEEN.filter(bool))
    other = data.draw(st.permutations(seen))
    at_once = (max(events for events, _ in seen), max(published for _, published in seen))
    assert after(*seen).value == after(*other).value == after(at_once).value
