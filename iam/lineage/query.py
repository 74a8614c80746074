"""The lineage of one query: which columns of which tables each column comes from, and which only decide about rows.

An interpreter of GoogleSQL over values that know their sources (`value.py`). sqlglot's own lineage knows neither the
parts of structs nor what filters. It fails closed: a clause that is not listed here is refused.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlglot import exp

from iam.engine import TableName
from iam.lineage.expressions import Expressions
from iam.lineage.scope import Columns, LineageError, Range, Relation, Scope, refused
from iam.lineage.value import NOTHING, ROWS, Value, either, element, opaque
from iam.lineage.value import field as field_of
from iam.references import UnreadableSQLError, parse, resolve, tables

SELECT = frozenset(
    [
        "kind",
        "expressions",
        "from_",
        "joins",
        "where",
        "group",
        "having",
        "qualify",
        "order",
        "limit",
        "offset",
        "distinct",
        "with_",
        "windows",
        "sample",
    ]
)
TABLE = frozenset(["this", "db", "catalog", "alias", "version", "sample"])
JOIN = frozenset(["this", "side", "kind", "on", "using", "method"])
SUBQUERY = frozenset(["this", "alias", "sample"])
SET = frozenset(
    ["this", "expression", "distinct", "by_name", "side", "kind", "on", "with_", "order", "limit", "offset"]
)
UNNEST = frozenset(["expressions", "alias", "offset"])
ROUNDS = 20
"""A recursive CTE whose sources still change after so many rounds is refused; each round adds a source or ends it."""

type Upstream = Callable[[TableName], Value | None]
"""The columns of a table as a struct, None when nobody knows it; a value without fields may have any column."""


class Lineage(Expressions):
    """One statement. upstream: what tables it may read. influences: sources that decide about rows -> how."""

    def __init__(self, project: str, upstream: Upstream) -> None:
        self.project, self.upstream = project, upstream
        self.influences: dict[str, set[str]] = {}

    def influence(self, how: str, *values: Value) -> None:
        for name in opaque(values).sources.keys() - ROWS.sources.keys():
            self.influences.setdefault(name, set()).add(how)

    @contextmanager
    def captured(self) -> Iterator[list[Value]]:
        """What decides about rows inside the block; it counts outside too."""
        before, self.influences = self.influences, {}
        found: list[Value] = []
        yield found
        inner, self.influences = self.influences, before
        found.append(self.influencing(inner))
        for name, hows in inner.items():
            self.influences.setdefault(name, set()).update(hows)

    def query(self, node: exp.Expr, ctes: dict[str, Relation], outer: Scope | None) -> Relation:
        if isinstance(node, exp.Subquery):
            self.only(node, SUBQUERY | {"with_", "order", "limit"})
            return self.query(node.this, self.with_(node, ctes, outer), outer)
        if isinstance(node, exp.SetOperation):
            return self.set_operation(node, self.with_(node, ctes, outer), outer)
        if isinstance(node, exp.Select):
            return self.select(node, self.with_(node, ctes, outer), outer)
        raise refused("is no query that is understood here", node)

    def only(self, node: exp.Expr, known: frozenset[str]) -> None:
        """Raises LineageError for a clause that is not known."""
        for key, given in node.args.items():
            if given and key not in known:
                raise refused(f"the clause {key.strip('_').upper()} is not understood here", node)

    def with_(self, node: exp.Expr, ctes: dict[str, Relation], outer: Scope | None) -> dict[str, Relation]:
        """The CTEs in scope, those of the node's WITH included."""
        clause = node.args.get("with_")
        if clause is None:
            return ctes
        ctes = dict(ctes)
        for cte in clause.expressions:
            name = cte.alias.lower()
            body = cte.this
            if clause.args.get("recursive") and isinstance(body, exp.Union) and not body.args.get("with_"):
                ctes[name] = self.recursive(name, body, ctes, outer)
            else:
                ctes[name] = self.query(body, ctes, outer)
        return ctes

    def recursive(self, name: str, body: exp.Union, ctes: dict[str, Relation], outer: Scope | None) -> Relation:
        found = self.query(body.this, ctes, outer)
        for _ in range(ROUNDS):
            again = self.query(body.expression, {**ctes, name: found}, outer)
            grown = self.both(body, found, again)
            if grown == found:
                return found
            found = grown
        raise refused("a recursive CTE that does not settle", body)

    def set_operation(self, node: exp.SetOperation, ctes: dict[str, Relation], outer: Scope | None) -> Relation:
        self.only(node, SET)
        left, right = self.query(node.this, ctes, outer), self.query(node.expression, ctes, outer)
        if isinstance(node, exp.Union):
            found = self.both(node, left, right)
        else:
            self.influence("set operation", left.row, right.row)
            found = left
        if node.args.get("limit") and node.args.get("order"):
            scope = Scope(outer, [Range("", found.row, found.columns)], ctes=ctes)
            self.influence("order", *self.each(node.args["order"], scope))
        return found

    def both(self, node: exp.Expr, left: Relation, right: Relation) -> Relation:
        """The rows of both, by position or by name."""
        if node.args.get("by_name"):
            names = dict.fromkeys(name for name, _ in (*left.columns, *right.columns))
            parts = {
                name: [part for relation in (left, right) if (part := field_of(relation.row, name)) is not None]
                for name in names
            }
            return Relation(tuple((name, either(values)) for name, values in parts.items()))
        if len(left.columns) != len(right.columns):
            raise refused("the arms of a set operation have different numbers of columns", node)
        pairs = zip(left.columns, right.columns, strict=True)
        columns = tuple((name, either([mine, theirs])) for (name, mine), (_, theirs) in pairs)
        return Relation(columns, left.value_table)

    def select(self, node: exp.Select, ctes: dict[str, Relation], outer: Scope | None) -> Relation:
        self.only(node, SELECT)
        scope = Scope(outer, ctes=ctes)
        if node.args.get("from_") is not None:
            scope.ranges.append(self.range(node.args["from_"].this, scope, ctes))
        for join in node.args.get("joins") or ():
            self.join(join, scope, ctes)
        for window in node.args.get("windows") or ():
            scope.windows[window.name.lower()] = window
        columns = self.projections(node, scope)
        self.decide(node, scope, columns)
        if node.args.get("kind") == "STRUCT":
            return Relation((("", Value(fields=dict(columns))),), value_table=True)
        return Relation(columns, value_table=node.args.get("kind") == "VALUE")

    def decide(self, node: exp.Select, scope: Scope, columns: Columns) -> None:
        """The clauses that decide about rows. Aliases of the SELECT list may be named in all but WHERE."""
        if node.args.get("where") is not None:
            self.influence("filter", self.value(node.args["where"].this, scope))
        named = scope.within({name: value for name, value in columns if name})
        group = node.args.get("group")
        if group is not None:
            if group.args.get("all"):
                self.influence("group", *(value for _, value in columns))
            self.influence("group", *self.keys(group, named, columns))
        for clause in ("having", "qualify"):
            if node.args.get(clause) is not None:
                self.influence("filter", self.value(node.args[clause].this, named))
        if node.args.get("order") is not None and node.args.get("limit") is not None:
            self.influence("order", *self.keys(node.args["order"], named, columns))

    def keys(self, node: exp.Expr, scope: Scope, columns: Columns) -> Iterator[Value]:
        """Expressions of GROUP BY or ORDER BY, where a number stands for a column."""
        for child in node.iter_expressions():
            literal = child.this if isinstance(child, exp.Ordered) else child
            if isinstance(literal, exp.Literal) and not literal.is_string:
                place = int(literal.name) - 1 if literal.name.isdigit() else -1
                if not 0 <= place < len(columns):
                    raise refused("a number in GROUP BY or ORDER BY stands for no column", node)
                yield columns[place][1]
            elif isinstance(child, exp.Rollup | exp.Cube | exp.GroupingSets | exp.Tuple):
                yield from self.keys(child, scope, columns)
            else:
                yield self.value(child, scope)

    def projections(self, node: exp.Select, scope: Scope) -> Columns:
        found: list[tuple[str, Value]] = []
        for number, item in enumerate(node.expressions):
            star = item.this if isinstance(item, exp.Column | exp.Dot) and isinstance(item.this, exp.Star) else item
            if isinstance(item, exp.Dot) and isinstance(item.expression, exp.Star):
                star = item.expression
            if isinstance(star, exp.Star):
                found += self.star(star, item, scope)
            else:
                name = item.alias_or_name if isinstance(item, exp.Alias | exp.Column | exp.Dot) else ""
                found.append((name or f"f{number}_", self.value(item, scope)))
        return tuple(found)

    def star(self, star: exp.Star, item: exp.Expr, scope: Scope) -> Columns:
        """What `*`, `t.*` or `struct.*` stands for, with EXCEPT and REPLACE."""
        self.only(star, frozenset({"except_", "replace"}))
        if item is star:
            if not scope.ranges or not all(range.known for range in scope.ranges):
                raise refused("a star over columns that are not known", item)
            columns = self.all_columns(scope)
        elif isinstance(item, exp.Dot):
            columns = self.parts(self.value(item.this, scope), item)
        else:
            names = [part.name for part in item.parts[:-1]] if isinstance(item, exp.Column) else []
            whole = scope.find(names) if names else None
            if whole is None:
                raise refused(f"a star over {'.'.join(names)}, which is not known", item)
            columns = self.parts(whole, item)
        without = {column.name.lower() for column in star.args.get("except_") or ()}
        replaced = {alias.alias.lower(): self.value(alias.this, scope) for alias in star.args.get("replace") or ()}
        present = {name.lower() for name, _ in columns}
        if unknown := sorted((without | replaced.keys()) - present):
            raise refused(f"EXCEPT or REPLACE names {unknown[0]}, which is not there", item)
        return tuple(
            (name, replaced.get(name.lower(), value)) for name, value in columns if name.lower() not in without
        )

    def all_columns(self, scope: Scope) -> Columns:
        """Columns merged by USING come once and first."""
        found = list(scope.joined.items())
        for range in scope.ranges:
            found += [(name, value) for name, value in range.columns if name.lower() not in scope.joined]
        return tuple(found)

    def parts(self, whole: Value, node: exp.Expr) -> Columns:
        if whole.fields is None:
            raise refused("a star over columns that are not known", node)
        return tuple(whole.fields.items())

    def join(self, node: exp.Join, scope: Scope, ctes: dict[str, Relation]) -> None:
        self.only(node, JOIN)
        added = self.range(node.this, scope, ctes)
        for identifier in node.args.get("using") or ():
            name = identifier.name.lower()
            sides = [*([scope.joined[name]] if name in scope.joined else _first(scope, name)), *added.column(name)]
            if len(sides) < 2:
                raise refused(f"USING names {name}, which is not on both sides", node)
            self.influence("join", *sides)
            scope.joined[name] = either(sides)
        scope.ranges.append(added)
        if node.args.get("on") is not None:
            self.influence("join", self.value(node.args["on"], scope))

    def range(self, node: exp.Expr, scope: Scope, ctes: dict[str, Relation]) -> Range:
        """An item of a FROM clause."""
        if isinstance(node, exp.Unnest):
            return self.unnest(node, scope)
        if isinstance(node, exp.Subquery):
            if not isinstance(node.this, exp.Query):
                raise refused("a join in parentheses is not understood here", node)
            self.only(node, SUBQUERY)
            return _range(node.alias, self.query(node.this, ctes, scope.outer))
        if not isinstance(node, exp.Table):
            raise refused("an item of FROM is not understood here", node)
        self.only(node, TABLE)
        alias = node.args.get("alias")
        if alias is not None and alias.args.get("columns"):
            raise refused("names of columns after an alias are not understood here", node)
        bare = isinstance(node.this, exp.Identifier) and not node.args.get("db") and not node.args.get("catalog")
        if bare and node.name.lower() in ctes:
            return _range(node.alias or node.name, ctes[node.name.lower()])
        if (path := self.correlated(node, scope)) is not None:
            return _unnested(node.alias or node.name, element(path), None)
        return self.table(node)

    def correlated(self, node: exp.Table, scope: Scope) -> Value | None:
        """`FROM t, t.items`: an array of a range before it."""
        names = [part.name for part in node.parts]
        if len(names) < 2 or not any(range.alias.lower() == names[0].lower() for range in scope.ranges):
            return None
        return scope.find(names)

    def table(self, node: exp.Table) -> Range:
        try:
            name = resolve(node, self.project, None)
        except UnreadableSQLError as error:
            raise refused(str(error).rstrip("."), node) from error
        columns = self.upstream(name)
        if columns is None:
            raise refused(f"reads {name.dataset}.{name.table}, whose columns are not known", node)
        alias = node.alias or name.table
        parts = () if node.alias else (name.project, name.dataset, name.table)
        return Range(alias, columns, tuple((columns.fields or {}).items()), parts, known=columns.fields is not None)

    def unnest(self, node: exp.Unnest, scope: Scope) -> Range:
        self.only(node, UNNEST)
        if len(node.expressions) != 1:
            raise refused("UNNEST of more than one array is not understood here", node)
        item = element(self.value(node.expressions[0], scope))
        alias = node.args.get("alias")
        names = [alias.name, *(column.name for column in alias.args.get("columns") or ())] if alias is not None else []
        offset = node.args.get("offset")
        counted = offset.name if isinstance(offset, exp.Identifier) else "offset" if offset else None
        return _unnested(next(filter(None, names), ""), item, counted)

    def subquery(self, node: exp.Expr, scope: Scope) -> Relation:
        return self.query(node, scope.ctes, scope)


def _first(scope: Scope, name: str) -> list[Value]:
    return next((found for range in scope.ranges if (found := range.column(name))), [])


def _range(alias: str, relation: Relation) -> Range:
    if relation.value_table:
        return _unnested(alias, relation.columns[0][1], None)
    return Range(alias, relation.row, relation.columns)


def _unnested(alias: str, item: Value, offset: str | None) -> Range:
    """A table of values: fields of a struct are columns, any other value is one column."""
    if item.fields is not None:
        columns: Columns = tuple(item.fields.items())
    else:
        columns = ((alias or "f0_", item),)
    counter = ((offset, NOTHING),) if offset else ()
    known = item.fields is not None or not item.sources or item.item is not None
    return Range(alias, item, (*columns, *counter), known=known)


def lineage(sql: str, project: str, upstream: Upstream) -> tuple[Relation, dict[str, list[str]]]:
    """The columns that a query gives, and the sources that decide about its rows: source -> filter, join, group...

    project: of table names without one. Raises LineageError.
    """
    try:
        statements = parse(sql)
        if len(statements) != 1 or not isinstance(statements[0], exp.Query):
            raise LineageError("is not one SELECT", 1)
        found = Lineage(project, upstream)
        relation = found.query(statements[0], {}, None)
        list(tables(statements[0], project, None))  # what could hide a table is refused, also where nothing reads it
    except UnreadableSQLError as error:
        raise LineageError(str(error).rstrip("."), _line(str(error))) from error
    except RecursionError:
        raise LineageError("is nested too deeply") from None
    return relation, {name: sorted(hows) for name, hows in sorted(found.influences.items())}


def _line(text: str) -> int:
    """Of a syntax error, `... at [3:14]`."""
    place = text.rpartition("[")[2].partition(":")[0]
    return int(place) if place.isdigit() else 0
