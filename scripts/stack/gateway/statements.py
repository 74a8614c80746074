"""What a script asks for: the tables that it reads and the datasets that it changes.

Understood are SELECT and the statements that dbt sends. Everything else is refused by name: EXECUTE IMMEDIATE, CALL,
functions, procedures, external tables, EXPORT and LOAD DATA, GRANT, temporary tables, transactions, control flow.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

from sqlglot import exp

from iam.engine import TableName
from iam.references import UnreadableSQLError, parse, resolve, tables

DML = (exp.Insert, exp.Update, exp.Delete, exp.Merge)
OBJECTS = ("TABLE", "VIEW")
REFUSED_PROPERTIES = (exp.ExternalProperty, exp.TemporaryProperty, exp.RemoteWithConnectionModelProperty)
DEFINING_OPTIONS = frozenset({"uris", "uri", "format", "source_uris", "connection"})

MATERIALIZED = re.compile(r"ALTER\s+MATERIALIZED\s+VIEW\s+(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
PAST = ("version", "when", "changes")
"""What a table has that is read as it was: FOR SYSTEM_TIME AS OF, and how other engines write it."""
UNKNOWN = "Only SELECT and the statements that dbt sends are understood here."


@dataclass
class Demands:
    """What a script needs, summed over its statements.

    reads: tables and views that are read, also those that DML changes.
    writes: tables and views that are created, changed or dropped.
    drops, creates: datasets.
    statements: how many; select: whether the script is one SELECT; scripted: whether it has variables.
    ctes: names of CTEs, in lower case. copies: tables that are cloned or copied. truncates: those that lose all rows.
    alters: those that ALTER changes.
    """

    reads: set[TableName] = field(default_factory=set)
    writes: set[TableName] = field(default_factory=set)
    creates: set[tuple[str, str]] = field(default_factory=set)
    drops: set[tuple[str, str]] = field(default_factory=set)
    statements: int = 0
    select: bool = False
    scripted: bool = False
    ctes: set[str] = field(default_factory=set)
    copies: set[TableName] = field(default_factory=set)
    truncates: set[TableName] = field(default_factory=set)
    alters: set[TableName] = field(default_factory=set)

    @property
    def changes(self) -> bool:
        return bool(self.writes or self.creates or self.drops)


def demands(sql: str, project: str, default: tuple[str, str] | None) -> Demands:
    """What `sql` needs.

    project: of names without one. default: (project, dataset) of names without a dataset.
    Raises UnreadableSQLError for everything that is not understood.
    """
    found = Demands()
    trees = parse(sql)
    if not trees:
        raise UnreadableSQLError("The query is empty.", syntax=True)
    for tree in trees:
        found.statements += 1
        refuse_past(tree)
        _add(found, tree, project, default)
        found.ctes.update(cte.alias.casefold() for cte in tree.find_all(exp.CTE))
    found.select = len(trees) == 1 and isinstance(trees[0], exp.Query)
    return found


def _add(found: Demands, tree: exp.Expr, project: str, default: tuple[str, str] | None) -> None:
    if isinstance(tree, exp.Query):
        found.reads.update(tables(tree, project, default))
    elif isinstance(tree, DML):
        found.reads.update(tables(tree, project, default))
        found.writes.add(resolve(_target(tree.this), project, default))
    elif isinstance(tree, exp.TruncateTable):
        emptied = set(tables(tree, project, default))
        found.writes |= emptied
        found.truncates |= emptied
    elif isinstance(tree, exp.Create):
        _create(found, tree, project, default)
    elif isinstance(tree, exp.Drop):
        _drop(found, tree, project, default)
    elif isinstance(tree, exp.Alter):
        _alter(found, tree, project, default)
    elif isinstance(tree, exp.Command):
        _alter(found, _materialized(tree), project, default)
    elif isinstance(tree, exp.Declare) or (isinstance(tree, exp.Set) and _assigns(tree)):
        found.scripted = True
        found.reads.update(tables(tree, project, default))
    else:
        raise UnreadableSQLError(UNKNOWN)


def refuse_past(tree: exp.Expr) -> None:
    """Raises UnreadableSQLError for time travel: a table that was made again has other policy tags than before, and who
    may make it would read the old columns by the new tags."""
    if any(table.args.get(key) for table in tree.find_all(exp.Table) for key in PAST):
        raise UnreadableSQLError("Time travel is not served here.")


def _assigns(tree: exp.Set) -> bool:
    """Whether SET gives a value to variables of the script and to nothing else.

    Parameters and system variables are no variables: one of them decides what dataset the names that follow are in.
    """
    for item in tree.expressions:
        assignment = item.this if isinstance(item, exp.SetItem) else None
        target = assignment.this.unnest() if isinstance(assignment, exp.EQ) else None  # dbt writes SET (x) = ...
        targets = target.expressions if isinstance(target, exp.Tuple) else [target]
        if not all(isinstance(one, exp.Column) and not one.table for one in targets):
            return False
    return True


def _create(found: Demands, tree: exp.Create, project: str, default: tuple[str, str] | None) -> None:
    kind = str(tree.args.get("kind") or "").upper()
    if kind == "SCHEMA":
        found.creates.add(_dataset(_target(tree.this), project))
        for part in tree.iter_expressions():
            if part is not tree.this:
                found.reads.update(tables(part, project, default))
        return
    if kind not in OBJECTS:
        raise UnreadableSQLError(f"CREATE {kind or 'of this kind'} is not understood here.")
    properties = tree.args.get("properties")
    for option in properties.expressions if properties else ():
        if isinstance(option, REFUSED_PROPERTIES) or _name(option) in DEFINING_OPTIONS:
            raise UnreadableSQLError("External and temporary tables are not understood here.")
    target = _target(tree.this)
    is_view = kind == "VIEW"
    if is_view and not isinstance(tree.expression, exp.Query):
        raise UnreadableSQLError("CREATE VIEW needs one SELECT.")
    # A view is read later, by others, without this job's default dataset.
    for part in tree.iter_expressions():
        if part is tree.this:
            found.reads.update(_others(part, target, project, default))
        else:
            found.reads.update(tables(part, project, None if is_view else default))
    found.writes.add(resolve(target, project, default))
    if (clone := tree.args.get("clone")) is not None:
        found.copies.update(tables(clone, project, default))


def _drop(found: Demands, tree: exp.Drop, project: str, default: tuple[str, str] | None) -> None:
    kind = str(tree.args.get("kind") or "").upper()
    targets = list(tree.args.get("tables") or [tree.this])
    if kind == "SCHEMA":
        found.drops.update(_dataset(_target(target), project) for target in targets)
    elif kind in OBJECTS:
        found.writes.update(resolve(_target(target), project, default) for target in targets)
    else:
        raise UnreadableSQLError(f"DROP {kind or 'of this kind'} is not understood here.")


def _alter(found: Demands, tree: exp.Alter, project: str, default: tuple[str, str] | None) -> None:
    if str(tree.args.get("kind") or "").upper() not in OBJECTS:
        raise UnreadableSQLError("ALTER is understood for tables and views only.")
    target = resolve(_target(tree.this), project, default)
    found.writes.add(target)
    found.alters.add(target)
    for action in tree.args.get("actions") or ():
        if isinstance(action, exp.AlterRename):
            renamed = resolve(_target(action.this), target.project, (target.project, target.dataset))
            found.writes.add(renamed)
            if (renamed.project, renamed.dataset) != (target.project, target.dataset):
                raise UnreadableSQLError("RENAME TO takes a name in the same dataset.")
        elif isinstance(action, exp.Query):
            raise UnreadableSQLError("ALTER VIEW ... AS is not understood here: use CREATE OR REPLACE VIEW.")
        else:
            found.reads.update(tables(action, project, default))


def _materialized(tree: exp.Command) -> exp.Alter:
    """ALTER MATERIALIZED VIEW, which the parser does not know, as the ALTER VIEW that it is to who may do it."""
    match = MATERIALIZED.fullmatch(f"{tree.name} {tree.text('expression')}")
    trees = parse(f"ALTER VIEW {match['rest']}") if match else []
    if len(trees) != 1 or not isinstance(trees[0], exp.Alter):
        raise UnreadableSQLError(UNKNOWN)
    return trees[0]


def _others(part: exp.Expr, target: exp.Table, project: str, default: tuple[str, str] | None) -> Iterable[TableName]:
    """The tables that a target names besides itself, e.g. in the foreign keys of its columns."""
    inner: Iterable[exp.Expr] = target.iter_expressions()
    for child in chain(() if part is target else part.iter_expressions(), inner):
        if child is not target:
            yield from tables(child, project, default)


def _target(node: exp.Expr | None) -> exp.Table:
    node = node.this if isinstance(node, exp.Schema) else node
    if not isinstance(node, exp.Table):
        raise UnreadableSQLError("The table that the statement changes is not understood.")
    return node


def _dataset(table: exp.Table, project: str) -> tuple[str, str]:
    """(project, dataset) of `project.dataset` or `dataset`, however much of it the parser put into which part."""
    parts = [part.name for part in (table.args.get("catalog"), table.args.get("db"), table.args.get("this")) if part]
    if not 1 <= len(parts) <= 2:
        raise UnreadableSQLError("The dataset that the statement changes is not understood.")
    return (parts[0], parts[1]) if len(parts) == 2 else (project, parts[0])


def _name(option: exp.Expr) -> str:
    return str(option.this.name if isinstance(option.this, exp.Expr) else option.this or "").lower()
