"""BigQuery's documented semantics: the gateway, before a real emulator, on every case that the engine answers."""

from collections.abc import Iterator

import httpx
import pytest

from iam.verify.cases import COLUMNS, PROJECT, Case, Stage
from tests.scripts.stack.gateway.rehearsal import Rehearsal, rehearsal

CASES = list(Stage().cases())
ROWS = [{"a": a, "b": "1", "secret": "s"} for a in ("x", "y")]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    with rehearsal(tmp_path_factory.mktemp("cases"), PROJECT, Stage().files()) as running:
        yield running


def made(stage: Rehearsal, case: Case) -> None:
    """The case's datasets, tables, views and policies on the emulator."""
    for dataset, access in case.access.items():
        stage.dataset(dataset, access)
    for name in case.tables:
        if name.partition(".")[0] in case.access:
            tags = case.tags.get(name, {})
            stage.table(name, {column: tags.get(column) for column in COLUMNS}, ROWS)
    for name, sql in case.views.items():
        stage.view(name, sql)
    for name, policies in case.row_policies.items():
        for policy in policies:
            stage.row_policy(name, policy["policy"], policy["filter"], policy["grantees"])


def asked(stage: Rehearsal, case: Case) -> httpx.Response:
    on = case.full(case.given["of"])
    dataset, _, table = on.partition(".")
    where = f"/datasets/{dataset}/tables/{table}"
    if case.do == "query":
        return stage.query(case.caller, case.query)
    if case.do == "list":
        return stage.ask(case.caller, "GET", f"{where}/data")
    if case.do == "metadata":
        return stage.ask(case.caller, "GET", where)
    if case.do == "write":
        return stage.ask(case.caller, "PATCH", where, json={"description": "changed"})
    if case.do == "own":
        return stage.ask(case.caller, "PATCH", f"/datasets/{case.dataset(case.given['of'])}", json={"description": "x"})
    if case.do == "dml":
        return stage.query(case.caller, f"DELETE FROM {on} WHERE a = 'x'")
    copy = {"sourceTable": stage.reference(on), "destinationTable": stage.reference(f"{dataset}.copied")}
    return stage.ask(case.caller, "POST", "/jobs", json={"configuration": {"copy": copy}})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_gateway_answers_as_the_engine(stage: Rehearsal, case: Case):
    made(stage, case)
    answer = asked(stage, case)
    if not case.served:
        assert answer.status_code == 403, answer.text
    elif case.denial:
        assert answer.status_code == 403, answer.text
        assert answer.json()["error"]["message"].splitlines()[0] == case.denial
    else:
        assert answer.status_code == 200, answer.text
        if case.given["allowed"] is not True:
            assert int(answer.json()["totalRows"]) == case.given["allowed"]
