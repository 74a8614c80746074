"""Unknown fields put into a contract's text."""

import difflib
from pathlib import Path

import pytest

from dataflow.contract import Contract, load_contract
from dataflow.errors import NorenError
from dataflow.inference.propose import Proposal, Unknown, propose
from dataflow.inference.rules import added, checked, needed
from dataflow.policy import load_policy, read_policy

ROOT = Path(__file__).parents[3]
ENTRY = "  s:\n    fields:\n      a: {method: drop}\n"
OTHER = "  s:\n    fields:\n      b: {method: keep}"
FILE = ROOT / "dataflow" / "contracts" / "app_event.yaml"


@pytest.fixture(scope="module")
def app_event() -> Contract:
    return load_contract(FILE)


def proposed(contract: Contract, *unknown: Unknown) -> Proposal:
    return propose(FILE.read_text("utf-8"), contract, unknown)


def difference(proposal: Proposal) -> list[str]:
    """The lines that are not the same."""
    lines = difflib.ndiff(FILE.read_text("utf-8").splitlines(), proposal.text.splitlines())
    return [line for line in lines if line[0] in "+-"]


def test_a_field_goes_to_the_end_of_its_object_and_nothing_else_changes(app_event: Contract) -> None:
    proposal = proposed(app_event, Unknown("device.carrier", "string", 12))
    assert difference(proposal) == [
        "- version: 1.0.0",
        "+ version: 1.1.0",
        "+           - name: carrier",
        "+             # counted undeclared in 12 events",
        "+             logicalType: string",
        "+             classification: quasi_identifier # proposed, 80%: by its name one of many traits that together "
        "single out a device",
    ]
    lines = proposal.text.splitlines()
    assert lines[lines.index("          - name: carrier") + 4] == "      - name: location"


def test_the_result_is_a_contract_with_the_fields_optional(app_event: Contract) -> None:
    unknown = (Unknown("carrier", "string", 1), Unknown("properties.query", "string", 1), Unknown("on", "boolean", 1))
    contract = checked("app_event", proposed(app_event, *unknown).text)
    leaves = {leaf.path: leaf for leaf in contract.leaves()}
    assert not any(leaves[path].required for path in ("carrier", "properties.query", "on"))
    assert leaves["properties.query"].classification == "free_text"


def test_what_cannot_be_declared_is_told(app_event: Contract) -> None:
    proposal = proposed(
        app_event,
        Unknown("<other>", "string", 1_200),
        Unknown("device.<other>", "string", 9),
        Unknown("user-agent", "string", 8),
        Unknown("batch_id", "string", 7),
        Unknown("cart", "object", 6),
        Unknown("tags", "array", 5),
        Unknown("nothing", "null", 4),
        Unknown("gone.inner", "string", 3),
    )
    assert [path for path, _ in proposal.left] == [
        "<other>", "device.<other>", "user-agent", "batch_id", "cart", "tags", "nothing", "gone.inner"
    ]  # fmt: skip
    assert proposal.left[0][1] == "names that may be data themselves (1,200 events)"
    assert proposal.left[4][1] == "an object: declare its fields (6 events)"
    assert (proposal.added, difference(proposal)) == ([], [])


def test_a_field_that_is_declared_by_now_is_passed_over(app_event: Contract) -> None:
    proposal = proposed(app_event, Unknown("user_id", "string", 1), Unknown("Device.Type", "string", 1))
    assert (proposal.added, proposal.left) == ([], [])


def test_the_type_of_most_values_counts_and_the_others_are_told(app_event: Contract) -> None:
    (draft,) = proposed(app_event, Unknown("level", "number", 9), Unknown("level", "string", 1)).added
    assert draft.kind == "number"
    assert "10.0% of the values are of another type: dead letters" in draft.remarks


def test_names_that_differ_in_case_are_declared_once(app_event: Contract) -> None:
    proposal = proposed(app_event, Unknown("Carrier", "string", 9), Unknown("carrier", "string", 1))
    assert [draft.name for draft in proposal.added] == ["Carrier"]


def test_a_list_in_brackets_is_refused_with_the_way_out(app_event: Contract) -> None:
    text = "version: 1.0.0\nschema: [{name: app_event, logicalType: object, properties: []}]\n"
    with pytest.raises(NorenError, match=r"^app_event\.yaml: schema: is written in brackets; write one entry a line"):
        propose(text, app_event, [Unknown("carrier", "string", 1)])


def test_rules_that_the_policy_lacks_are_added_under_its_streams(app_event: Contract) -> None:
    policy = ROOT / "dataflow" / "policy.yaml"
    contract = checked("app_event", proposed(app_event, Unknown("home_address", "string", 1)).text)
    rules = needed(contract, load_policy(policy))
    assert rules == {"home_address": "{method: drop}"}
    text = added(policy.read_text("utf-8"), "app_event", rules)
    assert [
        line for line in difflib.ndiff(policy.read_text("utf-8").splitlines(), text.splitlines()) if line[0] in "+-"
    ] == ["+       home_address: {method: drop}"]
    made, findings = read_policy(text, "policy.yaml")
    assert not findings
    assert needed(contract, made) == {}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("version: 1.0.0\n", f"version: 1.0.0\nstreams:\n{ENTRY}"),
        ("streams:\n  t: {purpose: x}\nversion: 1.0.0", f"streams:\n  t: {{purpose: x}}\n{ENTRY}version: 1.0.0"),
        (f"streams:\n{OTHER} # why\n", f"streams:\n{OTHER} # why\n      a: {{method: drop}}\n"),
    ],
)
def test_rules_find_their_place_in_any_layout(before: str, after: str) -> None:
    assert added(before, "s", {"a": "{method: drop}"}) == after
