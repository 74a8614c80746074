"""BigQuery's rules, case by case, on small worlds."""

from datetime import UTC, datetime

import pytest

from iam.engine import MAX_HOPS, Access, Action, DatasetName, Right, TableName, world
from iam.entries import Entry
from iam.groups import Group, Groups

P = "p"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
GROUPS = Groups(
    [
        Group("analysts@x.com", "analysis", "", "", members=frozenset({"ana@x.com"})),
        Group("ml@x.com", "analysis", "", "", frozenset({"analysts@x.com"}), frozenset({"mo@x.com"})),
    ]
)


def table(name: str) -> TableName:
    return TableName(P, *name.split("."))


def view(name: str) -> dict:
    dataset, _, table_id = name.partition(".")
    return {"view": {"projectId": P, "datasetId": dataset, "tableId": table_id}}


def whole(dataset: str, *kinds: str) -> dict:
    return {"dataset": {"dataset": {"projectId": P, "datasetId": dataset}, "targetTypes": list(kinds)}}


def reader(email: str, role: str = "READER") -> dict:
    return {"role": role, "userByEmail": email}


JOBS = Entry({"role": "roles/bigquery.jobUser", "iamMember": "allUsers"})


def access(datasets: dict[str, list[dict]], views: dict[str, list[str]] | None = None, project: tuple = ()) -> Access:
    lists = {name: list(map(Entry, entries)) for name, entries in datasets.items()}
    return Access(world(P, GROUPS, lists, views, (JOBS, *map(Entry, project))), NOW)


def query(engine: Access, who: str, name: str):
    return engine.decide(who, Action.QUERY, table(name))


def reads(who: str, name: str, *given: dict) -> bool:
    return query(access(*given), who, name).allowed


GRANTS = {
    "user": ({"role": "READER", "userByEmail": "Ana@x.com"}, "ana@x.com", True),
    "another user": ({"role": "READER", "userByEmail": "bo@x.com"}, "ana@x.com", False),
    "group": ({"role": "READER", "groupByEmail": "analysts@x.com"}, "ana@x.com", True),
    "group within a group": ({"role": "READER", "groupByEmail": "Analysts@x.com"}, "mo@x.com", True),
    "parent group does not reach down": ({"role": "READER", "groupByEmail": "ml@x.com"}, "ana@x.com", False),
    "domain": ({"role": "READER", "domain": "x.com"}, "anybody@x.com", True),
    "another domain": ({"role": "READER", "domain": "x.com"}, "anybody@sub.x.com", False),
    "a domain's end": ({"role": "READER", "domain": "x.com"}, "anybody@evilx.com", False),
    "all authenticated users": ({"role": "READER", "specialGroup": "allAuthenticatedUsers"}, "oz@y.com", True),
    "all users": ({"role": "READER", "iamMember": "allUsers"}, "oz@y.com", True),
    "project owners, of whom there is none": ({"role": "OWNER", "specialGroup": "projectOwners"}, "ana@x.com", False),
    "IAM's spelling of a user": ({"role": "READER", "iamMember": "user:ana@x.com"}, "ana@x.com", True),
    "a deleted user": ({"role": "READER", "iamMember": "deleted:user:ana@x.com?uid=1"}, "ana@x.com", False),
    "writer": ({"role": "WRITER", "userByEmail": "ana@x.com"}, "ana@x.com", True),
    "owner": ({"role": "OWNER", "userByEmail": "ana@x.com"}, "ana@x.com", True),
    "predefined role": ({"role": "roles/bigquery.dataViewer", "userByEmail": "ana@x.com"}, "ana@x.com", True),
    "metadata only": ({"role": "roles/bigquery.metadataViewer", "userByEmail": "ana@x.com"}, "ana@x.com", False),
    "jobs only": ({"role": "roles/bigquery.jobUser", "userByEmail": "ana@x.com"}, "ana@x.com", False),
    "a role that is not known": ({"role": "projects/p/roles/all", "userByEmail": "ana@x.com"}, "ana@x.com", False),
    "a kind that is not known": ({"role": "OWNER", "newKind": "ana@x.com"}, "ana@x.com", False),
    "a view that is authorized is no person": (view("d.v"), "ana@x.com", False),
}


@pytest.mark.parametrize("case", GRANTS)
def test_who_reads_a_table(case):
    entry, who, expected = GRANTS[case]
    assert reads(who, "d.t", {"d": [entry]}) is expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('request.time < timestamp("2026-02-01T00:00:00Z")', True),
        ("request.time < timestamp('2026-02-01T00:00:00+09:00')", True),
        ('request.time < timestamp("2025-12-31T00:00:00Z")', False),
        ('request.time < timestamp("2026-01-01T00:00:00Z")', False),
        ('request.time < timestamp("2026-02-01T00:00:00")', False),
        ('request.time < timestamp("soon")', False),
        ('request.time > timestamp("2025-01-01T00:00:00Z")', True),
        ("request.auth.claims.admin", False),
        ('request.time < timestamp("2026-02-01T00:00:00Z") || magic()', False),
        ("", False),
    ],
)
def test_a_condition_holds_until_it_expires_and_one_that_is_not_understood_grants_nothing(expression, expected):
    entry = {**reader("ana@x.com"), "condition": {"expression": expression}}
    assert reads("ana@x.com", "d.t", {"d": [entry]}) is expected


def test_a_dataset_that_is_missing_is_closed():
    assert not reads("ana@x.com", "nope.t", {"d": [reader("ana@x.com")]})


def test_another_project_is_closed():
    answer = access({"d": [reader("ana@x.com")]}).decide("ana@x.com", Action.QUERY, TableName("q", "d", "t"))
    assert not answer.allowed


ANA = reader("ana@x.com")
CHAINS = {
    "a view and its source": ({"m": [ANA], "w": [ANA]}, {"m.v": ["w.t"]}, None),
    "a view whose source is closed": ({"m": [ANA], "w": []}, {"m.v": ["w.t"]}, "w.t"),
    "a view that its source authorizes": ({"m": [ANA], "w": [view("m.v")]}, {"m.v": ["w.t"]}, None),
    "an authorized view that one may not read": ({"m": [], "w": [view("m.v")]}, {"m.v": ["w.t"]}, "m.v"),
    "a view of another name": ({"m": [ANA], "w": [view("m.u")]}, {"m.v": ["w.t"]}, "w.t"),
    "a view of another case": ({"m": [ANA], "w": [view("m.V")]}, {"m.v": ["w.t"]}, "w.t"),
    "an authorized dataset": ({"m": [ANA], "w": [whole("m", "VIEWS")]}, {"m.v": ["w.t"]}, None),
    "an authorized dataset, for routines": ({"m": [ANA], "w": [whole("m", "ROUTINES")]}, {"m.v": ["w.t"]}, "w.t"),
    "another authorized dataset": ({"m": [ANA], "w": [whole("n", "VIEWS")]}, {"m.v": ["w.t"]}, "w.t"),
    "two hops, each authorized": (
        {"m": [ANA], "w": [view("m.v")], "a": [view("w.u")]},
        {"m.v": ["w.u"], "w.u": ["a.t"]},
        None,
    ),
    "two hops, the second not": (
        {"m": [ANA], "w": [view("m.v")], "a": []},
        {"m.v": ["w.u"], "w.u": ["a.t"]},
        "a.t",
    ),
    "the outer view alone authorized at the far end": (
        {"m": [ANA], "w": [view("m.v")], "a": [view("m.v")]},
        {"m.v": ["w.u"], "w.u": ["a.t"]},
        "a.t",
    ),
    "two hops, the middle one read by right": (
        {"m": [ANA], "w": [ANA], "a": [view("w.u")]},
        {"m.v": ["w.u"], "w.u": ["a.t"]},
        None,
    ),
    "two sources, one closed": (
        {"m": [ANA], "w": [view("m.v")], "a": []},
        {"m.v": ["w.t", "a.t"]},
        "a.t",
    ),
    "a view of the same dataset as its source": ({"w": [ANA]}, {"w.v": ["w.t"]}, None),
    "a view in its source's dataset, reached from outside": (
        {"m": [ANA], "w": [view("m.v")]},
        {"m.v": ["w.u"], "w.u": ["w.t"]},
        "w.t",
    ),
    "the same, authorized within its own dataset": (
        {"m": [ANA], "w": [view("m.v"), view("w.u")]},
        {"m.v": ["w.u"], "w.u": ["w.t"]},
        None,
    ),
    "views that read each other": ({"m": [ANA]}, {"m.v": ["m.u"], "m.u": ["m.v"]}, "m.v"),
    "a diamond": (
        {"m": [ANA], "w": [view("m.v")], "a": [view("w.l"), view("w.r")]},
        {"m.v": ["w.l", "w.r"], "w.l": ["a.t"], "w.r": ["a.t"]},
        None,
    ),
    "a diamond with one arm closed": (
        {"m": [ANA], "w": [view("m.v")], "a": [view("w.l")]},
        {"m.v": ["w.l", "w.r"], "w.l": ["a.t"], "w.r": ["a.t"]},
        "a.t",
    ),
    "an expired authorization": (
        {
            "m": [ANA],
            "w": [{**view("m.v"), "condition": {"expression": 'request.time < timestamp("2025-01-01T00:00:00Z")'}}],
        },
        {"m.v": ["w.t"]},
        "w.t",
    ),
}


@pytest.mark.parametrize("case", CHAINS)
def test_a_view_is_read_through_its_chain(case):
    datasets, views, missing = CHAINS[case]
    answer = query(access(datasets, views), "ana@x.com", next(iter(views)))
    assert answer.allowed is (missing is None)
    assert (answer.chain[-1] if answer.chain else None) == (missing and table(missing))


def test_the_answer_has_the_chain_down_to_the_missing_link():
    engine = access({"m": [ANA], "w": [view("m.v")], "a": []}, {"m.v": ["w.u"], "w.u": ["a.t"]})
    assert query(engine, "ana@x.com", "m.v").chain == (table("m.v"), table("w.u"), table("a.t"))


def test_views_nest_as_deep_as_bigquery_runs_them_and_no_deeper():
    def chain(hops: int) -> bool:
        views = {f"d.v{n}": [f"d.v{n + 1}"] for n in range(hops)}
        return reads("ana@x.com", "d.v0", {"d": [ANA]}, views)

    assert chain(MAX_HOPS)
    assert not chain(MAX_HOPS + 1)


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        ("READER", {Right.METADATA, Right.READ}),
        ("WRITER", {Right.METADATA, Right.READ, Right.WRITE}),
        ("OWNER", {Right.METADATA, Right.READ, Right.WRITE, Right.OWN}),
        ("roles/bigquery.metadataViewer", {Right.METADATA}),
        ("roles/bigquery.jobUser", set()),
    ],
)
def test_rights_of_a_role_on_a_dataset(role, rights):
    assert access({"d": [reader("ana@x.com", role)]}).rights("ana@x.com", DatasetName(P, "d")) == rights


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        ("roles/bigquery.jobUser", {Right.RUN_JOBS}),
        ("roles/bigquery.user", {Right.RUN_JOBS, Right.CREATE_DATASETS, Right.READ_SESSIONS}),
        ("READER", {Right.METADATA, Right.READ}),
        ("roles/bigquery.admin", set(Right)),
    ],
)
def test_rights_of_a_role_on_the_project(role, rights):
    assert access({}, {}, (reader("ana@x.com", role),)).project_rights("ana@x.com") == rights | {Right.RUN_JOBS}


def test_a_grant_on_the_project_holds_for_every_dataset():
    engine = access({"d": []}, {}, ({"role": "READER", "groupByEmail": "analysts@x.com"},))
    assert query(engine, "ana@x.com", "d.t").allowed
    assert not query(engine, "bo@x.com", "d.t").allowed
    assert not query(engine, "ana@x.com", "nope.t").allowed


def test_special_groups_are_who_has_the_basic_role_on_the_project():
    defaults = [
        {"role": "OWNER", "specialGroup": "projectOwners"},
        {"role": "WRITER", "specialGroup": "projectWriters"},
        {"role": "READER", "specialGroup": "projectReaders"},
    ]
    project = (reader("o@x.com", "roles/owner"), reader("e@x.com", "roles/editor"), reader("v@x.com", "roles/viewer"))
    engine = access({"d": defaults}, {}, project)
    assert engine.decide("o@x.com", Action.OWN, DatasetName(P, "d")).allowed
    assert engine.decide("e@x.com", Action.WRITE, DatasetName(P, "d")).allowed
    assert not engine.decide("e@x.com", Action.OWN, DatasetName(P, "d")).allowed
    assert engine.decide("v@x.com", Action.QUERY, DatasetName(P, "d")).allowed
    assert not engine.decide("v@x.com", Action.WRITE, DatasetName(P, "d")).allowed
    assert engine.rights("ana@x.com", DatasetName(P, "d")) == frozenset()
