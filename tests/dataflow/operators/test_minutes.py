"""One-minute metrics: every event, dead letter and duplicate is counted once, in its minute and under its type."""

import datetime
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.candidates import Preparer
from dataflow.contract import Contract
from dataflow.core import Anonymizer
from dataflow.keys import KeyRing
from dataflow.operators.deduplicate import Deduplicator, Index
from dataflow.operators.minutes import MINUTE, MinuteMetrics
from dataflow.operators.sketches import count_distinct, merge_distinct
from dataflow.operators.state import Changes, LocalState
from dataflow.operators.watermark import SECOND
from dataflow.policy import Policy, load_policy
from dataflow.schemas import minute_metrics_table
from tests.dataflow.cases import RECEIVED, encoded
from tests.dataflow.deliveries import message

ROOT = Path(__file__).parents[3]
NOON = 1_768_478_400_000_000
HOUR = 60 * MINUTE
FOREVER = NOON + 1_000_000 * HOUR


class Event(NamedTuple):
    at: int
    received: int
    type: str | None = "view"
    user: str | None = "u1"


class Running:
    """The operator with its state, as a driver keeps it."""

    def __init__(self, contract: Contract, policy: Policy, lateness: int = 24 * HOUR, now: int = 0) -> None:
        self.operator = MinuteMetrics(contract, policy, lateness, lambda: now)
        self.state = LocalState()
        self.journal: list[Changes] = []
        self.newest = 0

    def put(
        self, *events: Event, errors: list[tuple[str, int]] | None = None, duplicates: list[int] | None = None
    ) -> list[dict[str, Any]]:
        """Rows that one batch puts out."""
        index = Index.of(
            [("t", "p", event.received) for event in events],
            [("p", time) for _, time in errors or []],
            [("p", time) for time in duplicates or []],
        )
        self.newest = max(self.newest, index.newest)
        rows = {"anonymized": anonymized(events), "dead": pl.DataFrame({"reason": [r for r, _ in errors or []]})}
        return self.take(index, rows, self.newest)

    def rest(self) -> list[dict[str, Any]]:
        """Rows that an idle stream puts out when time goes on."""
        return self.take(Index(), {}, FOREVER)

    def take(self, index: Index, rows: dict[str, pl.DataFrame], watermark: int) -> list[dict[str, Any]]:
        step = self.operator.step(index, rows, watermark, self.state)
        self.journal.append(step.changes)
        self.state.apply(step.changes)
        return step.rows["minutes"].to_dicts() if "minutes" in step.rows else []

    def restart(self) -> None:
        self.state = LocalState(self.journal)


def anonymized(events: tuple[Event, ...]) -> pl.DataFrame:
    times = [datetime.datetime.fromtimestamp(event.at / 1e6, datetime.UTC) for event in events]
    return pl.DataFrame(
        {"event_time": times, "event_type": [e.type for e in events], "user_id": [e.user for e in events]},
        schema={"event_time": pl.Datetime("us", "UTC"), "event_type": pl.String(), "user_id": pl.String()},
    )


def minute(row: dict[str, Any]) -> int:
    """Minutes after noon."""
    return int(row["minute"].timestamp() * 1_000_000 - NOON) // MINUTE


@pytest.fixture
def running(app_event: Contract, policy: Policy) -> Running:
    return Running(app_event, policy)


def test_events_are_counted_in_their_own_minute_by_type(running: Running) -> None:
    rows = running.put(
        Event(NOON, NOON), Event(NOON + 59 * SECOND, NOON), Event(NOON, NOON, "click"), Event(NOON - 1, NOON)
    )
    rows += running.rest()
    assert [(minute(row), row["event_type"], row["events"]) for row in rows] == [
        (-1, "view", 1),
        (0, "click", 1),
        (0, "view", 2),
    ]


def test_a_minute_fires_when_the_watermark_has_passed(running: Running) -> None:
    assert running.put(Event(NOON, NOON)) == []
    assert running.put(Event(NOON + 119 * SECOND, NOON + 119 * SECOND)) == []
    rows = running.put(Event(NOON + 2 * MINUTE, NOON + 2 * MINUTE))
    assert [(minute(row), row["timing"], row["events"]) for row in rows] == [(0, "on_time", 1)]


def test_persons_are_counted_once_in_a_minute(running: Running) -> None:
    running.put(*(Event(NOON, NOON, user=f"u{n % 10}") for n in range(50)))
    running.put(Event(NOON, NOON, user="u3"), Event(NOON, NOON, user="u11"), Event(NOON, NOON, user=None))
    assert [row["users"] for row in running.rest()] == [11]


def test_latency_is_from_publish_to_staged_in_milliseconds(app_event: Contract, policy: Policy) -> None:
    running = Running(app_event, policy, now=NOON)
    running.put(*(Event(NOON, NOON - n * 1_000) for n in range(100)))
    columns = ("latency_p50_ms", "latency_p95_ms", "latency_p99_ms")
    assert [tuple(row[name] for name in columns) for row in running.rest()] == [(49, 94, 98)]


def test_a_clock_that_jumped_back_makes_no_negative_latency(app_event: Contract, policy: Policy) -> None:
    running = Running(app_event, policy, now=NOON - HOUR)
    running.put(Event(NOON, NOON))
    assert [row["latency_p50_ms"] for row in running.rest()] == [0]


def test_dead_letters_and_duplicates_count_in_the_minute_of_their_publishing(running: Running) -> None:
    running.put(errors=[("too_old", NOON), ("too_old", NOON + 1), ("empty_message", NOON)], duplicates=[NOON + MINUTE])
    rows = running.rest()
    assert [(minute(row), row["event_type"], row["errors"], row["duplicates"]) for row in rows] == [
        (0, None, 3, 0),
        (1, None, 0, 1),
    ]
    assert [row["error_reasons"] for row in rows] == [
        [{"reason": "empty_message", "errors": 1}, {"reason": "too_old", "errors": 2}],
        [],
    ]


def test_events_without_a_type_share_a_row_with_dead_letters(running: Running) -> None:
    running.put(Event(NOON, NOON, None), errors=[("too_old", NOON)])
    assert [(row["event_type"], row["events"], row["errors"]) for row in running.rest()] == [(None, 1, 1)]


def test_what_is_later_than_allowed_is_only_counted(app_event: Contract, policy: Policy) -> None:
    running = Running(app_event, policy, lateness=HOUR)
    running.put(Event(NOON, NOON))
    late = NOON - 61 * MINUTE
    running.put(Event(late - 1, NOON, "old"), Event(late, NOON, "just"))
    assert [(minute(row), row["event_type"], row["events"], row["late"], row["timing"]) for row in running.rest()] == [
        (-61, "just", 1, 0, "late"),
        (0, None, 0, 1, "on_time"),
        (0, "view", 1, 0, "on_time"),
    ]


def test_a_restart_goes_on_where_it_was(running: Running) -> None:
    running.put(Event(NOON, NOON))
    running.restart()
    rows = running.put(Event(NOON, NOON), Event(NOON + 2 * MINUTE, NOON + 2 * MINUTE))
    assert [(row["events"], row["firing"]) for row in rows] == [(2, 1)]
    running.restart()
    assert [(row["events"], row["firing"]) for row in running.rest()] == [(1, 2)]


def test_memory_is_bounded_however_many_types_there_are(running: Running) -> None:
    rows = []
    for batch in range(4):
        rows += running.put(*(Event(NOON, NOON, f"type_{n}_{batch}_{'x' * 4_000}") for n in range(2_000)))
        assert running.state.bytes < 26 << 20
    assert {row["timing"] for row in rows} == {"early"}
    assert sum(row["events"] for row in rows + running.rest()) == 4 * 2_000


THINGS = st.lists(
    st.one_of(
        st.builds(
            Event,
            at=st.integers(0, 40).map(lambda n: NOON + n * 20 * SECOND),
            received=st.integers(0, 40).map(lambda n: NOON + n * 20 * SECOND),
            type=st.sampled_from(["view", "click", None]),
            user=st.sampled_from(["u1", "u2", "u3", None]),
        ),
        st.tuples(st.sampled_from(["too_old", "empty_message"]), st.integers(NOON, NOON + 9 * MINUTE)),
        st.integers(NOON, NOON + 9 * MINUTE),
    ),
    min_size=1,
    max_size=20,
)
Totals = tuple[dict[tuple[int, str], tuple[int, int]], Counter[tuple[int, str]], Counter[int], int]


def totals(data: st.DataObject, running: Running, things: list[Event | tuple[str, int] | int]) -> Totals:
    """(minute, type) -> (events, persons); dead letters and duplicates by minute; late ones. All rows together."""
    rows: list[dict[str, Any]] = []
    cuts = data.draw(st.lists(st.integers(0, len(things)), max_size=4).map(sorted))
    for first, last in zip([0, *cuts], [*cuts, len(things)], strict=True):
        batch = things[first:last]
        rows += running.put(
            *(thing for thing in batch if isinstance(thing, Event)),
            errors=[thing for thing in batch if isinstance(thing, tuple) and not isinstance(thing, Event)],
            duplicates=[thing for thing in batch if isinstance(thing, int)],
        )
        if data.draw(st.booleans()):
            running.restart()
    rows += running.rest()
    errors: Counter[tuple[int, str]] = Counter()
    duplicates: Counter[int] = Counter()
    parts: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for row in rows:
        errors.update({(minute(row), item["reason"]): item["errors"] for item in row["error_reasons"]})
        duplicates.update({minute(row): row["duplicates"]} if row["duplicates"] else {})
        if row["events"]:
            parts.setdefault((minute(row), row["event_type"]), []).append(row)
    counted = {
        place: (
            sum(row["events"] for row in here),
            count_distinct(merge_distinct(row["users_sketch"] or b"" for row in here)),
        )
        for place, here in parts.items()
    }
    return counted, errors, duplicates, sum(row["late"] for row in rows)


@settings(deadline=None)
@given(data=st.data())
def test_any_order_any_batches_and_any_restarts_give_the_same_metrics(
    data: st.DataObject, app_event: Contract, policy: Policy
) -> None:
    things = data.draw(THINGS)
    other = data.draw(st.permutations(things))
    assert totals(data, Running(app_event, policy), other) == totals(data, Running(app_event, policy), things)


@settings(deadline=None)
@given(data=st.data())
def test_everything_published_is_counted_once(data: st.DataObject, app_event: Contract, policy: Policy) -> None:
    things = data.draw(THINGS)
    counted, errors, duplicates, late = totals(data, Running(app_event, policy, lateness=MINUTE), things)
    events = sum(count for count, _ in counted.values())
    assert events + late + errors.total() + duplicates.total() == len(things)


def made(contract: Contract, policy: Policy, keys: KeyRing, *payloads: bytes) -> pl.DataFrame:
    """All rows of messages that the anonymizer takes."""
    preparer = Preparer(Anonymizer(contract, policy, keys), keys.sealer("dead_letter"))
    candidates = preparer.prepare([message(data, id, RECEIVED) for id, data in enumerate(payloads, 1)])
    entry = candidates.decide(Deduplicator(), contract)
    operator = MinuteMetrics(contract, policy, clock=lambda: RECEIVED + 5_000)
    return operator.step(entry.index, entry.rows, FOREVER, LocalState()).rows["minutes"]


def test_rows_are_those_of_the_table(app_event: Contract, policy: Policy, keys: KeyRing) -> None:
    rows = made(
        app_event,
        policy,
        keys,
        *(encoded(1), encoded(2), encoded(2), encoded(3, event_type="button_click")),
        *(b"", encoded(4, session_id=None)),
    )
    assert rows.schema == {k: v for k, v in minute_metrics_table().polars().items() if k != "batch_id"}
    columns = ["event_type", "timing", "events", "errors", "duplicates", "users", "latency_p50_ms"]
    assert rows.select(columns).rows() == [
        ("button_click", "on_time", 1, 0, 0, 1, 5.0),
        ("page_view", "on_time", 2, 0, 0, 2, 5.0),
        (None, "on_time", 0, 2, 1, None, None),
    ]
    assert rows["minute"].dt.to_string("%H:%M").to_list() == ["09:30", "09:30", "10:00"]


def test_nothing_is_finer_than_the_policy_leaves_it(app_event: Contract, keys: KeyRing, tmp_path: Path) -> None:
    text = (ROOT / "dataflow" / "policy.yaml").read_text()
    path = tmp_path / "policy.yaml"
    path.write_text(
        text.replace("{method: truncate_time, unit: minute}", "{method: truncate_time, unit: hour}").replace(
            "device.os_version: ",
            "event_type: {method: drop}\n      user_id: {method: drop}\n      device.os_version: ",
        )
    )
    rows = made(app_event, load_policy(path), keys, encoded(1), encoded(3, event_type="button_click"))
    assert rows.select(pl.col("minute").dt.to_string("%H:%M"), "event_type", "events", "users").rows() == [
        ("09:00", None, 2, None)
    ]


def test_coarse_event_times_seem_older_by_their_unit_which_is_allowed_on_top(
    app_event: Contract, tmp_path: Path
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text((ROOT / "dataflow" / "policy.yaml").read_text().replace("unit: minute", "unit: day"))
    running = Running(app_event, load_policy(path), lateness=HOUR)
    running.put(Event(NOON, NOON))
    running.put(Event(NOON - 24 * HOUR, NOON))
    assert sum(row["events"] for row in running.rest()) == 2


def test_persons_are_counted_by_pseudonyms_only(app_event: Contract, policy: Policy, keys: KeyRing) -> None:
    kept = replace(app_event, subject="event_type")  # a field that the policy keeps as it is
    assert made(kept, policy, keys, encoded(1))["users"].to_list() == [None]


def test_a_contract_that_names_neither_type_nor_person_has_counts_all_the_same(
    app_event: Contract, policy: Policy, keys: KeyRing
) -> None:
    plain = replace(app_event, subject=None, event_type=None)
    rows = made(plain, policy, keys, encoded(1), encoded(2))
    assert rows.select("event_type", "events", "users").rows() == [(None, 2, None)]
