"""The data dictionary."""

from dataclasses import replace
from pathlib import Path

import pytest

from dataflow.contract import Classification, Constraints, Contract, Field, FieldType, load_contracts
from dataflow.policy import Policy, read_policy
from dataflow.project import Project
from dataflow.schemas.markdown import dictionary

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def checkin() -> Contract:
    return load_contracts(Project(ROOT).contracts)["checkin"]


@pytest.fixture(scope="module")
def policy() -> Policy:
    text = """
version: 7.0.0
classifications:
  identifier: {method: token}
  public: {method: keep}
  network: {method: truncate_ip}
  location: {method: drop}
streams:
  checkin:
    purpose: shared
    fields:
      timestamp: {method: truncate_time, unit: day}
    derive:
      country: {method: country, from: ip}
"""
    made, findings = read_policy(text, "policy.yaml")
    assert not findings
    return made


@pytest.fixture(scope="module")
def lines(checkin: Contract, policy: Policy) -> list[str]:
    ip = Field("ip", "ip", FieldType.STRING, False, Classification.NETWORK, "a | b\nc", Constraints(max_length=45))
    item = Field("tags", "tags", FieldType.STRING, True, Classification.PUBLIC, "", Constraints())
    tags = replace(item, type=FieldType.ARRAY, required=False, items=item)
    return dictionary([replace(checkin, fields=(*checkin.fields, ip, tags))], policy).splitlines()


def row(lines: list[str], field: str) -> list[str]:
    (found,) = [line for line in lines if line.startswith(f"| {field} |")]
    return found.strip("| ").split(" | ")


def test_a_field_is_said_with_its_type_rule_and_column(lines: list[str]) -> None:
    assert row(lines, "`user_id`") == [
        "`user_id`",
        "The account.",
        "string (1 to 128 characters), required",
        "identifier",
        "token",
        "which rows share a value within one purpose and key epoch",
        "no",
        "`user_id` STRING",
    ]


def test_a_dropped_field_ends_nowhere(lines: list[str]) -> None:
    assert row(lines, "`venue.latitude`")[4:] == ["drop", "nothing", "no", "none"]


def test_a_derived_column_has_a_row_of_its_own(lines: list[str]) -> None:
    assert row(lines, "*country*")[1] == "derived from `ip`"
    assert row(lines, "*country*")[-1] == "`country` STRING"


def test_descriptions_cannot_break_the_table(lines: list[str]) -> None:
    (found,) = [line for line in lines if line.startswith("| `ip` |")]
    assert "a \\| b c" in found


def test_a_list_is_one_column(lines: list[str]) -> None:
    assert row(lines, "`tags`")[2::5] == ["list of string", "`tags` ARRAY of STRING"]


def test_a_stream_says_its_tables_topics_identity_and_purpose(lines: list[str]) -> None:
    start = lines.index("## checkin 1.0.0")
    assert lines[start + 4 : start + 9] == [
        "- raw: `raw__places.checkin`, by receive time",
        "- anonymized: `anonymized__places.checkin`, by event time",
        "- topics: `checkin` in, `checkin-anonymized` out",
        "- an event is named by `event_id` and happened at `timestamp`",
        "- tokens join with those of purpose `shared`, within one key epoch",
    ]
