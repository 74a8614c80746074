"""Which tables a statement names: GoogleSQL read with sqlglot, failing closed on whatever could hide a table.

Used for the definitions of views and for the statements that the gateway checks. A name is a CTE only where it is in
scope; every other name is a table. Table functions, calls of functions that BigQuery itself does not have, system
variables and names that are no names are refused, because a table behind them would not be seen.
"""

import logging
import re
from collections.abc import Iterator
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from iam.engine import TableName
from iam.functions import NAMESPACES, PLAIN

logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # its warnings quote the statement, and with it personal data

DIALECT = "bigquery"
MAX_LENGTH = 1_000_000
"""BigQuery's own limit of an unresolved GoogleSQL query, characters:
https://cloud.google.com/bigquery/quotas#query_jobs"""
PROJECT = re.compile(r"[a-z0-9.:-]*[a-z0-9]")
DATASET = re.compile(r"[A-Za-z0-9_]{1,1024}")
TABLE = re.compile(r"[\w -]{1,1024}\*?")
INFORMATION_SCHEMA = re.compile(r"information_schema\.(\w+)", re.IGNORECASE)
METADATA_VIEWS = frozenset(
    (
        "TABLES",
        "COLUMNS",
        "COLUMN_FIELD_PATHS",
        "VIEWS",
        "TABLE_OPTIONS",
        "PARTITIONS",
        "TABLE_CONSTRAINTS",
        "KEY_COLUMN_USAGE",
        "MATERIALIZED_VIEWS",
    )
)
"""Views of `<dataset>.INFORMATION_SCHEMA` that tell of that dataset's tables only."""
METADATA_TABLES = frozenset(("__TABLES__", "__TABLES_SUMMARY__"))
CTE = re.compile(r"(?!__TABLES)\w+(-\w+)*", re.IGNORECASE)
"""Names of CTEs that are taken for nothing else anywhere: `INFORMATION_SCHEMA.JOBS`, quoted, is one to some."""

BY_NAME = ("by_name", "side", "kind", "on")
"""What a set operation has when it matches columns by name: no engine takes such a one for recursive."""

HIDING = (
    exp.Command,
    exp.Into,
    exp.ReadCSV,
    exp.ReadParquet,
    exp.Pragma,
    exp.Attach,
    exp.Detach,
    exp.Use,
    exp.Copy,
    exp.Describe,
    exp.Show,
    exp.Summarize,
    exp.Columns,
)
"""Expressions that may name a table or columns in a way that is not seen here, or read files. COLUMNS('p.*') is no
function of BigQuery, but one of engines that stand in for it."""


class UnreadableSQLError(Exception):
    """The statement cannot be parsed, or holds what is not understood. Its text says what, and never quotes the
    statement."""

    def __init__(self, reason: str, syntax: bool = False) -> None:
        super().__init__(reason)
        self.syntax = syntax
        """Whether it is no statement at all, as far as the parser sees."""


def parse(sql: str) -> list[exp.Expr]:
    """The statements of a script. Raises UnreadableSQLError when the parser gives up."""
    if len(sql) > MAX_LENGTH:
        raise UnreadableSQLError(f"The query is too large: the limit is {MAX_LENGTH} characters.", syntax=True)
    try:
        return [statement for statement in sqlglot.parse(sql, dialect=DIALECT) if statement is not None]
    except SqlglotError as error:
        places = getattr(error, "errors", None) or [{}]
        where = f" at [{places[0]['line']}:{places[0]['col']}]" if "line" in places[0] else ""
        raise UnreadableSQLError(
            f"Syntax error, or a construct that is not understood here{where}", syntax=True
        ) from None
    except RecursionError:
        raise UnreadableSQLError("The query is nested too deeply.", syntax=True) from None


@lru_cache(maxsize=4096)
def view_sources(sql: str, project: str) -> frozenset[TableName]:
    """The tables and views that a view's definition reads.

    project: the view's own, for names without one. Raises UnreadableSQLError; a name without a dataset is refused, as
    in BigQuery.
    """
    statements = parse(sql)
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise UnreadableSQLError("The definition of a view must be one SELECT.")
    return frozenset(tables(statements[0], project, None))


def tables(tree: exp.Expr, project: str, default: tuple[str, str] | None) -> Iterator[TableName]:
    """Every table that the tree names, in any place, as it is written or with what its name leaves out.

    project: of names without one. default: (project, dataset) of names without a dataset.
    Raises UnreadableSQLError for what could hide a table.
    """
    try:
        yield from _walk(tree, project, default, frozenset())
    except RecursionError:
        raise UnreadableSQLError("The query is nested too deeply.") from None


def resolve(table: exp.Table, project: str, default: tuple[str, str] | None) -> TableName:
    """The full name of a table expression. Raises UnreadableSQLError when it is no plain name."""
    if not isinstance(table.this, exp.Identifier):
        raise UnreadableSQLError("Table functions, and table names of more than three parts, are not understood here.")
    parts = [part.name for part in (table.args.get("catalog"), table.args.get("db"), table.this) if part is not None]
    if schema := INFORMATION_SCHEMA.fullmatch(parts[-1]):
        return _metadata(parts, schema[1].upper(), project)
    if any("information_schema" in part.lower() for part in parts):
        raise UnreadableSQLError("INFORMATION_SCHEMA is understood as `dataset.INFORMATION_SCHEMA.VIEW` only.")
    if len(parts) == 1:
        if default is None:
            raise UnreadableSQLError("Every table must be qualified with a dataset (e.g. dataset.table).")
        parts = [*default, *parts]
    elif len(parts) == 2:
        parts = [project, *parts]
    name = TableName(*parts)
    for pattern, part in ((PROJECT, name.project), (DATASET, name.dataset), (TABLE, name.table)):
        if not pattern.fullmatch(part):
            raise UnreadableSQLError("A table name has characters that no BigQuery table has.")
    return name


def _metadata(parts: list[str], view: str, project: str) -> TableName:
    if view not in METADATA_VIEWS:
        raise UnreadableSQLError(
            f"INFORMATION_SCHEMA.{view} is not served here: it tells of more than one dataset's tables."
        )
    if len(parts) == 1:
        raise UnreadableSQLError("INFORMATION_SCHEMA must be qualified with a dataset.")
    dataset, owner = parts[-2], parts[0] if len(parts) == 3 else project
    if not DATASET.fullmatch(dataset) or not PROJECT.fullmatch(owner):
        raise UnreadableSQLError("INFORMATION_SCHEMA must be qualified with a dataset; regions are not served here.")
    return TableName(owner, dataset, f"INFORMATION_SCHEMA.{view}")


def is_metadata(table: TableName) -> bool:
    """Whether the name is one of the dataset's own metadata views."""
    return table.table.startswith("INFORMATION_SCHEMA.") or table.table in METADATA_TABLES


def _walk(node: exp.Expr, project: str, default: tuple[str, str] | None, ctes: frozenset[str]) -> Iterator[TableName]:
    _refuse_hiding(node)
    if isinstance(node, exp.Table):
        bare = isinstance(node.this, exp.Identifier) and not node.args.get("db") and not node.args.get("catalog")
        if not (bare and _folded(node.name) in ctes):
            yield resolve(node, project, default)
    with_ = node.args.get("with_")
    if with_ is not None:
        recursive, visible = bool(with_.args.get("recursive")), ctes
        for cte in with_.expressions:
            name = _folded(cte.alias)
            if not CTE.fullmatch(name):
                raise UnreadableSQLError("A CTE has a name that may stand for a table.")
            yield from _walk_cte(cte, name, recursive, project, default, visible)
            visible |= {name}
        ctes = visible
    for child in node.iter_expressions():
        if child is not with_:
            yield from _walk(child, project, default, ctes)


def _walk_cte(
    cte: exp.CTE, name: str, recursive: bool, project: str, default: tuple[str, str] | None, ctes: frozenset[str]
) -> Iterator[TableName]:
    """The tables of one CTE. ctes: the names that are in scope before it.

    Its own name is itself in the recursive term alone, the right arm of a plain UNION in WITH RECURSIVE. Everywhere
    else in its body it is the table of that name: so engines take it, also below WITH RECURSIVE.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#recursive_cte
    """
    body = cte.this
    matched = isinstance(body, exp.Union) and not any(body.args.get(key) for key in ("with_", *BY_NAME))
    if not (recursive and matched):
        yield from _walk(cte, project, default, ctes)
        return
    for child in (*body.iter_expressions(), *(part for part in cte.iter_expressions() if part is not body)):
        yield from _walk(child, project, default, ctes | {name} if child is body.expression else ctes)


def _folded(name: str) -> str:
    """What names of CTEs are compared by. Letters beyond ASCII are not folded: not every engine folds them alike."""
    return name.lower() if name.isascii() else name


def _refuse_hiding(node: exp.Expr) -> None:
    if isinstance(node, HIDING):
        raise UnreadableSQLError("The statement has a construct that is not understood here.")
    alias = node.args.get("alias") if isinstance(node, exp.Table | exp.Subquery) else None
    if isinstance(alias, exp.TableAlias) and alias.columns:  # not GoogleSQL, and t(a, b) hides what b is
        raise UnreadableSQLError("Other names for the columns of a table are not understood here.")
    if isinstance(node, exp.Parameter) and isinstance(node.this, exp.Parameter):
        raise UnreadableSQLError("System variables are not served here.")
    called = isinstance(node.parent, exp.Dot) and node.parent.expression is node  # as a.f(): its namespace is checked
    if isinstance(node, exp.Anonymous) and not called and node.name.upper() not in PLAIN:
        raise UnreadableSQLError("A function is called that is not known here; functions of one's own are not served.")
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Func):
        namespace = node.this.name.upper() if isinstance(node.this, exp.Identifier | exp.Var | exp.Column) else ""
        qualified = isinstance(node.this, exp.Column) and node.this.args.get("table") is not None
        if namespace not in NAMESPACES or qualified:
            raise UnreadableSQLError("Functions of a dataset are not served here: what they read would not be seen.")
