"""Datasets, tables, rows and views of the API that are closed: by any spelling of their address or body."""

import pytest

from tests.scripts.stack.gateway.bypass.cast import ANALYST, DBT, RAW, reference

RESOURCES = {
    "rows of a closed table": ("GET", "/datasets/raw__app/tables/app_event/data"),
    "schema of a closed table": ("GET", "/datasets/raw__app/tables/app_event"),
    "tables of a closed dataset": ("GET", "/datasets/raw__app/tables"),
    "a closed dataset": ("GET", "/datasets/raw__app"),
    "policies of a closed table": ("GET", "/datasets/raw__app/tables/app_event/rowAccessPolicies"),
    "slash in a name": ("GET", "/datasets/warehouse__app%2F..%2Fraw__app/tables/app_event/data"),
    "dots in the path": ("GET", "/datasets/warehouse__app/tables/../../raw__app/tables/app_event/data"),
    "decorated table": ("GET", "/datasets/raw__app/tables/app_event@-1/data"),
    "partition of a table": ("GET", "/datasets/raw__app/tables/app_event$20260101/data"),
    "engine's schema": ("GET", "/datasets/main/tables"),
    "results of everybody": ("GET", "/datasets/_results/tables"),
    "result of somebody": ("GET", "/datasets/_results/tables/x/data"),
    "delete of a table": ("DELETE", "/datasets/anonymized__app/tables/app_event"),
    "delete of a dataset": ("DELETE", "/datasets/anonymized__app"),
    "routines": ("GET", "/datasets/raw__app/routines"),
    "models": ("GET", "/datasets/raw__app/models"),
    "service account": ("GET", "/serviceAccount"),
    "IAM policy": ("POST", "/datasets/raw__app/tables/app_event:getIamPolicy"),
    "undelete": ("POST", "/datasets/raw__app:undelete"),
}


@pytest.mark.parametrize("attempt", RESOURCES)
def test_a_resource_that_is_closed_is_refused(call, attempt):
    method, where = RESOURCES[attempt]
    answer = call(ANALYST, method, where)
    assert answer.status_code in (400, 403), answer.text
    assert "hush" not in answer.text


BODIES = {
    "access list of a dataset": (
        "PATCH",
        "/datasets/warehouse__app",
        {"access": [{"role": "OWNER", "userByEmail": ANALYST}]},
    ),
    "access list of a closed dataset": (
        "PATCH",
        "/datasets/raw__app",
        {"access": [{"role": "READER", "userByEmail": ANALYST}]},
    ),
    "label of a dataset": ("PATCH", "/datasets/warehouse__app", {"labels": {"lane": "anonymous"}}),
    "whole dataset": ("PUT", "/datasets/warehouse__app", {"access": [{"role": "OWNER", "userByEmail": ANALYST}]}),
    "new dataset": ("POST", "/datasets", {"datasetReference": {"datasetId": "mine"}}),
    "new table": ("POST", "/datasets/warehouse__app/tables", {"tableReference": {"tableId": "mine"}}),
    "new view": (
        "POST",
        "/datasets/warehouse__app/tables",
        {"tableReference": {"tableId": "mine"}, "view": {"query": f"SELECT * FROM {RAW}"}},
    ),
    "description of a table": ("PATCH", "/datasets/anonymized__app/tables/app_event", {"description": "mine"}),
    "rows": ("POST", "/datasets/anonymized__app/tables/app_event/insertAll", {"rows": [{"json": {"user_token": "x"}}]}),
    "row access policy": (
        "POST",
        "/datasets/anonymized__app/tables/app_event/rowAccessPolicies",
        {"rowAccessPolicyReference": {"policyId": "p"}, "filterPredicate": "true", "grantees": ["allUsers"]},
    ),
}


@pytest.mark.parametrize("attempt", BODIES)
def test_a_reader_changes_no_resource(call, attempt):
    method, where, body = BODIES[attempt]
    assert call(ANALYST, method, where, json=body).status_code == 403


def test_a_writer_owns_nothing(call):
    access = {"access": [{"role": "OWNER", "userByEmail": DBT}]}
    assert call(DBT, "PATCH", "/datasets/marts__product", json=access).status_code == 403
    assert call(DBT, "DELETE", "/datasets/marts__product").status_code == 403


def test_a_writer_makes_no_view_of_what_the_writer_may_not_read(call):
    table = {"tableReference": {"tableId": "leak"}, "view": {"query": f"SELECT * FROM {RAW}"}}
    assert call(DBT, "POST", "/datasets/marts__product/tables", json=table).status_code == 403


def test_a_writer_cannot_record_another_definition_of_a_view(call):
    body = {"view": {"query": "SELECT 1 AS x", "useLegacySql": False}}
    where = "/datasets/marts__product/tables/daily_active_users"
    assert call(DBT, "PATCH", where, json=body).status_code == 403


def test_the_body_cannot_name_another_table_than_the_path(call, admin):
    body = {"description": "moved", "tableReference": reference("raw__app", "app_event")}
    admin.query("CREATE TABLE marts__product.pinned (x STRING)").result()
    answer = call(DBT, "PATCH", "/datasets/marts__product/tables/pinned", json=body)
    assert answer.json()["tableReference"]["datasetId"] == "marts__product"
    assert admin.get_table("raw__app.app_event").description is None
    admin.delete_table("marts__product.pinned")
