"""Derived columns: what may be derived from what, and under which name."""

import pytest

from dataflow.contract import Contract
from dataflow.methods import registry
from dataflow.policy import Policy
from dataflow.policy.check import faults
from dataflow.policy.model import Derived, StreamPolicy


def told(contract: Contract, name: str, source: str, method: str) -> list[str]:
    """What is wrong with one derived column."""
    rule = StreamPolicy(derive=(Derived(name, source, registry()[method]()),))
    policy = Policy("1.0.0", {}, {contract.stream: rule}, frozenset())
    return [finding.sentence for finding in faults(policy, {contract.stream: contract}) if "derive" in finding.where]


@pytest.mark.parametrize("name", ["batch_id", "Event_Token", "email", "EMAIL"])
def test_a_taken_name_is_refused_whatever_its_case(visit: Contract, name: str) -> None:
    assert told(visit, name, "user_agent", "user_agent_family") == ["the name is taken; choose another."]


@pytest.mark.parametrize("name", ["user-agent", "a.b", "1st", ""])
def test_a_name_that_is_no_columns_is_refused(visit: Contract, name: str) -> None:
    assert told(visit, name, "user_agent", "user_agent_family") == [
        "a column's name is letters, digits and underscores, as BigQuery wants it."
    ]


@pytest.mark.parametrize(("source", "method"), [("email", "keep"), ("email", "scrub"), ("secret", "keep")])
def test_a_personal_value_does_not_leave_by_another_name(visit: Contract, source: str, method: str) -> None:
    (sentence,) = told(visit, "copy", source, method)
    assert sentence.startswith(f"from {source}: a field that is ")


def test_a_good_one_is_told_nothing(visit: Contract) -> None:
    assert told(visit, "browser", "user_agent", "user_agent_family") == []
