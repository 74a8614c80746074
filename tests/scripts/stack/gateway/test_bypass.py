"""Attempts to get around the gateway: each ends in a refusal, and none in a row.

The analyst may read anonymized__*, warehouse__* and marts__*; raw__* and the rest must stay closed to her.
"""

import base64
import json

import pytest

ANALYST, BUSINESS = "ana@example.com", "bo@example.com"
RAW = "raw__app.app_event"
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


DBT = "dbt@noren-test.iam.gserviceaccount.com"
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


REQUESTS = {
    "default dataset": {"query": "SELECT * FROM app_event", "defaultDataset": {"datasetId": "raw__app"}},
    "default dataset, and a CTE out of scope": {
        "query": (
            "SELECT secret FROM app_event UNION ALL (WITH app_event AS (SELECT 'x' AS secret) SELECT * FROM app_event)"
        ),
        "defaultDataset": {"datasetId": "raw__app"},
    },
    "default dataset, and a CTE that reads its own name": {
        "query": "WITH app_event AS (SELECT * FROM app_event) SELECT * FROM app_event",
        "defaultDataset": {"datasetId": "raw__app"},
    },
    "default dataset, and a recursive CTE that does not recurse": {
        "query": "WITH RECURSIVE app_event AS (SELECT * FROM app_event) SELECT * FROM app_event",
        "defaultDataset": {"datasetId": "raw__app"},
    },
    "default dataset, and a recursive CTE that begins with its own name": {
        "query": (
            "WITH RECURSIVE app_event AS (SELECT secret FROM app_event UNION ALL SELECT 'x') SELECT * FROM app_event"
        ),
        "defaultDataset": {"datasetId": "raw__app"},
    },
    "default dataset set as a parameter of a script": {
        "query": "SET @dataset_id = 'raw__app'; SELECT * FROM app_event",
        "defaultDataset": {"datasetId": "anonymized__app"},
    },
    "default dataset set among the variables of a script": {
        "query": "DECLARE x STRING; SET (x, @dataset_id) = ('', 'raw__app'); SELECT * FROM app_event",
        "defaultDataset": {"datasetId": "anonymized__app"},
    },
    "default dataset that is closed, and no table": {
        "query": "SELECT 1",
        "defaultDataset": {"datasetId": "raw__app"},
    },
    "default dataset, table list": {
        "query": "WITH __TABLES__ AS (SELECT 1 AS x) SELECT * FROM __TABLES__",
        "defaultDataset": {"datasetId": "raw__app"},
    },
    "default dataset of another project": {
        "query": "SELECT * FROM jobs",
        "defaultDataset": {"projectId": "emulator", "datasetId": "main"},
    },
    "default dataset and a column of it": {
        "query": "SELECT * FROM warehouse__app.events e, raw__app.app_event",
        "defaultDataset": {"datasetId": "warehouse__app"},
    },
    "legacy SQL": {"query": "SELECT * FROM [noren-test:raw__app.app_event]", "useLegacySql": True},
    "session": {"query": "SELECT 1", "createSession": True},
    "somebody's session": {"query": "SELECT 1", "connectionProperties": [{"key": "session_id", "value": "1"}]},
    "key of another spelling": {"query": "SELECT 1", "default_dataset": {"datasetId": "raw__app"}},
    "dry run": {"query": f"SELECT secret FROM {RAW}", "dryRun": True},
    "table name as a parameter": {
        "query": "SELECT * FROM @t",
        "parameterMode": "NAMED",
        "queryParameters": [
            {"name": "t", "parameterType": {"type": "STRING"}, "parameterValue": {"value": RAW}},
        ],
    },
}


@pytest.mark.parametrize("attempt", REQUESTS)
def test_a_request_that_tries_is_refused(call, attempt):
    answer = call(ANALYST, "POST", "/queries", json={"useLegacySql": False, **REQUESTS[attempt]})
    assert answer.status_code == 403, answer.text


def reference(dataset: str, table: str) -> dict[str, str]:
    return {"projectId": "noren-test", "datasetId": dataset, "tableId": table}


SELECT = "SELECT user_token FROM warehouse__app.events"
CONFIGURATIONS = {
    "destination in a closed dataset": {"query": {"query": SELECT, "destinationTable": reference("raw__app", "x")}},
    "destination in a dataset to read": {
        "query": {"query": SELECT, "destinationTable": reference("warehouse__app", "x")}
    },
    "destination over a table": {
        "query": {
            "query": SELECT,
            "destinationTable": reference("anonymized__app", "app_event"),
            "writeDisposition": "WRITE_TRUNCATE",
        }
    },
    "destination among the results": {"query": {"query": SELECT, "destinationTable": reference("_results", "x")}},
    "external table of the job": {
        "query": {
            "query": "SELECT * FROM t",
            "tableDefinitions": {"t": {"sourceUris": ["file:///etc/passwd"], "sourceFormat": "CSV"}},
        }
    },
    "functions of the job": {"query": {"query": "SELECT 1", "userDefinedFunctionResources": [{"inlineCode": "x"}]}},
    "copy of a closed table": {
        "copy": {
            "sourceTable": reference("raw__app", "app_event"),
            "destinationTable": reference("warehouse__app", "x"),
        }
    },
    "copy under another key": {
        "copy_": {
            "sourceTable": reference("raw__app", "app_event"),
            "destinationTable": reference("warehouse__app", "x"),
        }
    },
    "extract": {"extract": {"sourceTable": reference("warehouse__app", "events"), "destinationUris": ["gs://b/x"]}},
    "load of a local file": {
        "load": {"sourceUris": ["file:///etc/passwd"], "destinationTable": reference("warehouse__app", "x")}
    },
    "load into a closed table": {"load": {"destinationTable": reference("raw__app", "app_event")}},
}


@pytest.mark.parametrize("attempt", CONFIGURATIONS)
def test_a_job_that_tries_is_refused(call, attempt):
    answer = call(ANALYST, "POST", "/jobs", json={"configuration": CONFIGURATIONS[attempt]})
    assert answer.status_code == 403, answer.text


def test_a_writer_cannot_copy_what_the_writer_may_not_read(call):
    configuration = {
        "copy": {
            "sourceTable": reference("raw__app", "app_event"),
            "destinationTable": reference("marts__product", "x"),
        }
    }
    assert call(DBT, "POST", "/jobs", json={"configuration": configuration}).status_code == 403


def test_two_job_types_in_one_job_are_refused(call):
    configuration = {
        "query": {"query": "SELECT 1"},
        "copy": {
            "sourceTable": reference("raw__app", "app_event"),
            "destinationTable": reference("marts__product", "x"),
        },
    }
    assert call(DBT, "POST", "/jobs", json={"configuration": configuration}).status_code == 400


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


MALFORMED = {
    "a list": ("POST", "/queries", "[]"),
    "no JSON": ("POST", "/queries", "{"),
    "a number as a query": ("POST", "/queries", '{"query": 1}'),
    "a text as a job": ("POST", "/jobs", '"x"'),
    "a text as a reference": ("POST", "/jobs", '{"jobReference": "x", "configuration": {"query": {"query": 1}}}'),
    "a list as a configuration": ("POST", "/jobs", '{"configuration": []}'),
    "a text as a query": ("POST", "/jobs", '{"configuration": {"query": "x"}}'),
    "a number as a default dataset": ("POST", "/queries", '{"query": "SELECT 1", "defaultDataset": 1}'),
    "nothing": ("POST", "/jobs", ""),
    "deep nesting": ("POST", "/queries", "[" * 100_000),
}


@pytest.mark.parametrize("attempt", MALFORMED)
def test_a_malformed_body_is_told_so(call, attempt):
    method, where, body = MALFORMED[attempt]
    answer = call(ANALYST, method, where, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["errors"][0]["reason"] == "invalid"


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


def unsigned(email: str) -> str:
    def part(content: dict[str, str]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    claims = {"iss": "noren-stack", "aud": "noren-gateway", "sub": email, "iat": 1, "exp": 9_999_999_999}
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer x", "Basic YWRhQGV4YW1wbGUuY29tOng=", f"Bearer {unsigned('ada@example.com')}"],
    ids=["empty", "no token", "no JWT", "basic", "unsigned"],
)
def test_who_is_not_known_gets_401_in_bigquerys_shape(call, authorization):
    answer = call("ada@example.com", "GET", "/datasets", headers={"authorization": authorization})
    assert answer.status_code == 401
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"
    assert answer.json()["error"]["errors"][0]["reason"] == "authError"


def test_a_token_in_the_address_counts_for_nothing(call):
    answer = call("ada@example.com", "GET", "/datasets?access_token=x", headers={"authorization": ""})
    assert answer.status_code == 401


def test_who_may_not_run_jobs_runs_none(call):
    answer = call("oz@example.com", "POST", "/queries", json={"query": "SELECT 1", "useLegacySql": False})
    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == (
        "Access Denied: Project noren-test: User does not have bigquery.jobs.create permission in project noren-test.\n"
        "Members of data-admins@example.com may: ask ada@example.com."
    )


def test_another_project_is_refused(call):
    answer = call("ada@example.com", "GET", "/datasets", base="/bigquery/v2/projects/other")
    assert answer.status_code == 403


def test_the_stacks_secret_does_not_open_the_gateway(stack, call):
    headers = {"authorization": "", "x-noren-stack": stack.secret}
    assert call("ada@example.com", "GET", "/datasets", headers=headers).status_code == 401


def test_method_override_headers_count_for_nothing(call):
    headers = {"x-http-method-override": "DELETE", "x-http-method": "DELETE"}
    assert call(ANALYST, "GET", "/datasets/anonymized__app", headers=headers).status_code == 200
    assert call("ada@example.com", "GET", "/datasets/anonymized__app").status_code == 200


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


def test_the_name_of_a_parameter_is_no_sql(call):
    parameter = {
        "name": f"x AS STRING), (SELECT max(secret) FROM {RAW}), CAST($x",
        "parameterType": {"type": "STRING"},
        "parameterValue": {"value": "x"},
    }
    body = {"query": "SELECT 1", "parameterMode": "NAMED", "queryParameters": [parameter], "useLegacySql": False}
    answer = call(ANALYST, "POST", "/queries", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("The name of a query parameter")
