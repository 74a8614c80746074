"""Pub/Sub definitions, compiled by protoc and tried on real JSON messages."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2, json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from grpc_tools import protoc

from dataflow.contract import Constraints, Contract, Field, FieldType, load_contracts
from dataflow.errors import NorenError
from dataflow.policy import load_policy
from dataflow.project import Project
from dataflow.schemas import anonymized_table
from dataflow.schemas.pubsub import Member, events, field_number, render, rows

ROOT = Path(__file__).parents[3]

EVENT = {
    "event_id": "9b2d7c1e-6c0f-4a53-9f3e-1f0a3f1b2c3d",
    "event_type": "page_view",
    "timestamp": "2024-01-15T10:30:00Z",
    "user_id": "user_1",
    "session_id": "session_1",
    "device": {"type": "ios", "os_version": "17.0", "app_version": "3.2.1", "device_model": "iPhone 15"},
    "location": {"latitude": 35.6812, "longitude": 139.7671, "accuracy": 10.5},
    "properties": {"page_name": "home", "button_id": None},
}


@pytest.fixture(scope="module")
def contracts() -> dict[str, Contract]:
    return load_contracts(Project(ROOT).contracts)


def compile_message(text: str, folder: Path) -> type[Message]:
    """The one top-level message of a definition, as protoc reads it."""
    (folder / "schema.proto").write_text(text)
    assert protoc.main(["", f"-I{folder}", f"-o{folder}/schema.pb", f"{folder}/schema.proto"]) == 0
    files = descriptor_pb2.FileDescriptorSet.FromString((folder / "schema.pb").read_bytes())
    pool = DescriptorPool()
    pool.Add(files.file[0])
    (name,) = [message.name for message in files.file[0].message_type]
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def test_definition_takes_the_contracts_own_event(contracts: dict[str, Contract], tmp_path: Path) -> None:
    message = compile_message(events(contracts["app_event"]), tmp_path)
    parsed = json_format.Parse(json.dumps(EVENT), message())
    assert parsed.DESCRIPTOR.name == "AppEvent"
    assert parsed.device.os_version == "17.0"
    assert not parsed.properties.HasField("button_id")


def test_definition_takes_an_event_without_any_field(contracts: dict[str, Contract], tmp_path: Path) -> None:
    message = compile_message(events(contracts["checkin"]), tmp_path)
    assert json_format.Parse("{}", message()) == message()


@pytest.mark.parametrize("wrong", [{"user_id": 7}, {"location": {"latitude": "north"}}, {"battery": 12}])
def test_definition_refuses_a_wrong_type_and_an_unknown_field(
    contracts: dict[str, Contract], tmp_path: Path, wrong: dict[str, object]
) -> None:
    """Why it is not enforced where apps publish: the anonymizer counts an unknown field and lets the event go on."""
    message = compile_message(events(contracts["app_event"]), tmp_path)
    with pytest.raises(json_format.ParseError):
        json_format.Parse(json.dumps(EVENT | wrong), message())


def test_every_field_of_every_contract_is_there(contracts: dict[str, Contract], tmp_path: Path) -> None:
    for contract in contracts.values():
        message = compile_message(events(contract), tmp_path)
        for leaf in contract.leaves():
            descriptor = message.DESCRIPTOR
            *parents, last = leaf.path.split(".")
            for parent in parents:
                descriptor = descriptor.fields_by_name[parent].message_type
            assert descriptor.fields_by_name[last].has_presence


def test_rows_have_the_columns_of_the_anonymized_table(contracts: dict[str, Contract], tmp_path: Path) -> None:
    policy = load_policy(Project(ROOT).policy)
    for contract in contracts.values():
        message = compile_message(rows(contract, policy), tmp_path)
        columns = [column.name for column in anonymized_table(contract, policy).columns]
        assert [field.name for field in message.DESCRIPTOR.fields] == columns


def test_rows_have_no_field_that_the_policy_drops(contracts: dict[str, Contract]) -> None:
    text = rows(contracts["checkin"], load_policy(Project(ROOT).policy))
    assert "venue_id" in events(contracts["checkin"])
    assert "venue_id" not in text


def test_a_repeated_column_is_a_repeated_field(tmp_path: Path) -> None:
    text = render("X", [Member("names", members=(Member("value", "string"),), repeated=True)], "x")
    parsed = json_format.Parse('{"names": [{"value": "a"}, {"value": "b"}]}', compile_message(text, tmp_path)())
    assert [name.value for name in parsed.names] == ["a", "b"]


def test_numbers_stay_when_a_field_is_added_before_others(contracts: dict[str, Contract]) -> None:
    contract = contracts["checkin"]
    new = Field("battery", "battery", FieldType.NUMBER, False, None, "", Constraints())
    before = events(contract).splitlines()
    after = events(replace(contract, fields=(new, *contract.fields))).splitlines()
    assert [line for line in after if line not in before] == [f"  optional double battery = {field_number('battery')};"]


def test_descriptions_and_versions_make_no_new_revision(contracts: dict[str, Contract]) -> None:
    contract = contracts["checkin"]
    assert events(replace(contract, version="9.0.0", description="other words")) == events(contract)


def test_numbers_keep_out_of_the_range_of_protocol_buffers() -> None:
    numbers = {field_number(f"field_{index}") for index in range(50_000)}
    assert min(numbers) >= 1
    assert max(numbers) <= 2**29 - 1
    assert not any(19_000 <= number <= 19_999 for number in numbers)


def test_fields_with_one_json_name_are_refused() -> None:
    with pytest.raises(NorenError, match=r"^x\.yaml: device_model and deviceModel clash in one message; rename"):
        render("X", [Member("device_model", "string"), Member("deviceModel", "string")], "x.yaml")


def test_lists_and_free_form_objects_are_in_the_definition(contracts: dict[str, Contract], tmp_path: Path) -> None:
    item = Field("tags", "tags", FieldType.STRING, True, None, "", Constraints())
    tags = replace(item, type=FieldType.ARRAY, items=item)
    free = replace(item, name="free", path="free", type=FieldType.MAP)
    text = events(replace(contracts["checkin"], fields=(*contracts["checkin"].fields, tags, free)))
    parsed = json_format.Parse('{"tags": ["a", "b"], "free": {"k": "v"}}', compile_message(text, tmp_path)())
    assert (list(parsed.tags), dict(parsed.free)) == (["a", "b"], {"k": "v"})
