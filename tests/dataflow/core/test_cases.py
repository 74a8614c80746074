"""The shared cases, through the core alone."""

import pytest

from dataflow.contract import Contract
from dataflow.core import Anonymizer, Batch, Outcome
from dataflow.keys import KeyRing
from dataflow.policy import Policy
from tests.dataflow.cases import ACCEPTED, CASES, DEAD, RECEIVED, VALUES, payloads


@pytest.fixture(scope="module")
def outcome(app_event: Contract, policy: Policy, keys: KeyRing) -> Outcome:
    """All cases in one batch."""
    return Anonymizer(app_event, policy, keys).process(Batch(payloads(), [RECEIVED] * len(CASES)))


def test_each_refused_event_has_its_reason_and_field(outcome: Outcome) -> None:
    found = {CASES[reject.index].name: (reject.reason, reject.field) for reject in outcome.rejects}
    assert found == {case.name: (case.reason, case.field) for case in DEAD}


def test_the_batch_around_them_goes_on(outcome: Outcome) -> None:
    assert sorted(CASES[index].name for index in outcome.index) == sorted(case.name for case in ACCEPTED)
    assert outcome.raw.height == outcome.anonymized.height == len(ACCEPTED)


def test_undeclared_fields_are_dropped_and_counted(outcome: Outcome) -> None:
    wanted = [(CASES.index(case), *unknown) for case in CASES for unknown in case.unknown]
    assert sorted(outcome.unknown) == wanted


def test_rows_of_two_key_epochs_are_all_there_with_their_epoch(outcome: Outcome) -> None:
    by_name = dict(zip((CASES[index].name for index in outcome.index), outcome.raw["key_epoch"], strict=True))
    assert by_name.pop("another key epoch") == ((2020 - 2000) * 12 + 5) // 13
    assert set(by_name.values()) == {((2026 - 2000) * 12) // 13}


def test_no_value_of_any_event_stands_in_a_reject(outcome: Outcome) -> None:
    assert [value for value in VALUES if value in repr(outcome.rejects) + repr(outcome.unknown)] == []


def test_no_value_of_any_event_stands_in_an_anonymized_row(outcome: Outcome) -> None:
    text = repr(outcome.anonymized.to_dicts())
    assert [value for value in VALUES if value in text] == []


def test_behind_the_curtain_both_times_are_as_coarse_as_the_policy_makes_the_event_time(
    app_event: Contract, policy: Policy, keys: KeyRing
) -> None:
    outcome = Anonymizer(app_event, policy, keys).process(Batch([CASES[0].payload], [RECEIVED + 12_345_678]))
    columns = ["event_time", "receive_time", "timestamp"]
    minute = "%H:%M:%S.%f"
    assert [f"{time:{minute}}" for time in outcome.raw.select(columns).row(0)] == [
        "09:30:12.345678",
        "10:00:12.345678",
        "09:30:12.345678",
    ]
    assert [f"{time:{minute}}" for time in outcome.anonymized.select(columns).row(0)] == [
        "09:30:00.000000",
        "10:00:00.000000",
        "09:30:00.000000",
    ]
