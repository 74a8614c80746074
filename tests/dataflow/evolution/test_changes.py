"""Compatibility as the core has it: what a change is called is tried on the anonymizer itself."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from dataflow.contract import Contract, load_contract
from dataflow.core import Anonymizer, Batch
from dataflow.evolution.changes import Level, changes, level
from dataflow.keys import KeyRing
from dataflow.policy import Policy, read_policy

BASE: list[dict[str, Any]] = [
    {"name": "id", "logicalType": "string", "required": True, "primaryKey": True, "primaryKeyPosition": 1}
    | {"classification": "identifier"},
    {"name": "at", "logicalType": "timestamp", "required": True, "classification": "public"},
]

GOOD: dict[str, Any] = {"id": "1", "at": "2026-01-01T00:00:00Z"}


def contract(folder: Path, *fields: dict[str, Any], version: str = "1.0.0", **settings: Any) -> Contract:
    custom = {"eventTime": "at"} | settings
    document = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "urn:test:visit",
        "name": "visit",
        "version": version,
        "status": "active",
        "domain": "web",
        "schema": [
            {
                "name": "visit",
                "logicalType": "object",
                "customProperties": [{"property": name, "value": value} for name, value in custom.items()],
                "properties": [*BASE, *({"classification": "public"} | field for field in fields)],
            }
        ],
    }
    path = folder / "visit.yaml"
    path.write_text(yaml.safe_dump(document))
    return load_contract(path)


def text(**more: Any) -> dict[str, Any]:
    return {"name": "x", "logicalType": "string"} | more


def limits(**options: Any) -> dict[str, Any]:
    return {"logicalTypeOptions": options}


def kind(name: str, **more: Any) -> dict[str, Any]:
    return {"name": "x", "logicalType": name} | more


def box(child: dict[str, Any]) -> dict[str, Any]:
    return {"name": "box", "logicalType": "object", "required": True, "properties": [child]}


def listed(item: dict[str, Any]) -> dict[str, Any]:
    return {"name": "x", "logicalType": "array", "items": item}


FREE = {"map": {"key": {"logicalType": "string"}, "value": {"logicalType": "object"}}}

CASES: list[tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]], str]] = [
    # (fields of old, fields of new, events good for old, events good for new, the change in words)
    ([], [text()], [{}], [{}, {"x": "a"}], "x: optional field added: FULL"),
    ([], [text(required=True)], [{}], [{"x": "a"}], "x: required field added: FORWARD"),
    ([text()], [], [{}, {"x": "a"}], [{}], "x: optional field removed: FULL"),
    ([text(required=True)], [], [{"x": "a"}], [{}], "x: required field removed: BACKWARD"),
    ([text()], [text(required=True)], [{}, {"x": "a"}], [{"x": "a"}], "x: now required: FORWARD"),
    ([text(required=True)], [text()], [{"x": "a"}], [{}, {"x": "a"}], "x: no longer required: BACKWARD"),
    ([kind("integer")], [kind("number")], [{"x": 1}], [{"x": 1}, {"x": 1.5}], "x: type integer -> number: BACKWARD"),
    ([kind("number")], [kind("integer")], [{"x": 1}, {"x": 1.5}], [{"x": 1}], "x: type number -> integer: FORWARD"),
    ([kind("date")], [text()], [{"x": "2026-01-01"}], [{"x": "soon"}], "x: type date -> string: BACKWARD"),
    ([text()], [kind("date")], [{"x": "soon"}], [{"x": "2026-01-01"}], "x: type string -> date: FORWARD"),
    ([text()], [kind("integer")], [{"x": "1"}], [{"x": 1}], "x: type string -> integer: NONE"),
    ([kind("timestamp")], [kind("date")], [{"x": "2026-01-01T00:00:00Z"}], [{"x": "2026-01-01"}],
     "x: type timestamp -> date: NONE"),
    ([text(enum=[{"value": "a"}])], [text(enum=[{"value": "a"}, {"value": "b"}])], [{"x": "a"}], [{"x": "b"}],
     "x: value 'b' added: BACKWARD"),
    ([text(enum=[{"value": "a"}, {"value": "b"}])], [text(enum=[{"value": "a"}])], [{"x": "b"}], [{"x": "a"}],
     "x: value 'b' removed: FORWARD"),
    ([text()], [text(enum=[{"value": "a"}])], [{"x": "b"}], [{"x": "a"}], "x: enum of 1 values added: FORWARD"),
    ([text(enum=[{"value": "a"}])], [text()], [{"x": "a"}], [{"x": "b"}], "x: enum removed: BACKWARD"),
    ([text(**limits(maxLength=2))], [text(**limits(maxLength=3))], [{"x": "ab"}], [{"x": "abc"}],
     "x: greatest length 2 -> 3: BACKWARD"),
    ([text(**limits(maxLength=3))], [text(**limits(maxLength=2))], [{"x": "abc"}], [{"x": "ab"}],
     "x: greatest length 3 -> 2: FORWARD"),
    ([text()], [text(**limits(minLength=2))], [{"x": "a"}], [{"x": "ab"}], "x: least length none -> 2: FORWARD"),
    ([kind("number", **limits(minimum=0))], [kind("number", **limits(minimum=-1))], [{"x": 0}], [{"x": -1}],
     "x: minimum 0 -> -1: BACKWARD"),
    ([kind("integer", **limits(maximum=9))], [kind("integer")], [{"x": 9}], [{"x": 10}],
     "x: maximum 9 -> none: BACKWARD"),
    ([text()], [text(**limits(pattern="^a$"))], [{"x": "b"}], [{"x": "a"}], "x: pattern added: FORWARD"),
    ([text(**limits(pattern="^a$"))], [text(**limits(pattern="^b$"))], [{"x": "a"}], [{"x": "b"}],
     "x: pattern changed: NONE"),
    ([box(text())], [box(text(required=True))], [{"box": {}}], [{"box": {"x": "a"}}], "box.x: now required: FORWARD"),
    ([listed(kind("integer"))], [listed(kind("number"))], [{"x": [1]}], [{"x": [1.5]}],
     "x: in each item: type integer -> number: BACKWARD"),
    ([kind("object", properties=[{"name": "a", "logicalType": "string"}])], [kind("map", **FREE)], [{"x": {"a": "b"}}],
     [{"x": {"a": 1}}], "x: type object -> map: BACKWARD"),
]  # fmt: skip


@pytest.fixture(scope="module")
def policy() -> Policy:
    text = "version: 1.0.0\nclassifications: {identifier: {method: token}, public: {method: keep}}\n"
    made, findings = read_policy(text, "policy.yaml")
    assert not findings
    return made


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return KeyRing.local(tmp_path_factory.mktemp("keys"))


def reads(reader: Contract, events: list[dict[str, Any]], policy: Policy, ring: KeyRing) -> bool:
    """Whether the anonymizer of a contract accepts all events."""
    now = 1_800_000_000_000_000
    batch = Batch([json.dumps(GOOD | event).encode() for event in events], [now] * len(events))
    return not Anonymizer(reader, policy, ring, None).process(batch).rejects


@pytest.mark.parametrize(("old", "new", "sent_before", "sent_after", "said"), CASES, ids=[case[4] for case in CASES])
def test_a_change_is_called_what_the_core_makes_of_it(
    old: list[dict[str, Any]],
    new: list[dict[str, Any]],
    sent_before: list[dict[str, Any]],
    sent_after: list[dict[str, Any]],
    said: str,
    tmp_path: Path,
    policy: Policy,
    ring: KeyRing,
) -> None:
    before, after = contract(tmp_path, *old), contract(tmp_path, *new)
    assert reads(before, sent_before, policy, ring), "the case itself is wrong"
    assert reads(after, sent_after, policy, ring), "the case itself is wrong"
    (change,) = changes(before, after)
    assert str(change).startswith(said)
    assert change.level is Level.of(
        backward=reads(after, sent_before, policy, ring), forward=reads(before, sent_after, policy, ring)
    )


def test_the_briefest_change_in_full_words(tmp_path: Path) -> None:
    (change,) = changes(
        contract(tmp_path, text(enum=[{"value": "ios"}])),
        contract(tmp_path, text(enum=[{"value": "ios"}, {"value": "web"}])),
    )
    assert str(change) == "x: value 'web' added: BACKWARD, old readers dead-letter it"


def test_equal_contracts_have_no_changes_and_are_full(tmp_path: Path) -> None:
    found = changes(contract(tmp_path, text()), contract(tmp_path, text(), version="9.0.0"))
    assert (found, level(found)) == ([], Level.FULL)


def test_changes_in_both_directions_together_are_none(tmp_path: Path) -> None:
    old = contract(tmp_path, text(required=True), {"name": "y", "logicalType": "string"})
    new = contract(tmp_path, text(), {"name": "y", "logicalType": "string", "required": True})
    assert level(changes(old, new)) is Level.NONE


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"maxMessageBytes": 2048}, "maxMessageBytes: 1,048,576 -> 2,048 bytes: FORWARD"),
        ({"maxMessageBytes": 2_097_152}, "maxMessageBytes: 1,048,576 -> 2,097,152 bytes: BACKWARD"),
        ({"format": "ndjson"}, "format: json -> ndjson: NONE"),
        ({"eventType": "id"}, "eventType: None -> id: FULL"),
    ],
)
def test_settings_are_compared_too(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    (change,) = changes(contract(tmp_path), contract(tmp_path, **settings))
    assert str(change).startswith(said)


def test_another_identity_is_compatible_with_nothing(tmp_path: Path) -> None:
    key = {"required": True, "primaryKey": True, "primaryKeyPosition": 2}
    found = changes(contract(tmp_path, text(required=True)), contract(tmp_path, text(**key)))
    assert [(change.where, change.what, change.level) for change in found] == [("identity", "id -> id, x", Level.NONE)]


@pytest.mark.parametrize(
    ("have", "demanded", "enough"),
    [
        ("FULL", "BACKWARD", True),
        ("FULL", "FULL", True),
        ("BACKWARD", "BACKWARD", True),
        ("BACKWARD", "FORWARD", False),
        ("BACKWARD", "FULL", False),
        ("NONE", "NONE", True),
        ("FORWARD", "NONE", True),
    ],
)
def test_levels_cover_each_other(have: str, demanded: str, enough: bool) -> None:
    assert Level(have).covers(Level(demanded)) is enough
