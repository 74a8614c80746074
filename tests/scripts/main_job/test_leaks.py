"""The scan finds a planted raw value wherever it stands, and does not repeat it."""

import decimal
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.cloud import bigquery

from dataflow.contract import Contract, load_contracts
from dataflow.project import Project
from scripts.main_job.leaks import Leak, Sought, personal_values, scan
from scripts.stack.endpoints import Endpoints
from tests.conftest import ROOT
from tests.dataflow.cases import encoded, event

PERSONAL: dict[str | float, str] = {
    "user_000001": "user_id",
    "3f2504e0-4f89-41d3-9a0c-000000000001": "event_id",
    "ana.tanaka@example.com": "email",
    "Ana Tanaka": "name",
    "田中花子さん": "name",
    35.681236: "location.latitude",
    -139.767125: "location.longitude",
    4111111111111111: "card",
    "abc": "short",
    35.7: "location.latitude",
    7: "floor",
}


@pytest.fixture(scope="module")
def sought() -> Sought:
    return Sought(PERSONAL)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("user_000001", "user_id"),
        ("USER_000001", "user_id"),
        ("it was user_000001, I think", "user_id"),
        ("user_000001@home", "user_id"),
        ("3F2504E0-4F89-41D3-9A0C-000000000001", "event_id"),
        ("mail ana.tanaka@example.com now", "email"),
        ("Ana  Tanaka", "name"),
        ("name=ana+tanaka;", "name"),
        ("田中花子さん", "name"),
        (35.681236, "location.latitude"),
        (decimal.Decimal("35.681236"), "location.latitude"),
        ("35.681236,139.767125", "location.latitude"),
        ("at -139.767125", "location.longitude"),
        (4111111111111111, "card"),
        ("card 4111111111111111", "card"),
        (b"user_000001", "user_id"),
        (b"\xff user_000001", "user_id"),
    ],
)
def test_found(sought: Sought, value: Any, field: str) -> None:
    assert sought.field(value) == field


@pytest.mark.parametrize(
    "value",
    [None, True, "", "user_0000011", "user_00000", "Tanaka Ana", "abc", 35.68, 35.7, "35.7", 7, "7", 35, b"\xff", []],
)
def test_not_found(sought: Sought, value: Any) -> None:
    assert sought.field(value) is None


def test_short_texts_and_coarse_numbers_are_not_looked_for(sought: Sought) -> None:
    assert len(sought) == len(PERSONAL) - 3


def test_personal_values_are_those_of_personal_fields(app_event: Contract) -> None:
    found = personal_values(app_event, [encoded(1), b"broken", b"[]", encoded(2, location=None)])
    one, two = event(1), event(2)
    assert found == {
        one["event_id"]: "event_id",
        two["event_id"]: "event_id",
        one["user_id"]: "user_id",
        two["user_id"]: "user_id",
        one["session_id"]: "session_id",
        two["session_id"]: "session_id",
        35.681236: "location.latitude",
        139.767125: "location.longitude",
        10.5: "location.accuracy",
    }


@pytest.fixture(scope="module")
def app_event() -> Contract:
    return load_contracts(Project(ROOT).contracts)["app_event"]


Plant = Callable[..., str]


@pytest.fixture
def plant(servers: Endpoints) -> Iterator[Plant]:
    """plant(layer, select): a table with these rows; dropped afterwards."""
    client = servers.warehouse_client()
    made: list[str] = []

    def make(layer: str, select: str, kind: str = "TABLE") -> str:
        dataset = client.create_dataset(f"{layer}__{uuid.uuid4().hex[:8]}").dataset_id
        made.append(dataset)
        client.query_and_wait(f"CREATE {kind} {dataset}.t AS {select}")
        return f"{dataset}.t"

    yield make
    for dataset in made:
        client.delete_dataset(dataset, delete_contents=True)


def found(client: bigquery.Client, table: str) -> list[tuple[str, str]]:
    """(column, field) of the leaks of one table."""
    return [(leak.column, leak.field) for leak in scan(client, PERSONAL).leaks if leak.table == table]


def test_a_leak_is_found_in_every_open_layer_and_in_nested_and_repeated_values(
    servers: Endpoints, plant: Plant
) -> None:
    client = servers.warehouse_client()
    assert found(client, plant("anonymized", "SELECT 'user_000001' AS a, 1 AS b")) == [("a", "user_id")]
    assert found(client, plant("warehouse", "SELECT STRUCT(STRUCT(35.681236 AS c) AS b) AS a", "VIEW")) == [
        ("a.b.c", "location.latitude")
    ]
    assert found(client, plant("marts", "SELECT ['x', 'by user_000001'] AS a")) == [("a", "user_id")]
    assert found(client, plant("released", "SELECT [STRUCT(4111111111111111 AS b)] AS a")) == [("a.b", "card")]


def test_raw_values_in_the_raw_layer_are_no_leak(servers: Endpoints, plant: Plant) -> None:
    table = plant("raw", "SELECT 'user_000001' AS a")
    result = scan(servers.warehouse_client(), PERSONAL)
    assert table not in result.tables
    assert [leak for leak in result.leaks if leak.table == table] == []


def test_a_scan_says_what_it_looked_at_and_repeats_no_value(servers: Endpoints, plant: Plant) -> None:
    client = servers.warehouse_client()
    before = scan(client, PERSONAL)
    table = plant("marts", "SELECT 'user_000001' AS a, 'x' AS b UNION ALL SELECT 'y', NULL")
    after = scan(client, PERSONAL)
    assert (after.values - before.values, after.sought) == (4, len(PERSONAL) - 3)
    assert [name for name in after.tables if name not in before.tables] == [table]
    assert Leak(table, "a", "user_id") in after.leaks
    assert "user_000001" not in json.dumps([repr(leak) for leak in after.leaks])
