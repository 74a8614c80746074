"""Versions and tables: what changes demand of both."""

from dataclasses import replace
from pathlib import Path

import pytest

from dataflow.contract import Classification, Contract, Field, FieldType, load_contracts
from dataflow.contract import Constraints as Limits
from dataflow.evolution.base import contracts_at
from dataflow.evolution.compare import Comparison, compare
from dataflow.policy import Policy, load_policy
from dataflow.project import Project

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy(ROOT / "dataflow" / "policy.yaml")


@pytest.fixture(scope="module")
def checkin() -> Contract:
    return load_contracts(ROOT / "dataflow" / "contracts")["checkin"]


def field(name: str, kind: FieldType = FieldType.STRING, *, required: bool = False) -> Field:
    return Field(name, name, kind, required, Classification.PUBLIC, "", Limits())


def compared(old: Contract, new: Contract, policy: Policy) -> Comparison:
    (found,) = compare({old.stream: old}, {new.stream: new}, policy)
    return found


def with_(contract: Contract, *more: Field, version: str = "1.0.0") -> Contract:
    return replace(contract, fields=(*contract.fields, *more), version=version)


def test_an_added_field_is_minor_and_a_nullable_column_in_both_tables(checkin: Contract, policy: Policy) -> None:
    found = compared(checkin, with_(checkin, field("rating", FieldType.INTEGER), version="1.1.0"), policy)
    assert (found.level, found.least, found.fault) == ("FULL", "1.1.0", "")
    assert [str(table) for table in found.tables] == [
        "raw__places.checkin.rating: INT64 NULLABLE added: add the column",
        "anonymized__places.checkin.rating: INT64 NULLABLE added: add the column",
    ]


def test_a_version_that_stays_behind_is_a_fault(checkin: Contract, policy: Policy) -> None:
    found = compared(checkin, with_(checkin, field("rating"), version="1.0.1"), policy)
    assert found.fault == "version 1.0.1 must be 1.1.0 or above: the changes are minor."


def test_a_version_that_goes_back_is_a_fault(checkin: Contract, policy: Policy) -> None:
    found = compared(checkin, replace(checkin, version="0.9.0"), policy)
    assert found.fault == "version 0.9.0 is older than 1.0.0; write 1.0.0."


def test_a_higher_version_than_demanded_is_right(checkin: Contract, policy: Policy) -> None:
    assert compared(checkin, with_(checkin, field("rating"), version="3.0.0"), policy).fault == ""


def test_words_alone_are_a_patch(checkin: Contract, policy: Policy) -> None:
    found = compared(checkin, replace(checkin, description="Other words."), policy)
    assert (found.level, found.least) == ("FULL", "1.0.1")


def test_before_1_0_a_breaking_change_is_minor(checkin: Contract, policy: Policy) -> None:
    draft = replace(checkin, version="0.1.0")
    found = compared(draft, with_(draft, field("rating", required=True), version="0.1.0"), policy)
    assert (found.level, found.least) == ("FORWARD", "0.2.0")


def test_a_required_column_cannot_be_added_as_such(checkin: Contract, policy: Policy) -> None:
    found = compared(checkin, with_(checkin, field("rating", required=True)), policy)
    assert str(found.tables[0]) == (
        "raw__places.checkin.rating: STRING REQUIRED added: not in place; "
        "BigQuery adds NULLABLE columns only; add it so, the contract checks every event"
    )


def test_a_type_change_is_major_and_a_widening_is_possible(checkin: Contract, policy: Policy) -> None:
    found = compared(
        with_(checkin, field("rating", FieldType.INTEGER)), with_(checkin, field("rating", FieldType.NUMBER)), policy
    )
    assert (found.level, found.least) == ("BACKWARD", "2.0.0")
    assert str(found.tables[0]) == (
        "raw__places.checkin.rating: INT64 -> FLOAT64: widen it (ALTER COLUMN SET DATA TYPE FLOAT64)"
    )


def test_another_type_needs_another_table(checkin: Contract, policy: Policy) -> None:
    found = compared(with_(checkin, field("rating")), with_(checkin, field("rating", FieldType.INTEGER)), policy)
    assert [table.possible for table in found.tables] == [False, False]


def test_another_classification_is_major_where_the_policy_drops_its_column(checkin: Contract, policy: Policy) -> None:
    secret = replace(field("rating"), classification=Classification.SENSITIVE)
    found = compared(with_(checkin, field("rating")), with_(checkin, secret), policy)
    assert (found.level, found.least) == ("FULL", "2.0.0")
    assert [str(table) for table in found.tables] == [
        "anonymized__places.checkin.rating: no longer written: the column may stay for its old values"
    ]


def test_another_domain_makes_new_tables(checkin: Contract, policy: Policy) -> None:
    found = compared(checkin, replace(checkin, domain="app"), policy)
    assert [table.column for table in found.tables] == ["raw__app.checkin", "anonymized__app.checkin"]


def test_a_policy_that_does_not_fit_is_said_and_the_rest_compared(checkin: Contract, policy: Policy) -> None:
    place = replace(field("spot"), classification=Classification.LOCATION)  # its rule takes numbers
    found = compared(checkin, with_(checkin, place), policy)
    assert "coarsen_location takes number" in found.policy
    assert [table.column for table in found.tables] == ["raw__places.checkin.spot"]


def test_new_and_removed_streams(checkin: Contract, policy: Policy) -> None:
    assert [found.level for found in compare({}, {"checkin": checkin}, policy)] == ["FULL"]
    assert [found.level for found in compare({"checkin": checkin}, {}, policy)] == ["NONE"]


def test_the_base_may_be_a_file_under_another_name(tmp_path: Path) -> None:
    copy = tmp_path / "old.yaml"
    copy.write_bytes((ROOT / "dataflow" / "contracts" / "checkin.yaml").read_bytes())
    contracts, single = contracts_at(Project(ROOT), str(copy))
    assert (list(contracts), single) == (["checkin"], True)


@pytest.mark.parametrize("inner", ["", "dataflow", "dataflow/contracts"])
def test_the_base_may_be_a_folder(inner: str) -> None:
    contracts, single = contracts_at(Project(ROOT), str(ROOT / inner))
    assert (sorted(contracts), single) == (["app_event", "checkin"], False)
