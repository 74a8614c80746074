"""Statements that try to write what they may not, or to write down what they may not read."""

import pytest

from tests.scripts.stack.gateway.bypass.cast import ANALYST, DBT, RAW

UNWRITABLE = {
    "insert": "INSERT INTO anonymized__app.app_event VALUES ('x', '2026-01-01')",
    "update": "UPDATE anonymized__app.app_event SET user_token = 'x' WHERE true",
    "delete": "DELETE FROM anonymized__app.app_event WHERE true",
    "truncate": "TRUNCATE TABLE anonymized__app.app_event",
    "merge": "MERGE INTO anonymized__app.app_event t USING (SELECT 1) s ON false WHEN NOT MATCHED THEN INSERT ROW",
    "drop": "DROP TABLE anonymized__app.app_event",
    "drop two": "DROP VIEW warehouse__app.events, warehouse__app.sessions",
    "create": "CREATE TABLE warehouse__app.mine AS SELECT 1 AS x",
    "create view": "CREATE OR REPLACE VIEW warehouse__app.events AS SELECT 1 AS x",
    "alter": "ALTER TABLE anonymized__app.app_event ADD COLUMN x STRING",
    "rename": "ALTER TABLE anonymized__app.app_event RENAME TO other",
    "create dataset": "CREATE SCHEMA mine",
    "create dataset, if it is missing": "CREATE SCHEMA IF NOT EXISTS warehouse__app",
    "drop dataset": "DROP SCHEMA warehouse__app CASCADE",
    "write of one's own read": "CREATE TABLE raw__app.copy AS SELECT * FROM warehouse__app.events",
    "materialized view options": "ALTER MATERIALIZED VIEW warehouse__app.events SET OPTIONS (enable_refresh = true)",
}


@pytest.mark.parametrize("attempt", UNWRITABLE)
def test_a_reader_changes_nothing(call, attempt):
    answer = call(ANALYST, "POST", "/queries", json={"query": UNWRITABLE[attempt], "useLegacySql": False})
    assert answer.status_code == 403, answer.text


BY_A_WRITER = {
    "view on raw": f"CREATE VIEW marts__product.leak AS SELECT * FROM {RAW}",
    "view on raw in a CTE": f"CREATE VIEW marts__product.leak AS WITH a AS (SELECT * FROM {RAW}) SELECT * FROM a",
    "view on an unqualified name": "CREATE VIEW marts__product.leak AS SELECT * FROM app_event",
    "table from raw": f"CREATE TABLE marts__product.leak AS SELECT * FROM {RAW}",
    "clone of raw": f"CREATE TABLE marts__product.leak CLONE {RAW}",
    "copy of raw": f"CREATE TABLE marts__product.leak COPY {RAW}",
    "snapshot of raw": f"CREATE SNAPSHOT TABLE marts__product.leak CLONE {RAW}",
    "like raw": f"CREATE TABLE marts__product.leak LIKE {RAW}",
    "materialized view on raw": f"CREATE MATERIALIZED VIEW marts__product.leak AS SELECT secret FROM {RAW}",
    "external table": "CREATE EXTERNAL TABLE marts__product.leak OPTIONS (format='CSV', uris=['file:///etc/passwd'])",
    "function": f"CREATE FUNCTION marts__product.leak() AS ((SELECT max(secret) FROM {RAW}))",
    "table function": f"CREATE TABLE FUNCTION marts__product.leak() AS SELECT * FROM {RAW}",
    "foreign key": f"CREATE TABLE marts__product.leak (x STRING REFERENCES {RAW}(user_id) NOT ENFORCED)",
    "column default": f"CREATE TABLE marts__product.leak (x STRING DEFAULT (SELECT max(secret) FROM {RAW}))",
    "merge from raw": (
        f"MERGE INTO marts__product.x t USING {RAW} s ON false WHEN NOT MATCHED THEN INSERT VALUES (secret)"
    ),
    "insert from raw": f"INSERT INTO marts__product.x SELECT secret FROM {RAW}",
    "update from raw": f"UPDATE marts__product.x t SET v = r.secret FROM {RAW} r WHERE true",
    "delete by raw": f"DELETE FROM marts__product.x WHERE v IN (SELECT secret FROM {RAW})",
    "rename out of the dataset": "ALTER TABLE marts__product.daily_active_users RENAME TO raw__app.x",
    "write to the source": "INSERT INTO anonymized__app.app_event VALUES ('x', '2026-01-01')",
    "drop of a dataset": "DROP SCHEMA marts__product CASCADE",
    "options of a dataset": "ALTER SCHEMA marts__product SET OPTIONS (description = 'mine')",
}


@pytest.mark.parametrize("attempt", BY_A_WRITER)
def test_a_writer_of_marts_gets_no_further(call, attempt):
    body = {"query": BY_A_WRITER[attempt], "useLegacySql": False, "defaultDataset": {"datasetId": "raw__app"}}
    answer = call(DBT, "POST", "/queries", json=body)
    assert answer.status_code == 403, answer.text
