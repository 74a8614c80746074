"""Queries that try to get around the gateway: each ends in a refusal, and none in a row."""

import pytest

from tests.scripts.stack.gateway.bypass.cast import ANALYST, RAW

EVENTS = "warehouse__app.events"


FORBIDDEN = {
    "plain": f"SELECT * FROM {RAW}",
    "quoted as one": "SELECT * FROM `noren-test.raw__app.app_event`",
    "quoted by parts": "SELECT * FROM `noren-test`.`raw__app`.`app_event`",
    "quoted in two": "SELECT * FROM `noren-test.raw__app`.app_event",
    "upper case dataset": "SELECT * FROM RAW__APP.app_event",
    "upper case table": "SELECT * FROM raw__app.APP_EVENT",
    "mixed case, quoted": "SELECT * FROM `Raw__App`.`App_Event`",
    "single quotes": "SELECT * FROM 'raw__app.app_event'",
    "comment within the name": "SELECT * FROM raw__app/* x */.app_event",
    "line comment within the name": "SELECT * FROM raw__app-- x\n.app_event",
    "CTE of the table's name": f"WITH app_event AS (SELECT 1) SELECT * FROM {RAW}",
    "CTE of the whole name, quoted": f"WITH `{RAW}` AS (SELECT 1) SELECT * FROM `{RAW}`",
    "CTE that reads it": f"WITH a AS (SELECT * FROM {RAW}) SELECT * FROM a",
    "CTE that is never used": f"WITH a AS (SELECT * FROM {RAW}) SELECT 1",
    "nested CTE": f"WITH a AS (WITH b AS (SELECT * FROM {RAW}) SELECT * FROM b) SELECT * FROM a",
    "CTE named like the jobs view": (
        "WITH `INFORMATION_SCHEMA.JOBS` AS (SELECT 1 AS x) SELECT * FROM `INFORMATION_SCHEMA.JOBS`"
    ),
    "CTE named like the table list": "WITH __TABLES__ AS (SELECT 1 AS x) SELECT * FROM __TABLES__",
    "subquery in SELECT": f"SELECT (SELECT max(secret) FROM {RAW})",
    "subquery in WHERE": f"SELECT 1 FROM {EVENTS} WHERE EXISTS (SELECT 1 FROM {RAW} WHERE secret = 'hush')",
    "subquery in IN": f"SELECT 1 FROM warehouse__app.events WHERE user_token IN (SELECT user_id FROM {RAW})",
    "subquery in ORDER BY": f"SELECT 1 FROM warehouse__app.events ORDER BY (SELECT max(secret) FROM {RAW})",
    "subquery in LIMIT": f"SELECT 1 FROM warehouse__app.events LIMIT (SELECT count(*) FROM {RAW})",
    "subquery in HAVING": f"SELECT 1 FROM {EVENTS} GROUP BY user_token HAVING (SELECT true FROM {RAW} LIMIT 1)",
    "subquery in QUALIFY": (
        f"SELECT 1 FROM warehouse__app.events QUALIFY row_number() OVER (ORDER BY (SELECT max(secret) FROM {RAW})) = 1"
    ),
    "subquery in a join": f"SELECT 1 FROM warehouse__app.events e JOIN {RAW} r ON true",
    "subquery in ON": f"SELECT 1 FROM warehouse__app.events e JOIN warehouse__app.events f ON (SELECT true FROM {RAW})",
    "array subquery": f"SELECT ARRAY(SELECT secret FROM {RAW})",
    "UNNEST of a subquery": f"SELECT * FROM UNNEST((SELECT array_agg(secret) FROM {RAW}))",
    "struct subquery": f"SELECT (SELECT AS STRUCT * FROM {RAW} LIMIT 1)",
    "union": f"SELECT user_token FROM warehouse__app.events UNION ALL SELECT secret FROM {RAW}",
    "except": f"SELECT secret FROM {RAW} EXCEPT DISTINCT SELECT user_token FROM warehouse__app.events",
    "second union arm after a WITH": (
        f"(WITH a AS (SELECT '1' AS x) SELECT x FROM a) UNION ALL SELECT secret FROM {RAW}"
    ),
    "parenthesized join": f"SELECT 1 FROM {EVENTS} e JOIN ({EVENTS} f JOIN {RAW} r ON true) ON true",
    "pivot": f"SELECT * FROM {RAW} PIVOT (count(*) FOR secret IN ('hush'))",
    "unpivot": f"SELECT * FROM {RAW} UNPIVOT (v FOR n IN (user_id, secret))",
    "sample": f"SELECT * FROM {RAW} TABLESAMPLE SYSTEM (100 PERCENT)",
    "time travel": f"SELECT * FROM {RAW} FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()",
    "pipe syntax": f"FROM {RAW} |> SELECT secret",
    "pipe join": f"FROM warehouse__app.events |> JOIN {RAW} r ON true",
    "wildcard": "SELECT * FROM `raw__app.app_*`",
    "wildcard of the whole dataset": "SELECT * FROM `noren-test.raw__app.*`",
    "another project": "SELECT * FROM `emulator`.main.jobs",
    "the engine's own schema": "SELECT * FROM `noren-test`.main.jobs",
    "the engine's own catalogue": "SELECT * FROM information_schema.tables",
    "the engine's settings": "SELECT * FROM duckdb_settings()",
    "the engine's table list": "SELECT * FROM duckdb_tables()",
    "a file": "SELECT * FROM `/etc/passwd`",
    "a file function": "SELECT * FROM read_csv('/etc/passwd')",
    "a file function, scalar": "SELECT read_text('/etc/passwd')",
    "a settings function": "SELECT current_setting('home_directory')",
    "a query function": f"SELECT * FROM query('SELECT * FROM {RAW}')",
    "a table function": "SELECT * FROM raw__app.all_events()",
    "a routine": "SELECT raw__app.secret_of('ada')",
    "a model": f"SELECT * FROM ML.PREDICT(MODEL raw__app.m, TABLE {RAW})",
    "EXTERNAL_QUERY": "SELECT * FROM EXTERNAL_QUERY('us.default', 'SELECT 1')",
    "INFORMATION_SCHEMA of a closed dataset": "SELECT * FROM raw__app.INFORMATION_SCHEMA.COLUMNS",
    "INFORMATION_SCHEMA, lower case, quoted": "SELECT * FROM `noren-test.raw__app.information_schema.columns`",
    "INFORMATION_SCHEMA, quoted by parts": "SELECT * FROM `raw__app`.`INFORMATION_SCHEMA`.`TABLES`",
    "INFORMATION_SCHEMA of the project": "SELECT * FROM INFORMATION_SCHEMA.SCHEMATA",
    "other people's jobs": "SELECT query FROM `region-us`.INFORMATION_SCHEMA.JOBS",
    "other people's jobs of the project": "SELECT query FROM INFORMATION_SCHEMA.JOBS_BY_PROJECT",
    "other people's jobs by dataset": "SELECT query FROM warehouse__app.INFORMATION_SCHEMA.JOBS",
    "table list of a closed dataset": "SELECT * FROM raw__app.__TABLES__",
    "system variable": "SELECT @@dataset_id",
    "default dataset by script": "SET @@dataset_id = 'raw__app'; SELECT * FROM app_event",
    "second statement": f"SELECT 1; SELECT * FROM {RAW}",
    "statement in a variable's default": f"DECLARE x STRING DEFAULT (SELECT max(secret) FROM {RAW}); SELECT x",
    "statement in SET": f"DECLARE x STRING; SET x = (SELECT max(secret) FROM {RAW}); SELECT x",
    "dynamic SQL": f"EXECUTE IMMEDIATE 'SELECT * FROM {RAW}'",
    "dynamic SQL in parts": "EXECUTE IMMEDIATE concat('SELECT * FROM raw__', 'app.app_event')",
    "dynamic SQL after another statement": f"SELECT 1; EXECUTE IMMEDIATE 'SELECT * FROM {RAW}'",
    "block": f"BEGIN SELECT * FROM {RAW}; END",
    "branch": f"IF true THEN SELECT * FROM {RAW}; END IF",
    "loop": f"FOR r IN (SELECT * FROM {RAW}) DO SELECT r.secret; END FOR",
    "procedure call": "CALL raw__app.p()",
    "procedure of one's own": f"CREATE PROCEDURE warehouse__app.p() BEGIN SELECT * FROM {RAW}; END",
    "temporary function": f"CREATE TEMP FUNCTION f() AS ((SELECT max(secret) FROM {RAW})); SELECT f()",
    "temporary table": f"CREATE TEMP TABLE t AS SELECT * FROM {RAW}; SELECT * FROM t",
    "export": f"EXPORT DATA OPTIONS (uri='gs://b/*.csv', format='CSV') AS SELECT * FROM {RAW}",
    "load data": "LOAD DATA INTO warehouse__app.t FROM FILES (format='CSV', uris=['gs://b/x.csv'])",
    "grant": "GRANT `roles/bigquery.dataViewer` ON SCHEMA raw__app TO 'user:ana@example.com'",
    "row access policy": f"CREATE ROW ACCESS POLICY p ON {RAW} GRANT TO ('allUsers') FILTER USING (true)",
    "drop of row access policies": f"DROP ALL ROW ACCESS POLICIES ON {RAW}",
    "transaction": f"BEGIN TRANSACTION; SELECT * FROM {RAW}; COMMIT",
    "anonymous results of everybody": "SELECT * FROM `_results`.x",
}


@pytest.mark.parametrize("attempt", FORBIDDEN)
def test_a_query_that_tries_is_refused(call, attempt):
    answer = call(ANALYST, "POST", "/queries", json={"query": FORBIDDEN[attempt], "useLegacySql": False})
    assert answer.status_code in (400, 403), answer.text
    assert "hush" not in answer.text
    assert "rows" not in answer.json()
    if answer.status_code == 400:  # no statement at all to the parser: never sent on
        assert answer.json()["error"]["message"].startswith("Syntax error")


def test_the_refusal_of_a_query_is_bigquerys_own(call):
    answer = call(ANALYST, "POST", "/queries", json={"query": f"SELECT * FROM {RAW}", "useLegacySql": False})
    message = (
        "Access Denied: Table noren-test:raw__app.app_event: User does not have permission to query table "
        "noren-test:raw__app.app_event, or perhaps it does not exist.\n"
        "Members of data-admins@example.com may: ask ada@example.com."
    )
    assert answer.json() == {
        "error": {
            "code": 403,
            "message": message,
            "errors": [{"message": message, "domain": "global", "reason": "accessDenied"}],
            "status": "PERMISSION_DENIED",
        }
    }


def test_a_table_that_is_missing_is_refused_in_the_same_words(call):
    def message(table: str) -> str:
        answer = call(
            ANALYST, "POST", "/queries", json={"query": f"SELECT * FROM raw__app.{table}", "useLegacySql": False}
        )
        return answer.json()["error"]["message"].replace(table, "T")

    assert message("app_event") == message("no_such_table")
