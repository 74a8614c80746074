"""Which tables a statement names; what could hide one is refused."""

import contextlib

import pytest
import sqlglot

from iam.references import MAX_LENGTH, UnreadableSQLError, is_metadata, parse, resolve, tables, view_sources


def named(sql: str, default: tuple[str, str] | None = None) -> set[str]:
    return {str(name) for tree in parse(sql) for name in tables(tree, "p", default)}


NAMES = {
    "SELECT * FROM d.t": {"p:d.t"},
    "SELECT * FROM q.d.t": {"q:d.t"},
    "SELECT * FROM q-1.d.t": {"q-1:d.t"},
    "SELECT * FROM `q-1.d.t`": {"q-1:d.t"},
    "SELECT * FROM `d`.`t`": {"p:d.t"},
    "SELECT * FROM D.T": {"p:D.T"},
    "SELECT * FROM `d.t*`": {"p:d.t*"},
    "SELECT * FROM d.t, d.u JOIN d.v USING (x)": {"p:d.t", "p:d.u", "p:d.v"},
    "SELECT * FROM d.t AS t, t.items, UNNEST(t.more)": {"p:d.t"},
    "SELECT * FROM (SELECT * FROM d.t)": {"p:d.t"},
    "SELECT (SELECT 1 FROM d.t), ARRAY(SELECT 1 FROM d.u)": {"p:d.t", "p:d.u"},
    "SELECT 1 UNION ALL (SELECT 2 FROM d.t EXCEPT DISTINCT SELECT 3 FROM d.u)": {"p:d.t", "p:d.u"},
    "WITH a AS (SELECT * FROM d.t) SELECT * FROM a": {"p:d.t"},
    "WITH a AS (SELECT * FROM d.t), b AS (SELECT * FROM A) SELECT * FROM `b`": {"p:d.t"},
    "WITH t AS (SELECT 1) SELECT * FROM d.t": {"p:d.t"},
    "WITH a AS (SELECT 1) SELECT * FROM a UNION ALL SELECT * FROM a": set(),
    "WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a WHERE n < 3) SELECT * FROM a": set(),
    "WITH a AS (SELECT 1) SELECT (WITH b AS (SELECT * FROM a) SELECT * FROM b)": set(),
    "FROM d.t |> JOIN d.u USING (x) |> SELECT x": {"p:d.t", "p:d.u"},
    "SELECT * FROM d.INFORMATION_SCHEMA.TABLES": {"p:d.INFORMATION_SCHEMA.TABLES"},
    "SELECT * FROM `q.d`.information_schema.columns": {"q:d.INFORMATION_SCHEMA.COLUMNS"},
    "SELECT NET.HOST(x), SAFE.SUBSTR(x, 1), HLL_COUNT.INIT(x) FROM d.t": {"p:d.t"},
    "SELECT 1": set(),
    "WITH \u6570 AS (SELECT 1) SELECT * FROM \u6570": set(),
}


@pytest.mark.parametrize("sql", NAMES)
def test_every_table_is_named(sql):
    assert named(sql) == NAMES[sql]


REFUSED = [
    "SELECT * FROM t",
    "SELECT COLUMNS('p.*') FROM d.t",
    "SELECT b FROM d.t AS t(a, b)",
    "SELECT b FROM (SELECT * FROM d.t) AS t(a, b)",
    "WITH a AS (SELECT * FROM a) SELECT 1",
    "WITH RECURSIVE a AS (SELECT * FROM a) SELECT * FROM a",
    "WITH RECURSIVE a AS (SELECT * FROM a UNION ALL SELECT 1) SELECT * FROM a",
    "WITH RECURSIVE a AS (SELECT * FROM a UNION ALL SELECT 1 UNION ALL SELECT 2) SELECT * FROM a",
    "WITH RECURSIVE a AS (SELECT 1 EXCEPT DISTINCT SELECT * FROM a) SELECT * FROM a",
    "WITH RECURSIVE a AS (SELECT 1 AS x UNION ALL BY NAME SELECT * FROM a) SELECT * FROM a",
    "WITH RECURSIVE a AS ((SELECT 1 UNION ALL SELECT * FROM a)) SELECT * FROM a",
    "WITH RECURSIVE a AS (WITH b AS (SELECT * FROM a) SELECT * FROM b UNION ALL SELECT * FROM a) SELECT * FROM a",
    "WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a",
    "SELECT current_setting('x').y",
    "(WITH a AS (SELECT 1) SELECT * FROM a) UNION ALL SELECT * FROM a",
    "WITH a AS (SELECT 1), b AS (SELECT 2) SELECT * FROM c",
    "WITH `INFORMATION_SCHEMA.JOBS` AS (SELECT 1) SELECT * FROM `INFORMATION_SCHEMA.JOBS`",
    "WITH __tables__ AS (SELECT 1) SELECT * FROM __tables__",
    "SELECT * FROM a.b.c.d",
    "SELECT * FROM f(1)",
    "SELECT * FROM d.f(1)",
    "SELECT * FROM EXTERNAL_QUERY('a', 'b')",
    "SELECT * FROM ML.PREDICT(MODEL d.m, TABLE d.t)",
    "SELECT d.f(1)",
    "SELECT `d.f`(1)",
    "SELECT `p.d.f`(1)",
    "SELECT SAFE.d.f(1)",
    "SELECT read_text('x')",
    "SELECT @@project_id",
    "SELECT * FROM @t",
    "SELECT * FROM `/etc/passwd`",
    "SELECT * FROM d.`a/b`",
    "SELECT * FROM d.`t$20260101`",
    "SELECT * FROM d.`t@-1`",
    "SELECT * FROM INFORMATION_SCHEMA.TABLES",
    "SELECT * FROM `region-us`.INFORMATION_SCHEMA.TABLES",
    "SELECT * FROM d.INFORMATION_SCHEMA.JOBS",
    "SELECT * FROM `INFORMATION_SCHEMA`.`TABLES`",
    "SELECT * FROM `INFORMATION_SCHEMA`.TABLES.x",
    "WITH events AS (SELECT 1) SELECT * FROM event\u017f",
    "WITH k AS (SELECT 1) SELECT * FROM \u212a",
    "SELECT * FROM (DESCRIBE d.t)",
    "SELECT * FROM (SHOW TABLES)",
    "SELECT * FROM (SUMMARIZE d.t)",
    "EXECUTE IMMEDIATE 'SELECT 1'",
    "CALL d.p()",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_what_could_hide_a_table_is_refused(sql):
    with pytest.raises(UnreadableSQLError):
        named(sql)


def test_the_default_dataset_completes_a_name_that_is_no_cte():
    assert named("SELECT * FROM t", ("q", "d")) == {"q:d.t"}
    assert named("WITH t AS (SELECT * FROM t) SELECT * FROM t", ("q", "d")) == {"q:d.t"}
    assert named("SELECT * FROM e.t", ("q", "d")) == {"p:e.t"}


@pytest.mark.parametrize(
    "sql", ["SELECT (", "SELECT 1 FROM", "SELECT 'x", "TABLE d.t x y", "SELECT 1" + " " * MAX_LENGTH]
)
def test_what_is_no_statement_is_a_syntax_error(sql):
    with pytest.raises(UnreadableSQLError) as refused:
        parse(sql)
    assert refused.value.syntax


@pytest.mark.parametrize("depth", [200, 5_000])
def test_deep_nesting_ends_in_an_answer(depth):
    sql = "SELECT * FROM " + "(SELECT * FROM " * depth + "d.t" + ")" * depth
    with contextlib.suppress(UnreadableSQLError):
        assert named(sql) == {"p:d.t"}


def test_an_error_never_quotes_the_statement(caplog):
    for sql in ("SELECT 'secret' FROM (", "EXECUTE IMMEDIATE 'secret'", "SELECT secret('x')", "CREATE secret"):
        with pytest.raises(UnreadableSQLError) as refused:
            named(sql)
        assert "secret" not in str(refused.value)
    assert "secret" not in caplog.text


def test_the_sources_of_a_view_are_qualified():
    assert {str(name) for name in view_sources("SELECT * FROM d.t JOIN q.e.u USING (x)", "p")} == {"p:d.t", "q:e.u"}
    for sql in ("SELECT * FROM t", "SELECT 1; SELECT 2", "DROP TABLE d.t", ""):
        with pytest.raises(UnreadableSQLError):
            view_sources(sql, "p")


def test_metadata_views_are_told_from_tables():
    def first(sql: str) -> bool:
        tree = sqlglot.parse_one(sql, dialect="bigquery")
        return is_metadata(resolve(tree.find(sqlglot.exp.Table), "p", None))

    assert first("SELECT * FROM d.INFORMATION_SCHEMA.TABLES")
    assert first("SELECT * FROM d.__TABLES__")
    assert not first("SELECT * FROM d.tables")
