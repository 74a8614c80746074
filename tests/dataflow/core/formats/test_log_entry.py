"""A contract of Cloud Logging's own fields."""

import json
from pathlib import Path
from typing import Any

import pytest

from dataflow.contract import Contract, load_contract
from dataflow.keys import KeyRing
from dataflow.policy import Policy
from tests.dataflow.core.formats.carriers import Core

ENTRY: dict[str, Any] = {
    "insertId": "a1",
    "timestamp": "2026-01-15T09:30:12.345678901Z",
    "receiveTimestamp": "2026-01-15T09:30:13Z",
    "logName": "projects/p/logs/requests",
    "severity": "INFO",
    "resource": {"type": "http_load_balancer", "labels": {"zone": "global"}},
    "labels": {"k": "v"},
    "trace": "projects/p/traces/1",
    "jsonPayload": {"cache": "hit", "extra": 1},
    "httpRequest": {
        "requestMethod": "GET",
        "requestUrl": "https://example.com/?q=1",
        "status": 200,
        "userAgent": "curl/8",
        "remoteIp": "203.0.113.77",
        "responseSize": "0512",
        "latency": "0.004510s",
        "cacheHit": True,
    },
}


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load_contract(Path(__file__).with_name("request.yaml"))


@pytest.fixture(scope="module")
def core(contract: Contract, policy: Policy, keys: KeyRing) -> Core:
    return Core(contract, policy, keys)


def entry(**changes: Any) -> bytes:
    whole = ENTRY | changes
    return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


def test_the_envelope_is_mapped_onto_the_contracts_fields(core: Core) -> None:
    _, outcome = core.run(entry())
    assert outcome.rejects == []
    row = outcome.raw.to_dicts()[0]
    assert row["http_request"] == {
        "method": "GET",
        "url": "https://example.com/?q=1",
        "status": 200,
        "user_agent": "curl/8",
        "remote_ip": "203.0.113.77",
        "response_size": 512,
        "latency": 0.00451,
    }
    logged = row["log_entry"]
    assert (logged["insert_id"], logged["severity"], logged["resource_type"]) == ("a1", "INFO", "http_load_balancer")
    assert logged["labels"] == '{"k":"v"}'
    assert (row["cache"], row["text_payload"]) == ("hit", None)


def test_what_of_the_envelope_is_not_declared_is_not_unknown(core: Core) -> None:
    _, outcome = core.run(entry())
    assert outcome.unknown == [(0, "extra", "number")]


def test_an_ip_leaves_as_a_network_only(core: Core) -> None:
    _, outcome = core.run(entry())
    assert outcome.anonymized.to_dicts()[0]["http_request"]["remote_ip"] == "203.0.113.0"


def test_text_payload(core: Core) -> None:
    _, outcome = core.run(entry(jsonPayload=None, textPayload="GET /"))
    assert outcome.raw["text_payload"].to_list() == ["GET /"]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"severity": "ERROR"}, True),
        ({"insertId": "a2"}, False),
        ({"timestamp": "2026-01-15T09:30:13Z"}, False),
        ({"logName": "projects/p/logs/other"}, False),
    ],
)
def test_identity_is_that_of_cloud_logging(core: Core, change: dict[str, Any], same: bool) -> None:
    _, outcome = core.run(entry(), entry(**change))
    tokens = outcome.raw["event_token"]
    assert (tokens[0] == tokens[1]) is same


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"status": "200"}, "http_request.status"),
        ({"status": 200, "latency": "fast"}, "http_request.latency"),
        ({"status": 200, "responseSize": "many"}, "http_request.response_size"),
        ({"status": 200, "latency": 5}, None),
    ],
)
def test_what_is_no_number_is_refused_by_its_field(core: Core, request_: dict[str, Any], field: str | None) -> None:
    found = core.refusals(entry(httpRequest=request_))
    assert found == ([("wrong_type", field)] if field else [])


def test_an_entry_without_a_request_is_refused(core: Core) -> None:
    assert core.refusals(entry(httpRequest=None)) == [("missing_field", "http_request")]
