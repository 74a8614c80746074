"""`noren build` around dbt: grants, policy tags, authorizations, and whether it all holds. dbt itself: tests/dbt/."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from dataflow.ledger import Ledger
from dataflow.objects import LocalObjects
from iam.files import RowPolicy
from iam.live import Live
from iam.record import LEDGER, LedgerRecord
from scripts.build.governed import governed
from scripts.build.process import Node, Result

P = "noren-test"
APPLIER = f"acl-applier@{P}.iam.gserviceaccount.com"
TAG = f"projects/{P}/locations/asia-northeast1/taxonomies/1/policyTags/2"
VIEW = f"{P}.marts__places.checkins_by_area_hour"
AUTHORIZED = {"view": {"projectId": P, "datasetId": "marts__places", "tableId": "checkins_by_area_hour"}}


@pytest.fixture
def record(tmp_path: Path) -> LedgerRecord:
    return LedgerRecord(Ledger(LocalObjects(tmp_path / "ledger"), LEDGER), "user:ada", "")


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Of one model, whose column `area` has a policy tag."""
    node: dict[str, Any] = {
        "resource_type": "model",
        "database": P,
        "schema": "marts__places",
        "name": "checkins_by_area_hour",
        "alias": "checkins_by_area_hour",
        "original_file_path": "models/x.sql",
        "config": {"materialized": "view"},
        "depends_on": {"nodes": []},
        "columns": {"area": {"name": "area", "policy_tags": [TAG]}},
    }
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"nodes": {"model.noren.x": node}, "sources": {}}))
    return path


@pytest.fixture(scope="module", autouse=True)
def _open_again(admin: bigquery.Client) -> Iterator[None]:
    """Other modules read the column."""
    yield
    tag(admin, [])


def tag(admin: bigquery.Client, names: list[str]) -> None:
    schema = [
        {"name": "area", "type": "STRING", "policyTags": {"names": names}},
        {"name": "n", "type": "INTEGER"},
    ]
    admin._connection.api_request(
        method="PATCH",
        path=f"/projects/{P}/datasets/marts__places/tables/checkins_by_area_hour",
        data={"schema": {"fields": schema}},
    )


def view(admin: bigquery.Client, *, tagged: bool, column: str = "area") -> Result:
    """What dbt does: makes the view again, and gives its column a tag, or forgets to."""
    admin.query(
        f"CREATE OR REPLACE VIEW {VIEW} AS "
        f"SELECT area AS {column}, count(*) AS n FROM warehouse__places.checkins GROUP BY area"
    ).result()
    if tagged:
        tag(admin, [TAG])
    node = Node("model.noren.x", "view", "marts__places.checkins_by_area_hour", "success", 0.1, "CREATE VIEW")
    return Result(0, 0.1, None, (node,))


def test_views_with_their_tags_are_authorized_and_all_holds(as_, admin, files, manifest, record):
    done = governed(files, as_(APPLIER), lambda: view(admin, tagged=True), manifest, record, APPLIER)
    assert (done.exit_code, done.problems) == (0, ())
    assert [str(change) for change in done.changes] == [f"warehouse__places: renewed view {VIEW}"]
    assert AUTHORIZED in Live(admin).dataset("warehouse__places")["access"]


def test_a_view_that_lost_a_policy_tag_gets_it_back_before_it_is_authorized(as_, admin, files, manifest, record):
    said: list[str] = []
    done = governed(
        files,
        as_(APPLIER),
        lambda: view(admin, tagged=False),
        manifest,
        record,
        APPLIER,
        lambda change: said.append(str(change)),
        lambda: said.append("readers of policy tags") or [],
    )
    assert (done.exit_code, done.problems) == (0, ())
    assert said == [
        f"marts__places: + policy tag {TAG} on checkins_by_area_hour.area",
        "readers of policy tags",
        f"warehouse__places: renewed view {VIEW}",
    ]
    assert [str(change) for change in done.changes] == [said[0], said[2]]
    fields = Live(admin).table("marts__places", "checkins_by_area_hour")["schema"]["fields"]
    assert [(field["name"], field.get("policyTags")) for field in fields] == [("area", {"names": [TAG]}), ("n", None)]
    told = [line.details["what"] for line in record.ledger.entries() if line.kind == "access.tags"]
    assert told == [f"policy tag {TAG} on checkins_by_area_hour.area"]


def test_a_table_that_lost_its_row_access_policies_gets_them_back_before_its_views_are_authorized(
    as_, admin, files, manifest, record
):
    """Its readers see their rows and no others again."""
    table, ana = "checkin", "ana@example.com"
    grants = ("group:data-admins@example.com",)
    rows = replace(files, row_policies=(RowPolicy("anonymized__places", table, "mine", "area = 'x'", grants),))
    reading = f"SELECT count(*) FROM anonymized__places.{table}"

    def again() -> Result:
        admin.query(
            f"CREATE OR REPLACE TABLE anonymized__places.{table} AS {reading.replace('count(*)', '*')}"
        ).result()
        return view(admin, tagged=True)

    try:
        governed(rows, as_(APPLIER), lambda: view(admin, tagged=True), manifest, record, APPLIER)
        Live(admin).drop_row_policy("anonymized__places", table, "mine")
        done = governed(rows, as_(APPLIER), again, manifest, record, APPLIER)
        assert [str(change) for change in done.changes] == [
            "anonymized__places: + row access policy mine on checkin: area = 'x' for group:data-admins@example.com",
            f"warehouse__places: renewed view {VIEW}",
        ]
        assert [row[0] for row in as_(ana).query_and_wait(reading)] == [0]
    finally:
        for name in Live(admin).row_policies("anonymized__places", table):
            Live(admin).drop_row_policy("anonymized__places", table, name)


def test_a_view_without_the_column_of_a_policy_tag_is_authorized_nowhere(as_, admin, files, manifest, record):
    """Fails closed: its readers get 403 until it is built again with the tag."""
    done = governed(files, as_(APPLIER), lambda: view(admin, tagged=False, column="x"), manifest, record, APPLIER)
    try:
        assert done.exit_code == 1
        assert done.problems[0] == (
            "marts__places.checkins_by_area_hour: without the policy tag that the model declares for area; "
            "it is authorized nowhere until it is built again"
        )
        assert AUTHORIZED not in Live(admin).dataset("warehouse__places")["access"]
    finally:
        healed = governed(files, as_(APPLIER), lambda: view(admin, tagged=True), manifest, record, APPLIER)
    assert [str(change) for change in healed.changes] == [f"warehouse__places: + view {VIEW}"]


def test_a_view_that_was_not_built_is_a_problem(as_, admin, files, manifest, record):
    admin.delete_table(VIEW)
    access = Live(admin).dataset("warehouse__places")
    Live(admin).patch("warehouse__places", [e for e in access["access"] if e != AUTHORIZED], access["etag"])
    done = governed(files, as_(APPLIER), lambda: Result(1, 0.1, None, ()), manifest, record, APPLIER)
    try:
        assert done.exit_code == 1
        assert any("it does not exist yet" in problem for problem in done.problems)
    finally:
        governed(files, as_(APPLIER), lambda: view(admin, tagged=True), manifest, record, APPLIER)
