"""Avro schemas, tried by writing events with them and reading them back."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import fastavro
import pytest

from dataflow.contract import Constraints, Contract, Field, FieldType, load_contracts
from dataflow.project import Project
from dataflow.schemas.avro import schema

ROOT = Path(__file__).parents[3]

EVENT: dict[str, Any] = {
    "event_id": "9b2d7c1e-6c0f-4a53-9f3e-1f0a3f1b2c3d",
    "event_type": "page_view",
    "timestamp": datetime(2024, 1, 15, 10, 30, tzinfo=UTC),
    "user_id": "user_1",
    "session_id": "session_1",
    "device": {"type": "ios", "os_version": "17.0", "app_version": "3.2.1"},
    "location": {"latitude": 35.6812, "longitude": 139.7671, "accuracy": 10.5},
}


@pytest.fixture(scope="module")
def app_event() -> Contract:
    return load_contracts(Project(ROOT).contracts)["app_event"]


def there_and_back(writer: dict[str, Any], event: dict[str, Any], reader: dict[str, Any] | None = None) -> Any:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(writer), event)
    buffer.seek(0)
    parsed = fastavro.parse_schema(reader) if reader else None
    return fastavro.schemaless_reader(buffer, fastavro.parse_schema(writer), parsed)


def field(name: str, kind: FieldType, **more: Any) -> Field:
    return Field(name, name, kind, False, None, "", Constraints(), **more)


def test_an_event_without_its_optional_fields_comes_back(app_event: Contract) -> None:
    back = there_and_back(schema(app_event), EVENT)
    assert back["timestamp"] == EVENT["timestamp"]
    assert str(back["event_id"]) == EVENT["event_id"]
    assert back["device"] == EVENT["device"] | {"device_model": None}
    assert back["properties"] is None


def test_a_missing_required_field_cannot_be_written(app_event: Contract) -> None:
    with pytest.raises((ValueError, TypeError)):
        there_and_back(schema(app_event), {name: value for name, value in EVENT.items() if name != "user_id"})


def test_lists_maps_and_dates_have_types(app_event: Contract) -> None:
    more = (
        field("tags", FieldType.ARRAY, items=replace(field("tags", FieldType.STRING), required=True)),
        field("free", FieldType.MAP),
        field("born", FieldType.DATE),
    )
    event = {"tags": ["a", "b"], "free": {"n": 1, "s": "x", "nothing": None}, "born": date(2000, 2, 29)}
    back = there_and_back(schema(replace(app_event, fields=(*app_event.fields, *more))), EVENT | event)
    assert {name: back[name] for name in event} == event


def test_two_objects_with_one_name_are_two_records(app_event: Contract) -> None:
    inner = field("device", FieldType.OBJECT, children=(field("inner", FieldType.STRING),))
    outer = field("other", FieldType.OBJECT, children=(inner,))
    back = there_and_back(
        schema(replace(app_event, fields=(*app_event.fields, outer))), EVENT | {"other": {"device": {"inner": "x"}}}
    )
    assert back["other"] == {"device": {"inner": "x"}}


def test_a_full_change_resolves_both_ways(app_event: Contract) -> None:
    new = replace(app_event, fields=(*app_event.fields, field("battery", FieldType.NUMBER)))
    assert there_and_back(schema(app_event), EVENT, schema(new))["battery"] is None
    assert "battery" not in there_and_back(schema(new), EVENT | {"battery": 0.5}, schema(app_event))
