"""Scripts that assign several variables from one row: `SET (a, b) = (SELECT AS STRUCT x, y FROM t)`.

Without it dbt's insert_overwrite and microbatch models fail: dbt reads the partitions to replace with such a statement,
and the emulator assigns the whole struct to the first variable.
https://cloud.google.com/bigquery/docs/reference/standard-sql/procedural-language#set
"""

import argparse
from typing import Any

import sqlglot
from local_bigquery.errors import BigQueryError
from local_bigquery.sql import script
from local_bigquery.sql.dialect import BigQueryDialect
from local_bigquery.sql.rules.parameters import VALUE
from local_bigquery.sql.translate import translate
from sqlglot import exp


def struct_select(value: exp.Expression) -> exp.Select | None:
    """The SELECT AS STRUCT in parentheses that `value` is, or None."""
    select = value.unnest()
    select = select.this if isinstance(select, exp.Subquery) else select
    return select if isinstance(select, exp.Select) and select.args.get("kind") == "STRUCT" else None


def assign(self: Any, targets: list[exp.Expression], select: exp.Select) -> None:
    columns = select.expressions
    if len(columns) != len(targets):
        message = f"Number of variables ({len(targets)}) and of struct fields ({len(columns)}) in SET differ"
        raise BigQueryError("invalidQuery", message)
    tables = [self.variable(target.name) for target in targets]
    plain = select.copy()
    plain.set("kind", None)
    names = [f"__{position}" for position in range(len(columns))]
    plain.set("expressions", [exp.alias_(c.unalias().copy(), n) for c, n in zip(columns, names, strict=True)])
    row = script._temporary_table("row")
    query, bound = translate(plain, self.context)
    self.cursor.execute(f"CREATE TEMP TABLE {row} AS {query}", bound)
    for table, name in zip(tables, names, strict=True):
        self.cursor.execute(f"UPDATE {table} SET {VALUE} = (SELECT {name} FROM {row})")  # noqa: S608 - our own names


def apply(options: argparse.Namespace) -> None:  # noqa: ARG001
    set_ = script.Interpreter.set

    def patched(self: Any, statement: Any) -> None:
        tree = sqlglot.parse_one(statement.text, dialect=BigQueryDialect)
        if len(tree.expressions) == 1 and isinstance(tree.expressions[0].this, exp.EQ):
            target, value = tree.expressions[0].this.this, tree.expressions[0].this.expression
            grouped = isinstance(target, exp.Tuple | exp.Paren)
            if grouped and (select := struct_select(value)):
                assign(self, target.expressions if isinstance(target, exp.Tuple) else [target.this], select)
                return
        set_(self, statement)

    script.Interpreter.set = patched
