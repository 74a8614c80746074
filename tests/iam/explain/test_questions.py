"""Who sees a table, what a member sees, and why."""

from dataclasses import replace

import pytest

from iam.engine import DatasetName, TableName, world
from iam.engine.other_ways import other_ways
from iam.entries import Entry
from iam.explain import matrix, members, what, who, why
from iam.groups import Group, Groups
from iam.positions import Place

P = "p"
GROUPS = Groups(
    [
        Group("admins@x.com", "", "", "ada@x.com", members=frozenset({"ada@x.com"})),
        Group("analysts@x.com", "", "", "ada@x.com", members=frozenset({"ana@x.com"})),
        Group("business@x.com", "", "", "bea@x.com", members=frozenset({"bo@x.com", "by@x.com"})),
    ]
)
JOBS = Entry({"role": "roles/bigquery.jobUser", "domain": "x.com"}, Place("iam/project.json"))
DATASETS = {
    "raw": [Entry({"role": "OWNER", "groupByEmail": "admins@x.com"}, Place("iam/datasets/raw.json"))],
    "warehouse": [
        Entry({"role": "READER", "groupByEmail": "analysts@x.com"}),
        Entry({"view": {"projectId": P, "datasetId": "marts", "tableId": "v"}}, Place("iam/authorized_views/w.json")),
    ],
    "marts": [
        Entry({"role": "READER", "groupByEmail": "analysts@x.com"}),
        Entry({"role": "READER", "groupByEmail": "business@x.com"}),
    ],
}
VIEWS = {"marts.v": ["warehouse.t"], "marts.broken": ["raw.t"]}


@pytest.fixture
def known():
    return world(P, GROUPS, DATASETS, VIEWS, [JOBS])


def table(name: str) -> TableName:
    return TableName(P, *name.split("."))


def test_members_are_people_and_whoever_a_grant_names(known):
    assert members(known) == ("ada@x.com", "ana@x.com", "anybody@x.com", "bo@x.com", "by@x.com")


def test_who_sees_a_table_itself_and_through_the_views_over_it(known):
    found = {(reader.object.short, reader.members) for reader in who(known, table("warehouse.t"))}
    assert found == {
        ("warehouse.t", ("ana@x.com",)),
        ("marts.v", ("ana@x.com",)),
        ("marts.v", ("bo@x.com", "by@x.com")),
    }


def test_a_view_that_does_not_mention_the_column_does_not_show_it(known):
    view = replace(known.tables[table("marts.v")], touches={table("warehouse.t"): frozenset({"a"})})
    told = replace(known, tables={**known.tables, view.name: view})
    assert {reader.object.short for reader in who(told, table("warehouse.t"), "secret")} == {"warehouse.t"}
    assert {reader.object.short for reader in who(told, table("warehouse.t"), "A")} == {"warehouse.t", "marts.v"}


def test_what_a_member_sees_by_dataset(known):
    assert [(seen.dataset, seen.rights, seen.objects) for seen in what(known, "bo@x.com")] == [
        ("marts", ("METADATA", "READ"), ("v",))
    ]
    assert what(known, "stranger@y.com") == []


def test_why_names_every_link_with_its_file(known):
    answer = why(known, "bo@x.com", table("marts.v"))
    assert [str(reason) for reason in answer.decision.reasons] == [
        "domain x.com has roles/bigquery.jobUser on the project p (iam/project.json:1:1)",
        "bo@x.com is in business@x.com",
        "group business@x.com has READER on marts",
        "marts.v reads warehouse.t",
        "warehouse authorizes marts.v (iam/authorized_views/w.json:1:1)",
    ]


def test_why_not_names_the_first_link_that_is_missing_and_the_group_to_ask_for(known):
    answer = why(known, "bo@x.com", table("marts.broken"))
    assert answer.decision.missing == (
        "raw does not authorize marts.broken, which reads raw.t, and bo@x.com has no role to read it."
    )
    assert answer.ask == "Members of admins@x.com may: ask ada@x.com."


def test_the_group_to_ask_for_is_the_one_that_allows_least(known):
    raw = (*known.datasets[DatasetName(P, "raw")].grants, Entry({"role": "READER", "groupByEmail": "analysts@x.com"}))
    told = world(P, GROUPS, {**DATASETS, "raw": list(raw)}, VIEWS, [JOBS])
    assert why(told, "bo@x.com", table("raw.t")).ask == "Members of analysts@x.com may: ask ada@x.com."


@pytest.mark.parametrize("stranger", ["eve@other.com", "bot@p.iam.gserviceaccount.com"])
def test_a_stranger_hears_of_no_group(known, stranger):
    assert why(known, stranger, table("raw.t")).ask == ""


def test_other_ways_to_raw_data_are_listed_beside_the_answer(known):
    grants = [
        JOBS,
        Entry({"role": "roles/cloudkms.cryptoKeyDecrypter", "groupByEmail": "analysts@x.com"}),
        Entry({"role": "roles/iam.serviceAccountTokenCreator", "userByEmail": "bo@x.com"}),
    ]
    told = replace(known, project_grants={P: tuple(grants)})
    assert [(way.what, way.entry.subject) for way in other_ways(told)] == [
        ("decrypts keys", "analysts@x.com"),
        ("acts as a service account, the worker's too", "bo@x.com"),
    ]
    assert len(why(told, "ana@x.com", table("raw.t")).others) == 1
    assert why(told, "by@x.com", table("raw.t")).others == ()


def test_the_matrix_has_the_highest_right_of_each_on_each(known):
    found = matrix(known)
    assert found.datasets == ("marts", "raw", "warehouse")
    assert found.rows == {
        "ada@x.com": ("", "O", ""),
        "ana@x.com": ("R", "", "R"),
        "bo@x.com": ("R", "", ""),
        "by@x.com": ("R", "", ""),
    }
    assert "As far as iam/ tells" in found.text()
    assert '<td class="O">O</td>' in found.html()
    assert found.as_json()["members"]["ada@x.com"] == {"raw": "O"}
