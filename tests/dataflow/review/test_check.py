"""Checks of contracts: every fault at once, each with its line and the way out."""

from pathlib import Path

import pytest

from dataflow.contract import load_contracts
from dataflow.errors import NorenError
from dataflow.review.check import check_contract, check_contracts

ROOT = Path(__file__).parents[3]

GOOD = """\
apiVersion: v3.1.0
kind: DataContract
id: urn:noren:contract:visit
name: visit
version: 1.0.0
status: active
domain: web
schema:
  - name: visit
    logicalType: object
    customProperties:
      - property: eventTime
        value: at
    properties:
      - name: visit_id
        logicalType: string
        required: true
        primaryKey: true
        primaryKeyPosition: 1
        classification: identifier
      - name: at
        logicalType: timestamp
        required: true
        classification: quasi_identifier
"""
"""The last line is 24."""

PUBLIC = "classification: public"


def told(folder: Path, text: str, stem: str = "visit") -> list[str]:
    path = folder / f"{stem}.yaml"
    path.write_text(text, "utf-8")
    return [str(problem) for problem in check_contract(path, folder)]


def with_field(*lines: str) -> str:
    """The good contract with a field; its first line is 25."""
    return GOOD + "".join(f"{'      - ' if number == 0 else '        '}{line}\n" for number, line in enumerate(lines))


def test_the_projects_own_contracts_are_right() -> None:
    assert check_contracts(ROOT / "dataflow" / "contracts", ROOT) == []


def test_a_good_contract_has_no_problem(tmp_path: Path) -> None:
    assert told(tmp_path, GOOD) == []
    load_contracts(tmp_path)


def test_everything_is_said_at_once_in_the_files_order(tmp_path: Path) -> None:
    text = with_field("name: user-agent", "logicalType: text", "classification: identifer").replace("1.0.0", "v1")
    assert told(tmp_path, text) == [
        "visit.yaml:5: version: is v1; a version is three numbers such as 1.0.0 (semver.org).",
        "visit.yaml:25: user-agent: a field's name is letters, digits and underscores and no digit first, at most 128 "
        "characters. Have the sender call it user_agent.",
        "visit.yaml:26: user-agent.logicalType: 'text' is not one of ['string', 'date', 'timestamp', 'time', 'number', "
        "'integer', 'object', 'array', 'boolean', 'map', 'vector'].",
        "visit.yaml:27: user-agent: classification identifer is unknown. Did you mean identifier?",
    ]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            ("name: phone", "logicalType: string"),
            "25: phone: has no classification, own or inherited; the policy would drop it. "
            "Its name suggests identifier (by its name a telephone number).",
        ),
        (
            ("name: Visit_ID", "logicalType: string", "classification: public"),
            "25: Visit_ID: visit_id is declared beside it, and BigQuery ignores case. Rename one of the two.",
        ),
        (
            ("name: Key_Epoch", "logicalType: string", "classification: public"),
            "25: Key_Epoch: is the name of a column that every table has. "
            "Have the sender call it Key_Epoch_sent, or put it into an object.",
        ),
        (
            ("name: _PARTITIONED", "logicalType: string", "classification: public"),
            "25: _PARTITIONED: BigQuery keeps names that begin with _PARTITION for itself. Rename it.",
        ),
        (
            ("name: clock", "logicalType: time", "classification: public"),
            "26: clock: logicalType time is not supported. Use string with a pattern, or timestamp.",
        ),
        (
            ("name: box", "logicalType: object"),
            "26: box: an object needs properties; it declares none. Declare its fields, or remove it.",
        ),
        (
            ("name: a", "logicalType: string", "logicalTypeOptions: {pattern: '^(?=x)$'}", "classification: public"),
            "27: a: Rust's regex does not take the pattern: look-around, including look-ahead and look-behind, is not "
            "supported. It has no look-around and no back-references; say it without, or with an enum.",
        ),
        (
            ("name: a", "logicalType: string", "logicalTypeOptions: {pattern: 'x+'}", "classification: public"),
            "27: a: the pattern is not anchored: it passes whatever contains a match. Put it between ^ and $.",
        ),
        (
            (
                "name: a",
                "logicalType: integer",
                "logicalTypeOptions: {minimum: 9, maximum: 1}",
                "classification: public",
            ),
            "27: a: minimum 9 is above maximum 1: no value passes. Swap them.",
        ),
        (
            ("name: a", "logicalType: string", "logicalTypeOptions: {format: email}", "classification: public"),
            "27: a: format email is not supported. Use uuid, or a pattern.",
        ),
        (
            ("name: a", "logicalType: number", "logicalTypeOptions: {multipleOf: 2}", "classification: public"),
            "27: a: the core does not enforce multipleOf on number. Use maximum, minimum.",
        ),
        (
            ("name: a", "logicalType: integer", "enum: [{value: 1}]", "classification: public"),
            "27: a: an enum is supported on strings only. Use minimum and maximum, or remove it.",
        ),
        (
            ("name: a", "logicalType: string", "examples: [taro]", "classification: public"),
            "27: a: examples may be somebody's data, and contracts are read by everybody. Say it in the description.",
        ),
        (
            ("name: a", "logicalType: string", "primaryKey: true", "primaryKeyPosition: 2", "classification: public"),
            "27: a: is part of the identity and may be absent. Write required: true, on the objects around it too.",
        ),
        (
            ("name: a", "logicalType: number", "required: true", "primaryKey: true", "primaryKeyPosition: 2", PUBLIC),
            "28: a: is part of the identity; a number cannot be. Use strings, integers and times.",
        ),
        (
            ("name: a", "logicalType: string", "required: true", "primaryKey: true", "primaryKeyPosition: 1", PUBLIC),
            "29: a: has no place of its own in the identity, whose order makes the token. "
            "Give each part its primaryKeyPosition, from 1.",
        ),
        (("name: a", "classification: public"), "25: a: logicalType is missing."),
        (
            ("name: a", "logicalType: string", "classification: public", "classification: sensitive"),
            "28: schema.0.properties.2.classification: stands twice in one mapping, and only the last counts. "
            "Remove one.",
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_line(tmp_path: Path, lines: tuple[str, ...], problem: str) -> None:
    assert told(tmp_path, with_field(*lines)) == [f"visit.yaml:{problem}"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("name: visit\nversion", "name: visits\nversion", "4: name: is visits, the file is visit.yaml. "
         "Write name: visit, or rename the file."),
        ("domain: web", "domain: Web", "7: domain: must be a lower-case word; it names the datasets, as in "
         "raw__<domain>."),
        ("        primaryKey: true\n        primaryKeyPosition: 1\n", "", "9: schema: no field has primaryKey: "
         "true; the identity decides what a duplicate is. Is it visit_id? Put it there."),
        ("value: at", "value: when", "12: customProperties.eventTime: names when, which is no field. Use one of at."),
        ("value: at", "value: visit_id", "12: customProperties.eventTime: names visit_id, which is of type string; it "
         "must be a required timestamp. Use at."),
        ("property: eventTime", "property: event_time", "9: customProperties.eventTime: is missing: when did an event "
         "happen? Write eventTime for event_time."),
        ("        value: at\n", "        value: at\n      - {property: maxMessageBytes, value: 0}\n",
         "14: customProperties.maxMessageBytes: must be a whole number from 1 to 10,000,000."),
        ("kind: DataContract\n", "", "1: $: 'kind' is a required property."),
        ("kind: DataContract", "kind: [", "4: $: is no valid YAML: did not find expected ',' or ']'."),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_with_its_line(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in GOOD
    assert told(tmp_path, GOOD.replace(old, new)) == [f"visit.yaml:{problem}"]


def test_a_classification_is_inherited_by_all_fields_below(tmp_path: Path) -> None:
    assert (
        told(
            tmp_path,
            with_field(
                "name: places",
                "logicalType: array",
                "classification: location",
                "items:",
                "  logicalType: object",
                "  properties:",
                "    - {name: latitude, logicalType: number}",
            ),
        )
        == []
    )


def test_what_only_a_rendering_refuses_is_a_problem_too(tmp_path: Path) -> None:
    text = with_field("name: visitId", "logicalType: string", "classification: identifier")
    assert told(tmp_path, text) == ["visit.yaml:1: $: visit_id and visitId clash in one message; rename one."]


def test_a_folder_without_contracts_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NorenError, match=r"holds no contract: make one with noren contract new"):
        check_contracts(tmp_path, tmp_path)


def test_bytes_that_are_no_text_are_a_problem_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "visit.yaml").write_bytes(b"\xff\xfe")
    assert [str(problem) for problem in check_contracts(tmp_path, tmp_path)] == ["visit.yaml:1: $: is no UTF-8 text."]
