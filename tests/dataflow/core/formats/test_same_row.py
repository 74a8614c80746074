"""The same event gives the same rows, however it travels."""

import datetime
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dataflow.contract import Contract, Format
from dataflow.keys import KeyRing
from dataflow.policy import Policy
from tests.dataflow.cases import event
from tests.dataflow.core.formats.carriers import Carrier, Core, carriers, core


@dataclass(repr=False)
class Cores:
    every: list[Carrier]
    by_format: dict[Format, Core]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def objects(required: dict[str, Any], optional: dict[str, Any]) -> Any:
    return st.fixed_dictionaries(required, optional=optional)


EVENTS = objects(
    {
        "event_id": st.uuids().map(str),
        "event_type": st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True),
        "timestamp": st.datetimes(datetime.datetime(2001, 1, 1), datetime.datetime(2026, 1, 1)).map(
            lambda moment: moment.isoformat(timespec="microseconds") + "Z"
        ),
        "user_id": TEXT,
        "session_id": TEXT,
        "device": objects(
            {"type": st.sampled_from(["ios", "android"]), "os_version": TEXT, "app_version": TEXT},
            {"device_model": ANY_TEXT},
        ),
    },
    {
        "location": objects(
            {"latitude": st.floats(-90, 90), "longitude": st.floats(-180, 180)},
            {"accuracy": st.floats(0, allow_infinity=False)},
        ),
        "properties": objects({}, {"page_name": ANY_TEXT, "button_id": ANY_TEXT}),
    },
)


@pytest.fixture(scope="module")
def cores(app_event: Contract, policy: Policy, keys: KeyRing) -> Cores:
    return Cores(carriers(app_event), {format: core(app_event, format, policy, keys) for format in Format})


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events=st.lists(EVENTS, min_size=1, max_size=4))
def test_the_rows_are_those_of_json(cores: Cores, events: list[dict[str, Any]]) -> None:
    every, by_format = cores.every, cores.by_format
    _, wanted = by_format[Format.JSON].run(*[every[0].pack(one) for one in events])
    assert wanted.raw.height == len(events)
    for carrier in every[1:]:
        packed = [carrier.pack(one) for one in events]
        _, outcome = by_format[carrier.format].run(*packed, attributes=carrier.attributes)
        assert (carrier.name, outcome.rejects, outcome.unknown) == (carrier.name, [], [])
        assert_frame_equal(outcome.raw, wanted.raw)
        assert_frame_equal(outcome.anonymized, wanted.anonymized)


WRONG = {
    "out of range": event(1, location={"latitude": 91.0, "longitude": 0.0}),
    "too long": event(1, user_id="u" * 129),
    "not allowed": event(1, device={"type": "toaster", "os_version": "1", "app_version": "1"}),
    "pattern": event(1, event_type="Page View"),
    "no UUID": event(1, event_id="1"),
    "time": event(1, timestamp="yesterday"),
    "future": event(1, timestamp="2099-01-01T00:00:00Z"),
    "empty text": event(1, session_id=""),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_rejects_are_those_of_json(cores: Cores, name: str) -> None:
    every, by_format = cores.every, cores.by_format
    _, wanted = by_format[Format.JSON].run(every[0].pack(WRONG[name]))
    assert len(wanted.rejects) == 1
    for carrier in every[1:]:
        if (carrier.name, name) == ("avro, of the contract", "time"):
            continue  # its type cannot hold it
        _, outcome = by_format[carrier.format].run(carrier.pack(WRONG[name]), attributes=carrier.attributes)
        assert (carrier.name, outcome.rejects) == (carrier.name, wanted.rejects)
