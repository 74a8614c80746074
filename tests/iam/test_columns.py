"""The columns that a query mentions."""

import pytest

from iam.columns import touched
from iam.engine import TableName

SCHEMAS = {"t": ("a", "b", "secret", "items"), "u": ("a", "c")}
ALL = {"a", "b", "secret", "items"}

MENTIONED = {
    "SELECT a FROM d.t": {"a"},
    "SELECT * FROM d.t": ALL,
    "SELECT * EXCEPT (secret) FROM d.t": ALL - {"secret"},
    "SELECT t.* FROM d.t": ALL,
    "SELECT count(*) FROM d.t": set(),
    "SELECT a FROM d.t WHERE secret = 'x'": {"a", "secret"},
    "SELECT A FROM d.t ORDER BY Secret": {"a", "secret"},
    "SELECT a FROM d.t GROUP BY a HAVING max(secret) > '1'": {"a", "secret"},
    "SELECT a FROM d.t QUALIFY row_number() OVER (PARTITION BY secret) = 1": {"a", "secret"},
    "SELECT x FROM d.t, UNNEST(items) AS x": {"items"},
    "SELECT x FROM d.t, UNNEST(t.items) AS x": {"items"},
    "SELECT items.z FROM d.t": {"items"},
    "SELECT c FROM d.t JOIN d.u USING (a)": {"a"},
    "SELECT (SELECT max(secret) FROM d.t) FROM d.u": {"secret"},
    "WITH x AS (SELECT a, b FROM d.t) SELECT * FROM x": {"a", "b"},
    "SELECT a FROM (SELECT * FROM d.t)": ALL,
    "SELECT z.b FROM p.d.t AS z": {"b"},
    "SELECT secret FROM d.t AS secret": {"secret"},
    "SELECT a FROM d.t AS secret": {"a"},
}


def columns(name: TableName) -> tuple[str, ...]:
    return SCHEMAS.get(name.table, ())


@pytest.mark.parametrize("sql", MENTIONED)
def test_the_columns_that_a_query_mentions(sql):
    assert touched(sql, "p", None, columns)[TableName("p", "d", "t")] == MENTIONED[sql]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT t FROM d.t",
        "SELECT TO_JSON_STRING(t) FROM d.t",
        "SELECT AS VALUE t FROM d.t",
        "SELECT STRUCT(t.*) FROM d.t",
        "SELECT a, _PARTITIONTIME FROM d.t",
        "SELECT * FROM d.t PIVOT (count(*) FOR secret IN ('x'))",
        "SELECT a FROM d.unknown",
        "SELECT nothing FROM d.t",
        "INSERT INTO d.u (a) SELECT a FROM d.t",
        "SELECT a FROM d.t; SELECT 1",
        "SELEC",
    ],
)
def test_what_cannot_be_told_is_everything(sql):
    assert touched(sql, "p", None, columns) == {}
