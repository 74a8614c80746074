"""The two loops and the core do the same work."""

import json

import pytest

from scripts.bench.agree import check_agreement
from scripts.bench.events import events
from scripts.bench.loops import naive, tuned
from scripts.bench.subject import Form, anonymizer

EVENTS = list(events(1_000))


def test_the_loops_give_equal_rows() -> None:
    for event in EVENTS:
        slow, fast = naive(event), tuned(event)
        assert json.loads(slow[0]) == json.loads(fast[0])
        assert json.loads(slow[1]) == json.loads(fast[1])


@pytest.mark.parametrize("form", ["declared", "free_form"])
def test_the_core_gives_the_loops_rows(form: Form) -> None:
    check_agreement(anonymizer(form), EVENTS)


def _without(event: bytes, name: str) -> bytes:
    fields = json.loads(event)
    del fields[name]
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    "event",
    [
        EVENTS[0][:100],
        _without(EVENTS[0], "user_id"),
        EVENTS[0].replace(b'"page_view"', b'"unknown"'),
        json.dumps(json.loads(EVENTS[0]) | {"ip": 5}).encode(),
        json.dumps(json.loads(EVENTS[0]) | {"location": {"latitude": 91, "longitude": 0, "accuracy": 1}}).encode(),
    ],
)
@pytest.mark.parametrize("loop", [naive, tuned])
def test_a_bad_event_is_an_error(loop, event: bytes) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((ValueError, KeyError)):
        loop(event)


def test_events_are_the_same_for_the_same_count() -> None:
    assert list(events(1_000)) == EVENTS
