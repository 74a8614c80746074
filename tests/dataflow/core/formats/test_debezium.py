"""Change events in Debezium's envelope, bare and beside their schema."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from dataflow.contract import Contract, load_contract
from dataflow.core.formats.debezium import DebeziumReader
from dataflow.core.rejects import Reason, RefusedError
from dataflow.errors import NorenError
from tests.dataflow.ingest.conftest import changes_contract

SOURCE = {
    "version": "2.7.0.Final",
    "connector": "postgresql",
    "ts_ms": 1_768_471_200_123,
    "snapshot": "false",
    "db": "shop",
    "sequence": '["24023119","24023128"]',
    "schema": "public",
    "table": "customer",
    "txId": 555,
    "lsn": 24_023_128,
}

CHANGE = {"time": "2026-01-15T10:00:00.123000Z", "sequence": 24_023_128, "version": "24023128"}


def envelope(op: str, before: Any = None, after: Any = None, **source: Any) -> dict[str, Any]:
    return {"before": before, "after": after, "source": SOURCE | source, "op": op, "ts_ms": 1_768_471_200_456}


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    path = tmp_path / "customer.yaml"
    path.write_text(json.dumps(changes_contract("customer", "shop")))
    return load_contract(path)


@pytest.fixture
def reader(contract: Contract) -> DebeziumReader:
    return DebeziumReader(contract)


def read(reader: DebeziumReader, message: Any) -> Any:
    event = reader.read(json.dumps(message).encode())
    return None if event is None else json.loads(event)


OLD = {"user_id": "u1", "plan": "free", "email": "a@example.com"}
NEW = {"user_id": "u1", "plan": "paid", "email": None}


@pytest.mark.parametrize(
    ("op", "before", "after", "row"),
    [
        ("c", None, NEW, {"user_id": "u1", "plan": "paid"}),
        ("r", None, NEW, {"user_id": "u1", "plan": "paid"}),
        ("u", OLD, NEW, {"user_id": "u1", "plan": "paid"}),
        ("d", OLD, None, {"user_id": "u1"}),
    ],
)
def test_an_event_is_the_row_after_and_of_a_delete_the_key_alone(
    reader: DebeziumReader, op: str, before: Any, after: Any, row: dict[str, Any]
) -> None:
    event = row | {"change": CHANGE | {"operation": op}}
    assert read(reader, envelope(op, before, after)) == event
    assert read(reader, {"schema": None, "payload": envelope(op, before, after)}) == event
    assert read(reader, {"payload": envelope(op, before, after)}) == event


@pytest.mark.parametrize("message", [b"", b"null", b" null\n", b'{"schema":null,"payload":null}'])
def test_a_tombstone_is_no_event(reader: DebeziumReader, message: bytes) -> None:
    assert reader.read(message) is None


def test_a_schema_says_what_numbers_mean(reader: DebeziumReader) -> None:
    columns = [
        {"field": "joined", "type": "int64", "name": "io.debezium.time.MicroTimestamp"},
        {"field": "born", "type": "int32", "name": "io.debezium.time.Date"},
        {
            "field": "balance",
            "type": "bytes",
            "name": "org.apache.kafka.connect.data.Decimal",
            "parameters": {"scale": "2"},
        },
        {"field": "about", "type": "string", "name": "io.debezium.data.Json"},
        {"field": "visits", "type": "int64"},
    ]
    schema = {"type": "struct", "fields": [{"field": part, "fields": columns} for part in ("before", "after")]}
    after = {
        "joined": 1_500_000_000_123_456,
        "born": 19_000,
        "balance": base64.b64encode((-12345).to_bytes(3, "big", signed=True)).decode(),
        "about": '{"a": [1]}',
        "visits": 7,
    }
    event = read(reader, {"schema": schema, "payload": envelope("c", None, after)})
    del event["change"]
    assert event == {
        "joined": "2017-07-14T02:40:00.123456Z",
        "born": "2022-01-08",
        "balance": -123.45,
        "about": {"a": [1]},
        "visits": 7,
    }


def test_a_long_value_that_did_not_change_is_taken_from_before_or_absent(reader: DebeziumReader) -> None:
    placeholder = "__debezium_unavailable_value"
    after = {"user_id": "u1", "plan": placeholder, "email": placeholder}
    event = read(reader, envelope("u", {"plan": "free"}, after))
    assert event == {"user_id": "u1", "plan": "free", "change": CHANGE | {"operation": "u"}}


def test_a_poll_tells_rows_apart_by_its_cursor(reader: DebeziumReader) -> None:
    event = read(reader, envelope("r", None, NEW, cursor="2026-01-01"))
    assert event["change"]["version"] == "2026-01-01"


@pytest.mark.parametrize(
    ("message", "reason", "field"),
    [
        (envelope("t"), Reason.NOT_ALLOWED, "op"),
        (NEW, Reason.MISSING_FIELD, "op"),
        (envelope("c", None, "secret"), Reason.WRONG_TYPE, "after"),
        (["secret"], Reason.WRONG_TYPE, "$"),
    ],
)
def test_what_is_no_change_of_a_row_is_refused_without_a_value(
    reader: DebeziumReader, message: Any, reason: Reason, field: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        read(reader, message)
    assert (refused.value.reason, refused.value.field) == (reason, field)
    assert "secret" not in refused.value.words


def test_a_contract_of_changes_requires_nothing_that_a_delete_lacks(tmp_path: Path) -> None:
    document = changes_contract("customer", "shop")
    document["schema"][0]["properties"][1]["required"] = True
    path = tmp_path / "customer.yaml"
    path.write_text(json.dumps(document))
    with pytest.raises(NorenError, match=r"^customer\.yaml: email: must not be required: of a deleted row"):
        load_contract(path)
