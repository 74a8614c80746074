"""Engine and gateway give one answer, whatever the graph of groups, datasets, views and authorizations is."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iam.engine import Access, Action, Dataset, DatasetName, Kind, Table, TableName, World
from iam.entries import Entry
from iam.groups import Group, Groups
from iam.references import view_sources
from tests.scripts.stack.gateway.rehearsal import Rehearsal, rehearsal

PROJECT = "noren-property"
PEOPLE = ("ana@example.com", "bo@example.com", "cy@other.com")
GROUPS = ("g0@example.com", "g1@example.com", "g2@example.com")
DATASETS = ("d0", "d1", "d2")
JOBS = {"role": "roles/bigquery.jobUser", "iamMember": "allUsers"}
PAST, FUTURE = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"

Json = dict[str, Any]

subjects = st.one_of(
    st.sampled_from([{"userByEmail": who} for who in PEOPLE]),
    st.sampled_from([{"groupByEmail": group} for group in GROUPS]),
    st.sampled_from([{"domain": "example.com"}, {"specialGroup": "allAuthenticatedUsers"}]),
)
conditions = st.sampled_from(
    [{}, {}, {}] + [{"condition": {"expression": f'request.time < timestamp("{until}")'}} for until in (PAST, FUTURE)]
)
roles = st.sampled_from(["READER", "WRITER", "OWNER", "roles/bigquery.metadataViewer"])


@st.composite
def graphs(draw: st.DrawFn) -> Json:
    """groups: name -> (members, parents with a greater name: no cycles).

    views: in the order in which they are made, each of those before it or of base tables. access: dataset -> entries,
    views not yet in full.
    """
    groups = {
        group: (
            draw(st.lists(st.sampled_from(PEOPLE), unique=True, max_size=2)),
            draw(st.lists(st.sampled_from(GROUPS[number + 1 :]), unique=True)) if GROUPS[number + 1 :] else [],
        )
        for number, group in enumerate(GROUPS)
    }
    objects, views = [f"{dataset}.t" for dataset in DATASETS], dict[str, list[str]]()
    for number in range(draw(st.integers(1, 4))):
        name = f"{draw(st.sampled_from(DATASETS))}.v{number}"
        views[name] = draw(st.lists(st.sampled_from(objects), unique=True, min_size=1, max_size=2))
        objects.append(name)
    authorized = st.one_of(
        st.sampled_from(sorted(views)).map(lambda view: {"view": view}),
        st.sampled_from(DATASETS).map(lambda dataset: {"dataset": dataset}),
    )
    access = {
        dataset: [
            *({"role": draw(roles), **draw(subjects), **draw(conditions)} for _ in range(draw(st.integers(0, 2)))),
            *draw(st.lists(authorized, max_size=3)),
        ]
        for dataset in DATASETS
    }
    return {"groups": groups, "views": views, "access": access}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    files = {"groups.json": [], "project.json": [JOBS]}
    with rehearsal(tmp_path_factory.mktemp("property"), PROJECT, files) as running:
        for number in range(len(DATASETS)):
            running.dataset(f"d{number}", [])
            running.table(f"d{number}.t", {"a": None}, [])
        yield running


def entry(given: Json) -> Json:
    """In BigQuery's shape."""
    if "view" in given:
        dataset, _, table = given["view"].partition(".")
        return {"view": {"projectId": PROJECT, "datasetId": dataset, "tableId": table}}
    if "dataset" in given:
        reference = {"projectId": PROJECT, "datasetId": given["dataset"]}
        return {"dataset": {"dataset": reference, "targetTypes": ["VIEWS"]}}
    return given


def sql(reads: list[str]) -> str:
    sources = ", ".join(f"`{PROJECT}`.{name} AS s{number}" for number, name in enumerate(reads))
    return f"SELECT s0.a FROM {sources}"


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(graph=graphs())
def test_engine_and_gateway_are_equal_on_random_graphs(stage: Rehearsal, graph: Json):
    groups = [Group(n, "x", "", "", frozenset(p), frozenset(m)) for n, (m, p) in graph["groups"].items()]
    lists = {dataset: [entry(given) for given in given_list] for dataset, given_list in graph["access"].items()}
    tables = {
        (name := TableName(PROJECT, *view.split("."))): Table(name, Kind.VIEW, view_sources(sql(reads), PROJECT))
        for view, reads in graph["views"].items()
    }
    datasets = {
        (home := DatasetName(PROJECT, dataset)): Dataset(home, tuple(map(Entry, entries)))
        for dataset, entries in lists.items()
    }
    engine = Access(World(PROJECT, Groups(groups), datasets, tables, project_grants={PROJECT: (Entry(JOBS),)}))
    stage.files(
        {
            "groups.json": [
                {"group": n, "kind": "x", "purpose": "x", "owner": "o@example.com", "parents": p, "members": m}
                for n, (m, p) in graph["groups"].items()
            ]
        }
    )
    nobody = [{"role": "OWNER", "userByEmail": "nobody@nowhere.example"}]
    for dataset, entries in lists.items():
        stage.make("PATCH", f"/datasets/{dataset}", {"access": nobody + entries})
    for view, reads in graph["views"].items():
        stage.view(view, sql(reads))
    stage.settle()
    try:
        for who in PEOPLE:
            for name in (*(f"{dataset}.t" for dataset in DATASETS), *graph["views"]):
                wanted = engine.decide(who, Action.QUERY, TableName(PROJECT, *name.split(".")))
                answer = stage.query(who, f"SELECT a FROM {name}", dryRun=True)
                assert (answer.status_code == 200) is wanted.allowed, (who, name, answer.text, wanted)
                if not wanted.allowed:
                    assert answer.json()["error"]["message"].splitlines()[0] == wanted.denial
    finally:
        for view in reversed(graph["views"]):
            dataset, _, table = view.partition(".")
            stage.make("DELETE", f"/datasets/{dataset}/tables/{table}", {})
