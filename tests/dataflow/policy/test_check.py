"""Everything that is wrong with a policy is said at once, with line and way out."""

from pathlib import Path

import pytest

from dataflow.contract import Contract, load_contracts
from dataflow.errors import NorenError
from dataflow.policy import Policy, PolicyError, check_policy, check_stream, load_policy, read_policy
from dataflow.policy.check import faults, gaps, review

ROOT = Path(__file__).parents[3]
GOOD = (ROOT / "dataflow" / "policy.yaml").read_text()


@pytest.fixture(scope="module")
def contracts() -> dict[str, Contract]:
    return load_contracts(ROOT / "dataflow" / "contracts")


def told(text: str, contracts: dict[str, Contract]) -> list[str]:
    return [str(finding) for finding in review(text, "policy.yaml", contracts)[1]]


def test_the_repositorys_own_policy_fits_its_contracts(contracts: dict[str, Contract]) -> None:
    assert told(GOOD, contracts) == []


BAD = """\
version: 2
classifications:
  identifier: {method: keep}
  quasi_identifer: {method: drop}
  location: {method: coarsen_location, decimals: 7, decimal: 2}
  network: {method: truncate_ips}
  public: {method: keep}
streams:
  app_event:
    purpose: journal
    fields:
      user_idd: {method: token}
      device.type: {method: coarsen_location}
      timestamp: {method: truncate_time, unit: minutes}
      session_id: {method: scrub}
      session_id: {method: scrub}
    derive:
      user_id: {method: user_agent_family, from: device.device_model}
      country: {method: country, from: ip_address}
  checkins: {}
dead_letters: {attribute: [a]}
"""

EXPECTED = """\
policy.yaml:1: version: must be a text such as 1.0.0; it is stamped on every row.
policy.yaml:2: classifications.quasi_identifier: has no rule, so app_event.device.os_version, \
app_event.device.app_version, app_event.device.device_model, checkin.timestamp would be dropped; \
add quasi_identifier: {method: drop} to say so, or another method.
policy.yaml:3: classifications.identifier: app_event.event_id: a field that is identifier may not be kept; \
use token or drop.
policy.yaml:3: classifications.identifier: app_event.user_id: a field that is identifier may not be kept; \
use token or drop.
policy.yaml:3: classifications.identifier: checkin.event_id: a field that is identifier may not be kept; \
use token or drop.
policy.yaml:3: classifications.identifier: checkin.user_id: a field that is identifier may not be kept; \
use token or drop.
policy.yaml:4: classifications.quasi_identifer: is unknown; did you mean quasi_identifier?
policy.yaml:5: classifications.location.decimal: coarsen_location has no such parameter; did you mean decimals?
policy.yaml:5: classifications.location.decimals: expected int <= 4, not 7.
policy.yaml:5: classifications.location: checkin.venue.venue_id: coarsen_location takes number, not string; \
give the field a rule of its own, such as drop.
policy.yaml:6: classifications.network.method: truncate_ips is no method; did you mean truncate_ip?
policy.yaml:8: streams.checkin: checkin.timestamp: the event time cannot be dropped, the anonymized table is \
partitioned by it; give the field {method: truncate_time, unit: day}.
policy.yaml:10: streams.app_event.purpose: journal is a purpose of the pipeline's own keys; choose another.
policy.yaml:12: streams.app_event.fields.user_idd: the contract has no such field; did you mean user_id?
policy.yaml:13: streams.app_event.fields.device.type: app_event.device.type: coarsen_location takes number, \
not string; give the field a rule of its own, such as keep or drop.
policy.yaml:14: streams.app_event.fields.timestamp.unit: minutes is no unit; did you mean minute?
policy.yaml:16: streams.app_event.fields.session_id: stands here a second time, first in line 15.
policy.yaml:18: streams.app_event.derive.user_id: the name is taken; choose another.
policy.yaml:19: streams.app_event.derive.country: from: the contract has no field ip_address; known are event_id, \
event_type, timestamp, user_id, session_id, device.type, device.os_version, device.app_version, device.device_model, \
location.latitude, location.longitude, location.accuracy, properties.page_name, properties.button_id.
policy.yaml:20: streams.checkins: no contract has this name; did you mean checkin?
policy.yaml:21: dead_letters.attribute: is unknown; did you mean attributes?
"""


def test_all_errors_at_once_with_file_line_and_suggestion(contracts: dict[str, Contract]) -> None:
    assert told(BAD, contracts) == EXPECTED.splitlines()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "identifier: {method: token}",
            "identifier: {method: reduce_version}",
            "policy.yaml:5: classifications.identifier: app_event.event_id: a field that is identifier may not be left "
            "to reduce_version; use token or drop.",
        ),
        (
            "location.accuracy: {method: drop}",
            "location.accuracy: {method: keep}",
            "policy.yaml:19: streams.app_event.fields.location.accuracy: app_event.location.accuracy: a field that is "
            "location may not be kept; use coarsen_location or drop.",
        ),
        (
            "timestamp: {method: truncate_time, unit: minute}",
            "timestamp: {method: drop}",
            "policy.yaml:16: streams.app_event.fields.timestamp: app_event.timestamp: the event time cannot be dropped,"
            " the anonymized table is partitioned by it; give the field {method: truncate_time, unit: day}.",
        ),
        (
            "location.accuracy: {method: drop}",
            "location.accuracy: {}",
            "policy.yaml:19: streams.app_event.fields.location.accuracy: has no method; write for example "
            "{method: drop}.",
        ),
        (
            "location.accuracy: {method: drop}",
            "location.accuracy: drop",
            "policy.yaml:19: streams.app_event.fields.location.accuracy: must be a mapping.",
        ),
        (
            "      location.accuracy: {method: drop}",
            "      location.accuracy: {method: drop}\n    derive:\n      who: {method: keep, from: user_id}",
            "policy.yaml:21: streams.app_event.derive.who: from user_id: a field that is identifier may not be kept; "
            "use token or drop.",
        ),
        (
            "      location.accuracy: {method: drop}",
            "      location.accuracy: {method: drop}\n    derive:\n      who: {method: drop, from: user_id}",
            "policy.yaml:21: streams.app_event.derive.who: a column that is dropped is none; remove the entry.",
        ),
        (
            "      location.accuracy: {method: drop}",
            "      location.accuracy: {method: drop}\n    derive:\n      who: {method: country}",
            "policy.yaml:21: streams.app_event.derive.who: from: must name the field that it is derived from.",
        ),
        (
            "      location.accuracy: {method: drop}",
            "      location.accuracy: {method: drop}\n    purpose: App Events",
            "policy.yaml:20: streams.app_event.purpose: must be a lower-case word: letters, digits and underscores.",
        ),
        (
            "attributes: [event_type, app_version]",
            "attributes: event_type",
            "policy.yaml:25: dead_letters.attributes: must be a list of attribute names.",
        ),
        (
            "location.accuracy: {method: drop}",
            "location.accuracy: {method: drop, decimals: 1}",
            "policy.yaml:19: streams.app_event.fields.location.accuracy.decimals: drop has no such parameter; "
            "it takes none.",
        ),
    ],
)
def test_one_fault_is_one_sentence(old: str, new: str, expected: str, contracts: dict[str, Contract]) -> None:
    assert old in GOOD
    assert expected in told(GOOD.replace(old, new), contracts)


def test_a_fault_of_the_file_has_no_second_one_for_the_rule_that_was_not_meant(contracts: dict[str, Contract]) -> None:
    text = GOOD.replace("timestamp: {method: truncate_time, unit: minute}", "timestamp: {method: truncate_tim}")
    assert told(text, contracts) == [
        "policy.yaml:16: streams.app_event.fields.timestamp.method: truncate_tim is no method; "
        "did you mean truncate_time?"
    ]


def test_no_yaml_is_one_sentence() -> None:
    with pytest.raises(NorenError, match=r"^policy.yaml: is no valid YAML: .*, in line 2\.$"):
        read_policy("a: [", "policy.yaml")


def test_an_empty_file_is_told_of() -> None:
    assert [str(finding) for finding in read_policy("", "policy.yaml")[1]] == [
        "policy.yaml:1: version: must be a text such as 1.0.0; it is stamped on every row."
    ]


def test_load_policy_raises_with_all_findings(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("version: 1\nclassification: {}\n")
    with pytest.raises(PolicyError) as raised:
        load_policy(tmp_path / "policy.yaml")
    assert str(raised.value) == (
        "policy.yaml:1: version: must be a text such as 1.0.0; it is stamped on every row.\n"
        "policy.yaml:2: classification: is unknown; did you mean classifications?"
    )
    assert [finding.line for finding in raised.value.findings] == [1, 2]


@pytest.mark.parametrize(("data", "why"), [(None, "No such file or directory"), (b"\xff", "can't decode byte 0xff")])
def test_a_file_that_cannot_be_read_is_one_sentence(data: bytes | None, why: str, tmp_path: Path) -> None:
    if data is not None:
        (tmp_path / "policy.yaml").write_bytes(data)
    with pytest.raises(NorenError, match=rf"^policy.yaml: cannot be read: .*{why}"):
        load_policy(tmp_path / "policy.yaml")


def test_a_pipeline_bears_a_gap_and_drops_what_nothing_is_said_about(contracts: dict[str, Contract]) -> None:
    policy, findings = read_policy(GOOD.replace("  public: {method: keep}\n", ""), "policy.yaml")
    assert (findings, faults(policy, contracts)) == ([], [])
    check_policy(policy, contracts)
    leaf = next(leaf for leaf in contracts["app_event"].leaves() if leaf.path == "event_type")
    assert policy.method(contracts["app_event"], leaf).name == "drop"
    assert [finding.where for finding in gaps(policy, contracts)] == ["classifications.public"]


def test_check_stream_looks_at_one_contract_only(contracts: dict[str, Contract]) -> None:
    policy, _ = read_policy(GOOD.replace("venue.venue_id: {method: drop}", "venue: {method: drop}"), "policy.yaml")
    check_stream(policy, contracts["app_event"])
    with pytest.raises(PolicyError, match=r"fields.venue: the contract has no such field"):
        check_stream(policy, contracts["checkin"])
    with pytest.raises(PolicyError):
        check_policy(policy, contracts)


def test_a_rule_that_does_not_fit_is_refused_where_it_is_used(contracts: dict[str, Contract]) -> None:
    policy: Policy = read_policy(GOOD.replace("identifier: {method: token}", "identifier: {method: keep}"), "p.yaml")[0]
    leaf = next(leaf for leaf in contracts["app_event"].leaves() if leaf.path == "user_id")
    with pytest.raises(NorenError, match=r"^p.yaml:5: app_event.user_id: a field that is identifier may not be kept"):
        policy.method(contracts["app_event"], leaf)
