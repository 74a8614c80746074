"""Contracts: what a file says becomes a typed tree; what is wrong with it becomes one sentence with file and field."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from dataflow.contract import (
    DEFAULT_MAX_MESSAGE_BYTES,
    Classification,
    Constraints,
    Contract,
    FieldType,
    load_contract,
    load_contracts,
)
from dataflow.errors import NorenError

SIGNUP: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "urn:test:signup",
    "name": "signup",
    "version": "2.0.0",
    "status": "active",
    "domain": "web",
    "schema": [
        {
            "name": "signup",
            "logicalType": "object",
            "description": "Somebody signs up.",
            "customProperties": [{"property": "eventTime", "value": "at"}],
            "properties": [
                {"name": "id", "logicalType": "string", "required": True, "primaryKey": True, "primaryKeyPosition": 2},
                {"name": "at", "logicalType": "timestamp", "required": True, "classification": "public"},
                {
                    "name": "place",
                    "logicalType": "object",
                    "required": True,
                    "classification": "location",
                    "properties": [
                        {
                            "name": "shop",
                            "logicalType": "integer",
                            "required": True,
                            "primaryKey": True,
                            "primaryKeyPosition": 1,
                        },
                        {"name": "street", "logicalType": "string", "classification": "free_text"},
                    ],
                },
            ],
        }
    ],
}


def signup() -> dict[str, Any]:
    return copy.deepcopy(SIGNUP)


def properties(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document["schema"][0]["properties"]
    return found


def written(directory: Path, document: Any) -> Path:
    path = directory / "signup.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def refusal(directory: Path, document: Any) -> str:
    with pytest.raises(NorenError) as refused:
        load_contract(written(directory, document))
    return str(refused.value)


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    return load_contract(written(tmp_path, SIGNUP))


def test_a_contract_is_its_files_name_domain_version_and_event_time(contract: Contract) -> None:
    found = (contract.stream, contract.domain, contract.version, contract.event_time, contract.description)
    assert found == ("signup", "web", "2.0.0", "at", "Somebody signs up.")


def test_the_identity_is_in_the_order_of_its_positions_at_any_depth(contract: Contract) -> None:
    assert contract.identity == ("place.shop", "id")


def test_leaves_are_the_fields_that_hold_values_in_the_contracts_order(contract: Contract) -> None:
    assert [(leaf.path, leaf.type) for leaf in contract.leaves()] == [
        ("id", FieldType.STRING),
        ("at", FieldType.TIMESTAMP),
        ("place.shop", FieldType.INTEGER),
        ("place.street", FieldType.STRING),
    ]


def test_a_field_without_a_classification_inherits_its_parents(contract: Contract) -> None:
    assert [leaf.classification for leaf in contract.leaves()] == [
        None,
        Classification.PUBLIC,
        Classification.LOCATION,
        Classification.FREE_TEXT,
    ]


def test_a_field_is_optional_and_unconstrained_unless_it_says_otherwise(contract: Contract) -> None:
    street = contract.leaves()[-1]
    assert (street.type, street.required, street.constraints) == (FieldType.STRING, False, Constraints())


def test_a_message_may_have_a_mebibyte_unless_the_contract_says_otherwise(tmp_path: Path, contract: Contract) -> None:
    assert contract.max_message_bytes == DEFAULT_MAX_MESSAGE_BYTES == 1024 * 1024
    document = signup()
    document["schema"][0]["customProperties"].append({"property": "maxMessageBytes", "value": 2000})
    assert load_contract(written(tmp_path, document)).max_message_bytes == 2000


def test_the_repositorys_contracts_are_valid_and_named_for_their_files(contracts: dict[str, Contract]) -> None:
    assert {name: (item.stream, item.domain) for name, item in contracts.items()} == {
        "app_event": ("app_event", "app"),
        "checkin": ("checkin", "places"),
    }


def test_constraints_are_read(app_event: Contract) -> None:
    leaves = {leaf.path: leaf.constraints for leaf in app_event.leaves()}
    assert leaves["event_id"] == Constraints(format="uuid")
    assert leaves["event_type"] == Constraints(pattern="^[a-z][a-z0-9_]{0,63}$")
    assert leaves["user_id"] == Constraints(min_length=1, max_length=128)
    assert leaves["device.type"] == Constraints(values=("ios", "android"))
    assert leaves["location.latitude"] == Constraints(minimum=-90, maximum=90)


def test_a_directory_without_contracts_says_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(NorenError, match=r"holds no contract: add one <stream>\.yaml"):
        load_contracts(tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(NorenError, match=r"^gone\.yaml: cannot be read: "):
        load_contract(tmp_path / "gone.yaml")


def test_broken_yaml_is_one_sentence_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "signup.yaml").write_text("a: [1,\nb: }")
    with pytest.raises(NorenError, match=r"^signup\.yaml: is no valid YAML: .*line 2") as refused:
        load_contract(tmp_path / "signup.yaml")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("document", [None, [], "text", {}])
def test_what_the_standards_schema_refuses_is_refused_with_its_place(tmp_path: Path, document: Any) -> None:
    assert refusal(tmp_path, document).startswith("signup.yaml: $: ")


def test_the_name_must_be_the_files(tmp_path: Path) -> None:
    assert refusal(tmp_path, signup() | {"name": "login"}) == "signup.yaml: name: must be the file's name, signup."


@pytest.mark.parametrize("domain", [None, "Web", "web-app", "1st"])
def test_the_domain_must_be_usable_in_a_datasets_name(tmp_path: Path, domain: str | None) -> None:
    document = signup()
    del document["domain"]
    if domain is not None:
        document["domain"] = domain
    assert refusal(tmp_path, document).startswith("signup.yaml: domain: must be a lower-case word")


def test_there_must_be_exactly_one_object(tmp_path: Path) -> None:
    document = signup()
    document["schema"].append(copy.deepcopy(document["schema"][0]))
    assert refusal(tmp_path, document) == "signup.yaml: schema: must hold exactly one object, the event."


def test_an_identity_is_needed(tmp_path: Path) -> None:
    document = signup()
    del properties(document)[0]["primaryKey"]
    del properties(document)[2]["properties"][0]["primaryKey"]
    assert refusal(tmp_path, document).startswith("signup.yaml: schema: no field has primaryKey: true")


def test_the_identity_must_be_required(tmp_path: Path) -> None:
    document = signup()
    properties(document)[0]["required"] = False
    assert refusal(tmp_path, document) == (
        "signup.yaml: id: is part of the identity and must be required, and so must every object that it is in."
    )


def test_the_identity_may_not_stand_in_an_optional_object(tmp_path: Path) -> None:
    document = signup()
    properties(document)[2]["required"] = False
    assert refusal(tmp_path, document).startswith("signup.yaml: place.shop: is part of the identity and must be")


@pytest.mark.parametrize("value", ["gone", "id", "place"])
def test_the_event_time_must_name_a_timestamp(tmp_path: Path, value: str) -> None:
    document = signup()
    document["schema"][0]["customProperties"][0]["value"] = value
    assert "customProperties.eventTime: must name a required timestamp field" in refusal(tmp_path, document)


def test_the_event_time_may_not_stand_in_an_optional_object(tmp_path: Path) -> None:
    document = signup()
    where = {"name": "when", "logicalType": "object", "properties": [properties(document).pop(1)]}
    properties(document).append(where)
    document["schema"][0]["customProperties"][0]["value"] = "when.at"
    assert "customProperties.eventTime: must name a required timestamp field" in refusal(tmp_path, document)


@pytest.mark.parametrize("name", ["batch_id", "Event_Token"])
def test_names_of_columns_that_every_table_has_are_taken(tmp_path: Path, name: str) -> None:
    document = signup()
    properties(document).append({"name": name, "logicalType": "string"})
    assert refusal(tmp_path, document) == (
        f"signup.yaml: {name}: is the name of a column that every table has; rename the field."
    )


@pytest.mark.parametrize("second", ["street", "Street"])
def test_two_fields_of_one_object_may_not_share_a_name_whatever_its_case(tmp_path: Path, second: str) -> None:
    document = signup()
    properties(document)[2]["properties"].append({"name": second, "logicalType": "string"})
    assert refusal(tmp_path, document) == (
        f"signup.yaml: place.{second}: another field of the object has this name; BigQuery ignores case."
    )


@pytest.mark.parametrize("name", ["user-id", "1st", "naïve", "a" * 129])
def test_a_fields_name_must_be_one_that_bigquery_takes(tmp_path: Path, name: str) -> None:
    document = signup()
    properties(document).append({"name": name, "logicalType": "string"})
    assert refusal(tmp_path, document).startswith(f"signup.yaml: {name}: a field's name is letters, digits")


def test_a_field_without_a_type_is_named(tmp_path: Path) -> None:
    document = signup()
    del properties(document)[2]["properties"][1]["logicalType"]
    assert refusal(tmp_path, document) == (
        "signup.yaml: $.schema[0].properties[2].properties[1]: logicalType is missing."
    )


def test_an_unsupported_type_is_refused_with_those_there_are(tmp_path: Path) -> None:
    document = signup()
    properties(document).append({"name": "opens", "logicalType": "time"})
    assert refusal(tmp_path, document) == (
        "signup.yaml: opens: logicalType time is not supported; "
        "use string, integer, number, boolean, timestamp, date, object, array, map."
    )


def test_an_unknown_classification_is_refused_with_those_there_are(tmp_path: Path) -> None:
    document = signup()
    properties(document).append({"name": "email", "logicalType": "string", "classification": "pii"})
    assert refusal(tmp_path, document).startswith(
        "signup.yaml: email: classification pii is unknown; use identifier, quasi_identifier, location,"
    )


def test_an_object_needs_properties(tmp_path: Path) -> None:
    document = signup()
    properties(document).append({"name": "device", "logicalType": "object"})
    assert refusal(tmp_path, document) == (
        "signup.yaml: device: an object needs properties, and only an object has them."
    )


def test_only_an_object_has_properties(tmp_path: Path) -> None:
    document = signup()
    inner = [{"name": "type", "logicalType": "string"}]
    properties(document).append({"name": "device", "logicalType": "string", "properties": inner})
    assert refusal(tmp_path, document).startswith("signup.yaml: $.schema[0].properties[3]: ")


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (
            {"name": "n", "logicalType": "integer", "logicalTypeOptions": {"multipleOf": 5}},
            "logicalTypeOptions multipleOf: not supported; remove or rephrase.",
        ),
        (
            {"name": "n", "logicalType": "string", "logicalTypeOptions": {"format": "email"}},
            "format email is not supported; use uuid on a string or a pattern.",
        ),
        (
            {"name": "n", "logicalType": "integer", "enum": [{"value": "1"}]},
            "an enum is supported on strings only.",
        ),
    ],
)
def test_what_cannot_be_checked_is_refused_not_ignored(tmp_path: Path, entry: dict[str, Any], sentence: str) -> None:
    document = signup()
    properties(document).append(entry)
    assert refusal(tmp_path, document) == f"signup.yaml: n: {sentence}"


@pytest.mark.parametrize("value", ["much", 0, -1, 1.5, True])
def test_the_longest_message_must_be_a_number_of_bytes(tmp_path: Path, value: Any) -> None:
    document = signup()
    document["schema"][0]["customProperties"].append({"property": "maxMessageBytes", "value": value})
    assert refusal(tmp_path, document) == (
        "signup.yaml: customProperties.maxMessageBytes: must be a whole number of bytes above 0."
    )


def test_the_event_type_is_a_string_field(tmp_path: Path) -> None:
    document = signup()
    document["schema"][0]["customProperties"].append({"property": "eventType", "value": "place.street"})
    (tmp_path / "signup.yaml").write_text(yaml.safe_dump(document))
    assert load_contract(tmp_path / "signup.yaml").event_type == "place.street"


@pytest.mark.parametrize("value", ["place.shop", "place", "nothing"])
def test_the_event_type_is_nothing_but_a_string_field(tmp_path: Path, value: str) -> None:
    document = signup()
    document["schema"][0]["customProperties"].append({"property": "eventType", "value": value})
    assert refusal(tmp_path, document) == (
        "signup.yaml: customProperties.eventType: must name a string field, outside of arrays."
    )
