"""The columnar anonymizer gives the rows that a plain one gives, event by event, on events made up by hypothesis."""

import datetime
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataflow.contract import Contract, FieldType, load_contract
from dataflow.core import Anonymizer, Batch
from dataflow.countries import Countries
from dataflow.keys import KeyRing
from dataflow.policy import Policy, load_policy
from dataflow.schemas import anonymized_table, raw_table
from tests.dataflow.cases import RECEIVED
from tests.dataflow.conftest import HERE, ROOT
from tests.dataflow.core import reference
from tests.dataflow.core.made import payload

NEWEST = datetime.datetime.fromtimestamp(RECEIVED / 1e6, datetime.UTC)

thorough = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)


@pytest.fixture(scope="session", params=["app_event", "checkin", "visit"])
def stream(
    request: pytest.FixtureRequest,
    contracts: dict[str, Contract],
    visit: Contract,
    policy: Policy,
    visit_policy: Policy,
    keys: KeyRing,
    countries: Countries,
) -> tuple[Contract, Policy, Anonymizer, st.SearchStrategy[dict[str, Any]]]:
    contract = visit if request.param == "visit" else contracts[request.param]
    rules = visit_policy if request.param == "visit" else policy
    return contract, rules, Anonymizer(contract, rules, keys, countries), reference.events(contract, NEWEST)


def test_rows_equal_the_plain_ones(stream: Any, keys: KeyRing, countries: Countries) -> None:
    contract, policy, anonymizer, events = stream

    @thorough
    @given(st.lists(st.tuples(events, st.integers(RECEIVED, RECEIVED + 10**12)), max_size=6))
    def equal(batch: list[tuple[dict[str, Any], int]]) -> None:
        payloads = [json.dumps(event).encode() for event, _ in batch]
        outcome = anonymizer.process(Batch(payloads, [moment for _, moment in batch]))
        assert outcome.rejects == []
        assert sorted(outcome.index) == list(range(len(batch)))
        for index, raw, anonymized in zip(
            outcome.index, outcome.raw.to_dicts(), outcome.anonymized.to_dicts(), strict=True
        ):
            wanted = reference.rows(*batch[index], contract, policy, keys, countries)
            assert differences(raw, wanted[0]) == []
            assert differences(anonymized, wanted[1]) == []

    equal()


def differences(
    found: dict[str, Any], wanted: dict[str, Any], maps: frozenset[str] = frozenset()
) -> list[tuple[str, str, str]]:
    """(column, found, wanted); as JSON, which tells -0.0 from 0.0 and not one kind of UTC from another.

    maps: columns of JSON text, which may be written in more than one way.
    """
    assert list(found) == list(wanted), "other columns, or in another order"
    pairs = {name: (_json(found[name], name in maps), _json(wanted[name], name in maps)) for name in wanted}
    return [(name, *pair) for name, pair in pairs.items() if pair[0] != pair[1]]


def _json(value: Any, text: bool = False) -> str:
    return json.dumps(json.loads(value) if text and value else value, default=lambda time: time.isoformat())


BENCH = ROOT / "scripts" / "bench"
MADE = {
    "app_event": (ROOT / "dataflow" / "contracts" / "app_event.yaml", ROOT / "dataflow" / "policy.yaml"),
    "visit": (HERE / "visit" / "visit.yaml", HERE / "visit" / "policy.yaml"),
    "arrays and maps": (HERE / "order" / "order.yaml", HERE / "order" / "policy.yaml"),
    "declared": (BENCH / "declared" / "contracts" / "bench_event.yaml", BENCH / "declared" / "policy.yaml"),
    "free form": (BENCH / "free_form" / "contracts" / "bench_event.yaml", BENCH / "free_form" / "policy.yaml"),
}
EVERY_RUN, LONG = 50_000, 1_000_000
LARGEST = 3_000


@pytest.mark.parametrize("name", MADE)
def test_generated_events_give_the_plain_rows(name: str, keys: KeyRing, countries: Countries) -> None:
    generated(*MADE[name], EVERY_RUN // len(MADE), keys, countries)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", MADE)
def test_a_million_generated_events_give_the_plain_rows(name: str, keys: KeyRing, countries: Countries) -> None:
    generated(*MADE[name], LONG // len(MADE), keys, countries)


def generated(contract_file: Path, policy_file: Path, count: int, keys: KeyRing, countries: Countries) -> None:
    """Batches of 1 to LARGEST generated events against the plain rows; the seed of a failure stands in its message."""
    contract, policy = load_contract(contract_file), load_policy(policy_file)
    anonymizer = Anonymizer(contract, policy, keys, countries)
    maps = frozenset(field.name for field in contract.fields if field.type is FieldType.MAP)
    seed = random.SystemRandom().getrandbits(32)
    rng = random.Random(seed)
    left = count
    while left:
        size = min(left, rng.choice([1, 2, 15, 16, 17, 500, LARGEST]))
        left -= size
        made = [payload(rng, contract) for _ in range(size)]
        outcome = anonymizer.process(Batch([text for _, text in made], [RECEIVED] * size))
        assert outcome.rejects == [], f"seed {seed}"
        assert sorted(outcome.index) == list(range(size))
        pairs = zip(outcome.index, outcome.raw.to_dicts(), outcome.anonymized.to_dicts(), strict=True)
        for index, raw, anonymized in pairs:
            wanted = reference.rows(made[index][0], RECEIVED, contract, policy, keys, countries)
            assert differences(raw, wanted[0], maps) == [], f"seed {seed}"
            assert differences(anonymized, wanted[1], maps) == [], f"seed {seed}"


def test_frames_have_the_tables_schemas_whatever_is_in_the_batch(stream: Any) -> None:
    contract, policy, anonymizer, _ = stream
    for payloads in ([], [b"{}"]):
        outcome = anonymizer.process(Batch(payloads, [RECEIVED] * len(payloads)))
        for frame, table in (
            (outcome.raw, raw_table(contract)),
            (outcome.anonymized, anonymized_table(contract, policy)),
        ):
            assert dict(frame.schema) == {name: kind for name, kind in table.polars().items() if name != "batch_id"}


def test_frames_of_a_full_batch_have_the_tables_schemas(visit: Contract, visit_policy: Policy, keys: KeyRing) -> None:
    event = {"id": "v", "shop": 1, "at": "2026-01-15T09:30:00Z", "till": {}}
    outcome = Anonymizer(visit, visit_policy, keys).process(Batch([json.dumps(event).encode()], [RECEIVED]))
    table = anonymized_table(visit, visit_policy)
    assert dict(outcome.anonymized.schema) | {"batch_id": table.polars()["batch_id"]} == table.polars()
