"""The four outputs, and the rules' table in the README."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from iam.lint import RULES
from iam.lint.report import FORMATS
from iam.lint.rules import table

README = Path(__file__).parents[3] / "iam" / "lint" / "README.md"


@pytest.fixture
def findings(add, found):
    add("datasets/marts__product", {"role": "READER", "domain": "example.com"}, {"role": "READER", "domain": "x.com"})
    return found()


def test_text_is_a_line_a_finding_as_editors_read_it(findings):
    lines = FORMATS["text"](findings).splitlines()
    assert lines[0] == (
        "iam/datasets/marts__product.json:24:5: NRN016 whole-domain: example.com is everybody with an account of this "
        "domain: grant a group."
    )
    assert lines[-1] == "1 error, 2 warnings"
    assert FORMATS["text"]([]) == "iam/: nothing to complain about"


def test_json_has_place_and_suggestion(findings):
    [whole, external, _] = json.loads(FORMATS["json"](findings))
    assert (whole["code"], whole["line"], whole["column"], whole["fixable"]) == ("NRN016", 24, 5, False)
    assert external["suggestion"] == "add the domain to iam/lint.yaml if it is ours"


def test_sarif_names_rule_place_and_level(findings):
    """The properties that the standard requires, and those that code scanning reads:
    https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/sarif-v2.1.0-os.html"""
    log = json.loads(FORMATS["sarif"](findings))
    assert (log["version"], log["$schema"]) == ("2.1.0", "https://json.schemastore.org/sarif-2.1.0.json")
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"] == "noren"
    assert [rule["id"] for rule in rules] == [rule.code for rule in RULES]
    assert all(rule["shortDescription"]["text"] and rule["fullDescription"]["text"] for rule in rules)
    assert len(run["results"]) == len(findings)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning")
        assert result["message"]["text"]
        [location] = result["locations"]
        place = location["physicalLocation"]
        assert place["artifactLocation"] == {"uri": "iam/datasets/marts__product.json", "uriBaseId": "%SRCROOT%"}
        assert min(place["region"].values()) >= 1


def test_junit_has_a_case_a_rule_and_a_failure_an_error(findings):
    [suite] = ET.fromstring(FORMATS["junit"](findings))
    assert (suite.get("tests"), suite.get("failures")) == (str(len(RULES)), "1")
    [failure] = suite.iter("failure")
    assert failure.get("message").startswith("iam/datasets/marts__product.json:28:5: x.com is outside of example.com")
    [printed] = suite.iter("system-out")
    assert len(printed.text.splitlines()) == 2


def test_junit_has_one_failure_for_many_errors_of_a_rule(add, found):
    add("datasets/marts__product", *({"role": "READER", "userByEmail": f"{who}@example.com"} for who in ("a", "b")))
    [suite] = ET.fromstring(FORMATS["junit"](found()))
    [failure] = suite.iter("failure")
    assert suite.get("failures") == "1"
    assert failure.get("message").endswith("(and 1 more)")
    assert len(failure.text.splitlines()) == 2


def test_the_readmes_table_is_that_of_the_rules():
    assert table() in README.read_text("utf-8")
