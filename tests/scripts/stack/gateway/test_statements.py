"""What a script asks for: reads, writes, datasets."""

import pytest

from iam.references import UnreadableSQLError
from scripts.stack.gateway.statements import demands

A, B = "p:d.a", "p:e.b"

SCRIPTS = {
    "SELECT * FROM d.a": ({A}, set()),
    "INSERT INTO d.a SELECT * FROM e.b": ({A, B}, {A}),
    "INSERT d.a (x) VALUES (1)": ({A}, {A}),
    "UPDATE d.a SET x = 1 WHERE y IN (SELECT y FROM e.b)": ({A, B}, {A}),
    "UPDATE d.a AS t SET x = s.x FROM e.b AS s WHERE true": ({A, B}, {A}),
    "DELETE FROM d.a WHERE x = (SELECT max(x) FROM e.b)": ({A, B}, {A}),
    "MERGE INTO d.a t USING (SELECT * FROM e.b) s ON t.x = s.x WHEN MATCHED THEN DELETE": ({A, B}, {A}),
    "TRUNCATE TABLE d.a": (set(), {A}),
    "CREATE TABLE d.a (x INT64)": (set(), {A}),
    "CREATE OR REPLACE TABLE d.a PARTITION BY day CLUSTER BY x OPTIONS (description='t') AS (SELECT * FROM e.b)": (
        {B},
        {A},
    ),
    "CREATE VIEW IF NOT EXISTS d.a OPTIONS (labels=[('a', 'b')]) AS SELECT * FROM e.b": ({B}, {A}),
    "CREATE VIEW d.a (x OPTIONS (description='c')) AS SELECT x FROM e.b": ({B}, {A}),
    "CREATE MATERIALIZED VIEW d.a OPTIONS (enable_refresh=true) AS SELECT * FROM e.b": ({B}, {A}),
    "CREATE TABLE d.a CLONE e.b": ({B}, {A}),
    "CREATE TABLE d.a COPY e.b": ({B}, {A}),
    "CREATE TABLE d.a LIKE e.b": ({B}, {A}),
    "CREATE TABLE d.a (x INT64 REFERENCES e.b (x) NOT ENFORCED)": ({B}, {A}),
    "DROP TABLE IF EXISTS d.a": (set(), {A}),
    "DROP VIEW d.a": (set(), {A}),
    "DROP MATERIALIZED VIEW d.a": (set(), {A}),
    "DROP TABLE d.a, e.b": (set(), {A, B}),
    "ALTER TABLE d.a SET OPTIONS (expiration_timestamp=NULL)": (set(), {A}),
    "ALTER TABLE d.a ADD COLUMN x STRING": (set(), {A}),
    "ALTER TABLE d.a ALTER COLUMN x SET DATA TYPE NUMERIC": (set(), {A}),
    "ALTER TABLE d.a RENAME TO c": (set(), {A, "p:d.c"}),
    "ALTER MATERIALIZED VIEW d.a SET OPTIONS (enable_refresh=true)": (set(), {A}),
    '/* {"app": "dbt"} */ SELECT * FROM d.a': ({A}, set()),
    "DECLARE x ARRAY<DATE>; SET (x) = (SELECT AS STRUCT ARRAY_AGG(y) FROM e.b); DELETE FROM d.a WHERE y IN UNNEST(x)": (
        {A, B},
        {A},
    ),
}


@pytest.mark.parametrize("sql", SCRIPTS)
def test_reads_and_writes(sql):
    found = demands(sql, "p", None)
    assert ({str(t) for t in found.reads}, {str(t) for t in found.writes}) == SCRIPTS[sql]


def test_datasets():
    made = demands("CREATE SCHEMA IF NOT EXISTS q.d; CREATE SCHEMA e; DROP SCHEMA d CASCADE", "p", None)
    assert (made.creates, made.drops) == ({("q", "d"), ("p", "e")}, {("p", "d")})


def test_options_of_a_dataset_may_read():
    made = demands("CREATE SCHEMA q.d OPTIONS (description=(SELECT max(x) FROM e.b))", "p", None)
    assert {str(t) for t in made.reads} == {B}


def test_a_default_dataset_is_for_queries_and_not_for_definitions_of_views():
    assert {str(t) for t in demands("SELECT * FROM a", "p", ("p", "d")).reads} == {A}
    assert {str(t) for t in demands("CREATE TABLE a AS SELECT * FROM e.b", "p", ("p", "d")).writes} == {A}
    with pytest.raises(UnreadableSQLError, match="qualified"):
        demands("CREATE VIEW d.a AS SELECT * FROM b", "p", ("p", "e"))


@pytest.mark.parametrize(
    "sql",
    [
        "",
        ";",
        "-- nothing",
        "CREATE TEMP TABLE t AS SELECT 1",
        "CREATE TEMPORARY FUNCTION f() AS (1)",
        "CREATE FUNCTION d.f() AS (1)",
        "CREATE TABLE FUNCTION d.f() AS SELECT 1",
        "CREATE AGGREGATE FUNCTION d.f() AS (1)",
        "CREATE PROCEDURE d.p() BEGIN SELECT 1; END",
        "CREATE MODEL d.m OPTIONS (model_type='linear_reg') AS SELECT 1 AS label",
        "CREATE EXTERNAL TABLE d.a OPTIONS (format='CSV', uris=['gs://b/c'])",
        "CREATE TABLE d.a OPTIONS (uris=['gs://b/c'])",
        "CREATE SNAPSHOT TABLE d.a CLONE e.b",
        "CREATE ROW ACCESS POLICY p ON d.a FILTER USING (true)",
        "CREATE SEARCH INDEX i ON d.a (ALL COLUMNS)",
        "CREATE ASSIGNMENT x",
        "DROP FUNCTION d.f",
        "DROP PROCEDURE d.p",
        "DROP ALL ROW ACCESS POLICIES ON d.a",
        "ALTER SCHEMA d SET OPTIONS (description='x')",
        "ALTER TABLE d.a RENAME TO e.a",
        "ALTER VIEW d.a AS SELECT * FROM e.b",
        "ALTER MATERIALIZED VIEW d.a AS SELECT * FROM e.b",
        "GRANT `roles/x` ON SCHEMA d TO 'user:a@x.com'",
        "REVOKE `roles/x` ON SCHEMA d FROM 'user:a@x.com'",
        "EXPORT DATA OPTIONS (uri='gs://b/*') AS SELECT 1",
        "LOAD DATA INTO d.a FROM FILES (format='CSV', uris=['gs://b/c'])",
        "EXECUTE IMMEDIATE 'SELECT 1'",
        "BEGIN SELECT 1; END",
        "BEGIN TRANSACTION",
        "IF true THEN SELECT 1; END IF",
        "LOOP SELECT 1; END LOOP",
        "WHILE true DO SELECT 1; END WHILE",
        "CALL d.p()",
        "SET @@dataset_id = 'd'",
        "DESCRIBE d.a",
        "EXPLAIN SELECT 1",
        "SHOW TABLES",
        "ATTACH 'x' AS y",
        "PRAGMA database_list",
        "COPY d.a TO 'x'",
        "INSTALL httpfs",
        "USE d",
        "UNDROP SCHEMA d",
    ],
)
def test_everything_else_is_refused(sql):
    with pytest.raises(UnreadableSQLError):
        demands(sql, "p", None)
