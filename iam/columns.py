"""Which columns of which tables a query mentions, for policy tags: those that it selects, filters, joins or sorts by.

Errs towards more: a table whose columns cannot be told apart for sure is missing from the answer, and all of its
columns then count. BigQuery checks the tags of what a query references:
https://cloud.google.com/bigquery/docs/column-level-security
"""

from collections.abc import Callable, Sequence

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from iam.engine import TableName
from iam.references import DIALECT, UnreadableSQLError, parse, resolve, tables

type Columns = Callable[[TableName], Sequence[str]]
"""The names of a table's columns, in order; empty when they are not known."""

UNCLEAR = (exp.Pivot, exp.Command)


def touched(
    sql: str, project: str, default: tuple[str, str] | None, columns: Columns
) -> dict[TableName, frozenset[str]]:
    """table -> the columns of it that the query mentions, in lower case. Empty when that cannot be told.

    project: of names without one. default: (project, dataset) of names without a dataset.
    """
    try:
        [tree] = parse(sql)
        return _touched(tree, project, default, columns)
    except (UnreadableSQLError, SqlglotError, ValueError, RecursionError):
        return {}


def _touched(
    tree: exp.Expr, project: str, default: tuple[str, str] | None, columns: Columns
) -> dict[TableName, frozenset[str]]:
    if not isinstance(tree, exp.Query) or tree.find(*UNCLEAR):
        return {}
    names = frozenset(tables(tree, project, default))
    schema = MappingSchema(dialect=DIALECT, normalize=False)
    for name in names:
        if not (known := columns(name)):
            return {}
        schema.add_table(_quoted(name), dict.fromkeys(known, "STRING"), dialect=DIALECT, normalize=False)
    catalog, db = default or (project, None)
    qualified = qualify(tree.copy(), dialect=DIALECT, schema=schema, catalog=catalog, db=db)
    found: dict[TableName, set[str]] = {name: set() for name in names}
    aliases: dict[str, set[TableName]] = {}
    for table in qualified.find_all(exp.Table):
        if table.args.get("db"):
            aliases.setdefault(table.alias_or_name.lower(), set()).add(resolve(table, project, default))
    stars = (star for star in qualified.find_all(exp.Star) if not isinstance(star.parent, exp.Count))
    if qualified.find(exp.TableColumn) or any(True for _ in stars):  # TableColumn: the row as a value
        return {}
    for column in qualified.find_all(exp.Column):
        if not column.table:
            return {}
        for name in aliases.get(column.table.lower(), ()):
            found.setdefault(name, set()).add(column.name.lower())
    return {name: frozenset(mentioned) for name, mentioned in found.items()}


def _quoted(name: TableName) -> exp.Table:
    parts = [exp.to_identifier(part, quoted=True) for part in (name.table, name.dataset, name.project)]
    return exp.Table(this=parts[0], db=parts[1], catalog=parts[2])
