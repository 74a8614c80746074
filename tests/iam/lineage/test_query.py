"""Lineage of single queries: columns by where they come from, and what only decides about rows."""

import pytest

from iam.engine import TableName
from iam.lineage.query import lineage
from iam.lineage.scope import LineageError
from iam.lineage.value import Value, of_table

SHAPE = {"a": None, "b": None, "s": {"x": None, "y": None}, "items": [{"k": None, "v": {"w": None}}], "tags": [None]}


def upstream(name: TableName) -> Value | None:
    """d.t, d.u and d.w have the same columns."""
    return of_table(name.table, SHAPE) if name.dataset == "d" and name.table in "tuw" else None


def columns(sql: str) -> dict[str, str]:
    """`{"a": "t.a"}`; what is not copied is marked: ~ derived, # counted, ! decrypted."""
    relation, _ = lineage(sql, "p", upstream)
    marks = "#~ !"
    return {
        path: " ".join(sorted(f"{marks[how]}{name.replace('#', '.')}".strip() for name, how in leaf.sources.items()))
        for name, value in relation.columns
        for path, leaf in value.leaves(name)
    }


def influences(sql: str) -> dict[str, str]:
    return {name.replace("#", "."): " ".join(hows) for name, hows in lineage(sql, "p", upstream)[1].items()}


CASES = {
    "columns and aliases": ("select a, b as c from d.t", {"a": "t.a", "c": "t.b"}),
    "fields of structs": ("select s.x, t.s.y, d.t.a from d.t", {"x": "t.s.x", "y": "t.s.y", "a": "t.a"}),
    "a whole struct": ("select s from d.t", {"s.x": "t.s.x", "s.y": "t.s.y"}),
    "case of names": ("select A, S.X from d.t as T", {"A": "t.a", "X": "t.s.x"}),
    "a star": ("select * from (select a, b from d.t)", {"a": "t.a", "b": "t.b"}),
    "a star of a table": ("select x.* from (select a from d.t) x, d.u", {"a": "t.a"}),
    "a star of a struct": ("select s.* from d.t", {"x": "t.s.x", "y": "t.s.y"}),
    "except": ("select * except (s, items, tags) from d.t", {"a": "t.a", "b": "t.b"}),
    "replace": ("select * except (s, items, tags) replace (b + 1 as a) from d.t", {"a": "~t.b", "b": "t.b"}),
    "a row as a value": ("select v.a from (select as struct a, b from d.t) v", {"a": "t.a"}),
    "a table's row": ("select v from (select a from d.t) v", {"v.a": "t.a"}),
    "functions": ("select concat(a, lower(b)) as c, 1 as n from d.t", {"c": "~t.a ~t.b", "n": ""}),
    "a condition tells too": ("select if(a > 1, b, null) as c from d.t", {"c": "t.b ~t.a"}),
    "case": ("select case a when 1 then b else s.x end as c from d.t", {"c": "t.b t.s.x ~t.a"}),
    "counts": (
        "select count(*) n, count(distinct a) as m, countif(b > 1) as k from d.t",
        {"n": "#.", "m": "#t.a", "k": "#t.b"},
    ),
    "a sum of ones is a count": ("select sum(1) as n from d.t", {"n": "#."}),
    "aggregates keep values": ("select max(a) as m, array_agg(b) as bs from d.t", {"m": "~t.a", "bs": "t.b"}),
    "a field of an aggregate": ("select array_agg(struct(a as q, b) limit 1)[offset(0)].q as z from d.t", {"z": "t.a"}),
    "min by": ("select min_by(a, b) as m from d.t", {"m": "t.a"}),
    "a window": ("select lag(a) over (partition by b order by s.x) as z from d.t", {"z": "t.a"}),
    "a rank tells its order": ("select row_number() over (partition by a order by b) as n from d.t", {"n": "~t.b"}),
    "unnest": (
        "select i.k, i.v.w, o from d.t, unnest(items) i with offset o",
        {"k": "t.items.k", "w": "t.items.v.w", "o": ""},
    ),
    "unnest without its name": ("select k from d.t, t.items", {"k": "t.items.k"}),
    "unnest scalars": ("select tag from d.t left join unnest(tags) as tag", {"tag": "t.tags"}),
    "an array of a subquery": (
        "select array(select as struct k, a from unnest(items)) as z from d.t",
        {"z.k": "t.items.k", "z.a": "t.a"},
    ),
    "an index": ("select items[offset(0)].v.w as z from d.t", {"z": "t.items.v.w"}),
    "a lambda": ("select array_transform(tags, e -> concat(e, a)) as z from d.t", {"z": "~t.a ~t.tags"}),
    "a struct": ("select struct(a as q, s) as z from d.t", {"z.q": "t.a", "z.s.x": "t.s.x", "z.s.y": "t.s.y"}),
    "a typed struct": ("select struct<q string, r string>(a, b) as z from d.t", {"z.q": "t.a", "z.r": "t.b"}),
    "json": ("select to_json_string(x) as j from (select a, b from d.t) x", {"j": "~t.a ~t.b"}),
    "CTEs": ("with c as (select a as z from d.t), e as (select z from c) select z from e", {"z": "t.a"}),
    "a CTE hides an outer one": (
        "with c as (select a as z from d.t) select z from (with c as (select b as z from d.u) select z from c)",
        {"z": "u.b"},
    ),
    "a CTE with a table's name": ("with t as (select b as a from d.t) select a from t", {"a": "t.b"}),
    "recursion": (
        "with recursive r as (select a, b from d.t union all select b, a from r) select a from r",
        {"a": "t.a t.b"},
    ),
    "union by position": (
        "select a, s from d.t union all select b, s from d.u",
        {"a": "t.a u.b", "s.x": "t.s.x u.s.x", "s.y": "t.s.y u.s.y"},
    ),
    "union by name": ("select a from d.t union all by name select a from d.u", {"a": "t.a u.a"}),
    "except distinct keeps the left": ("select a from d.t except distinct select a from d.u", {"a": "t.a"}),
    "using": ("select a, u.b from d.t join d.u using (a)", {"a": "t.a u.a", "b": "u.b"}),
    "a scalar subquery": ("select (select max(u.b) from d.u where u.a = t.a) as m from d.t", {"m": "~u.b"}),
    "exists": ("select exists(select 1 from d.u where u.a = t.b) as e from d.t", {"e": "~t.b ~u.a"}),
    "in": ("select a in (select b from d.u) as e from d.t", {"e": "~t.a ~u.b"}),
    "parts of dates are no columns": (
        "select date_trunc(a, month) as m, last_day(b, week) as w from d.t",
        {"m": "~t.a", "w": "~t.b"},
    ),
    "pipes": ("from d.t |> where b = 1 |> select a", {"a": "t.a"}),
    "a name that is a table and a column": ("select s.x from d.t as s", {"x": "t.s.x"}),
}


@pytest.mark.parametrize("case", CASES)
def test_where_columns_come_from(case: str) -> None:
    sql, expected = CASES[case]
    assert columns(sql) == expected


DECIDING = {
    "where": ("select a from d.t where b = 1", {"t.b": "filter"}),
    "having and qualify": (
        "select a from d.t qualify row_number() over (partition by s.x order by b) = 1",
        {"t.b": "filter window", "t.s.x": "window"},
    ),
    "on": ("select t.a from d.t join d.u on t.b = u.b", {"t.b": "join", "u.b": "join"}),
    "group by an alias": ("select b as c, count(*) as n from d.t group by c", {"t.b": "group"}),
    "group by a number": ("select b as c, count(*) as n from d.t group by 1", {"t.b": "group"}),
    "group by all": ("select b, count(*) as n from d.t group by all", {"t.b": "group"}),
    "rollup": ("select a, b from d.t group by rollup(a, b)", {"t.a": "group", "t.b": "group"}),
    "order with a limit": ("select a from d.t order by b limit 1", {"t.b": "order"}),
    "order alone decides nothing": ("select a from d.t order by b", {}),
    "min by": ("select min_by(a, b) as m from d.t", {"t.b": "order"}),
    "a CTE's filter": ("with c as (select a from d.t where b = 1) select a from c", {"t.b": "filter"}),
    "a subquery's filter": ("select (select max(a) from d.u where b = 1) as m", {"u.b": "filter"}),
    "intersection": (
        "select a from d.t intersect distinct select b from d.u",
        {"t.a": "set operation", "u.b": "set operation"},
    ),
    "a named window": ("select sum(a) over w as z from d.t window w as (partition by b)", {"t.b": "window"}),
}


@pytest.mark.parametrize("case", DECIDING)
def test_what_decides_about_rows(case: str) -> None:
    sql, expected = DECIDING[case]
    assert influences(sql) == expected


REFUSED = {
    "select a\nfrom external_query('c', 'select 1')": 2,
    "select nope from d.t": 1,
    "select a,\n  s.nope from d.t": 2,
    "select * from d.nothing": 1,
    "select * from d.`t_*`": 1,
    "select\n  own(a) from d.t": 2,
    "select other.own(a) from d.t": 1,
    "select a from d.t where b = @b": 0,
    "select * from d.t pivot(sum(a) for b in ('x'))": 1,
    "select * from ml.predict(model d.m, (select 1))": 1,
    "select * from d.INFORMATION_SCHEMA.TABLES": 1,
    "select a from t": 1,
    "select a from d.t; select b from d.t": 1,
    "drop table d.t": 1,
    "select (select a, b from d.t) as z": 1,
    "select a from d.t union all select a, b from d.t": 1,
    "select a from": 1,
    "select j.* from (select to_json(t) as j from d.t)": 1,
}


@pytest.mark.parametrize("sql", REFUSED)
def test_what_cannot_be_told_is_refused_with_its_line(sql: str) -> None:
    with pytest.raises(LineageError) as refused:
        lineage(sql, "p", upstream)
    assert refused.value.line == REFUSED[sql]


def test_a_refusal_quotes_no_literal() -> None:
    with pytest.raises(LineageError) as refused:
        lineage("select own('ada@example.com') from d.t", "p", upstream)
    assert "ada" not in str(refused.value)
