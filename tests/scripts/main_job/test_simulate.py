"""The simulated app: the same events for the same seed, and the faults it says it has."""

import datetime
import json
from collections import Counter, defaultdict
from typing import Any

import pytest

from dataflow.contract import Contract, load_contracts
from dataflow.core import Anonymizer, Batch, Reason
from dataflow.keys import KeyRing
from dataflow.policy import load_policy
from dataflow.project import Project
from scripts.main_job.simulate import CENTRES, SCREENS, Simulation, simulate
from tests.conftest import ROOT

NOW = datetime.datetime(2026, 1, 15, 10, tzinfo=datetime.UTC)
COUNT = 20_000


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate(COUNT, 1, NOW)


@pytest.fixture(scope="module")
def good(simulation: Simulation) -> list[dict[str, Any]]:
    """Events that are no faulty ones and no duplicates, in order."""
    events = {}
    for payload in simulation.payloads:
        try:
            event = json.loads(payload)
            if event["device"]["type"] != "toaster" and "session_id" in event and isinstance(event["user_id"], str):
                events[event["event_id"]] = event
        except ValueError:
            continue
    return [event for event in events.values() if moment(event) <= NOW]


def moment(event: dict[str, Any]) -> datetime.datetime:
    return datetime.datetime.fromisoformat(event["timestamp"])


def test_the_same_seed_gives_the_same_events_and_another_seed_others(simulation: Simulation) -> None:
    assert simulate(COUNT, 1, NOW) == simulation
    assert simulate(200, 2, NOW).payloads != simulation.payloads[:200]


def test_there_are_as_many_as_asked_for(simulation: Simulation) -> None:
    assert len(simulation.payloads) == COUNT
    assert simulate(1, 1, NOW).payloads == simulation.payloads[:1]


@pytest.mark.parametrize("kind", ["malformed", "duplicates", "late"])
def test_about_one_in_a_hundred_is_of_each_kind(simulation: Simulation, kind: str) -> None:
    assert 0.008 < getattr(simulation, kind) / COUNT < 0.012


def test_the_core_refuses_exactly_the_malformed_ones_for_every_reason_that_clients_have(
    simulation: Simulation, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project = Project(ROOT)
    keys = KeyRing.local(tmp_path_factory.mktemp("keys"))
    contract: Contract = load_contracts(project.contracts)["app_event"]
    received = int(NOW.timestamp() * 1e6)
    outcome = Anonymizer(contract, load_policy(project.policy), keys).process(
        Batch(simulation.payloads, [received] * COUNT)
    )
    assert len(outcome.rejects) == simulation.malformed
    assert {reject.reason for reject in outcome.rejects} == {
        Reason.MALFORMED_JSON,
        Reason.WRONG_TYPE,
        Reason.MISSING_FIELD,
        Reason.INVALID_UTF8,
        Reason.FUTURE_EVENT,
        Reason.NOT_ALLOWED,
    }
    assert outcome.unknown == []


def test_duplicates_are_the_same_bytes_again(simulation: Simulation) -> None:
    again = Counter(simulation.payloads)
    assert sum(count - 1 for count in again.values()) == simulation.duplicates


def test_no_event_lies_in_the_future_and_all_but_late_ones_in_three_days(
    simulation: Simulation, good: list[dict[str, Any]]
) -> None:
    assert max(moment(event) for event in good) <= NOW
    old = sum(moment(event) < NOW - datetime.timedelta(days=5) for event in good)
    assert 0 < old <= simulation.late


def test_a_session_is_one_person_with_one_device_on_a_walk_through_the_screens(good: list[dict[str, Any]]) -> None:
    sessions = defaultdict(list)
    for event in good:
        sessions[event["session_id"]].append(event)
    assert 3 <= COUNT / len(sessions) <= 25
    for events in sessions.values():
        assert len({event["user_id"] for event in events}) == 1
        assert len({json.dumps(event["device"]) for event in events}) == 1
        assert len(events) <= 25
    assert {event["properties"]["page_name"] for event in good} == set(SCREENS)


def test_a_person_keeps_the_device_from_session_to_session(good: list[dict[str, Any]]) -> None:
    devices = defaultdict(set)
    for event in good:
        devices[event["user_id"]].add(json.dumps(event["device"]))
    assert {len(known) for known in devices.values()} == {1}


def test_few_people_are_seen_often_and_many_seldom(good: list[dict[str, Any]]) -> None:
    counts = [count for _, count in Counter(event["user_id"] for event in good).most_common()]
    assert sum(counts[: len(counts) // 10]) > 0.3 * sum(counts)
    assert len(counts) > 300


def test_people_are_in_tokyo(good: list[dict[str, Any]]) -> None:
    places = [event["location"] for event in good if "location" in event]
    assert 0.75 < len(places) / len(good) < 0.85
    for place in places:
        assert min(abs(place["latitude"] - north) + abs(place["longitude"] - east) for north, east in CENTRES) < 0.3


def test_events_are_of_the_kinds_that_the_app_has(good: list[dict[str, Any]]) -> None:
    assert {event["event_type"] for event in good} == {"page_view", "button_click", "location_share", "message_send"}
    assert all(("button_id" in event["properties"]) == (event["event_type"] != "page_view") for event in good)
