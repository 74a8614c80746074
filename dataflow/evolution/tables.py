"""What BigQuery can do with the tables of a stream when its contract changes.

https://cloud.google.com/bigquery/docs/managing-table-schemas: columns may be added if they are NULLABLE or REPEATED,
REQUIRED may be relaxed to NULLABLE and never back, and a type may be changed only to a wider one
(`ALTER COLUMN SET DATA TYPE`: INT64 to FLOAT64), never within a repeated record.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dataflow.review.version import Bump
from dataflow.schemas import Column, ColumnType, Table


@dataclass(frozen=True)
class TableChange:
    """One change of a table.

    possible: whether BigQuery can change the table in place. bump: what it demands of the contract's version: who
    reads a column breaks when it goes or changes its type.
    """

    column: str
    what: str
    possible: bool
    how: str
    bump: Bump

    def __str__(self) -> str:
        return f"{self.column}: {self.what}: {'' if self.possible else 'not in place; '}{self.how}"


def table_changes(old: Table, new: Table) -> list[TableChange]:
    """What has to happen to a table made for the old contract before the new one runs."""
    if old.id != new.id:
        return [
            TableChange(
                new.id, f"takes the place of {old.id}", True, "a new table; the old one stays as it is", Bump.MAJOR
            )
        ]
    return list(_columns(new.id, old.columns, new.columns, repeated=False))


def _columns(table: str, old: tuple[Column, ...], new: tuple[Column, ...], *, repeated: bool) -> Iterator[TableChange]:
    before, after = ({column.name: column for column in columns} for columns in (old, new))
    for name, column in before.items():
        if name not in after:
            yield _gone(table, column)
    for name, column in after.items():
        where = f"{table}.{column.path}"
        if name not in before:
            yield _new(where, column)
            continue
        was = before[name]
        if (was.type, was.repeated) != (column.type, column.repeated):
            yield _retyped(where, was, column, repeated=repeated)
            continue
        if was.required and not column.required:
            yield TableChange(where, "REQUIRED -> NULLABLE", True, "relax it (ALTER COLUMN DROP NOT NULL)", Bump.NONE)
        if column.required and not was.required:
            how = "BigQuery cannot tighten a column; it may stay NULLABLE, since the contract checks every event"
            yield TableChange(where, "NULLABLE -> REQUIRED", False, how, Bump.NONE)
        yield from _columns(table, was.children, column.children, repeated=repeated or column.repeated)


def _gone(table: str, column: Column) -> TableChange:
    how = "the column may stay for its old values"
    if column.required:
        how += ", but has to be relaxed first (ALTER COLUMN DROP NOT NULL): new rows have none"
    return TableChange(f"{table}.{column.path}", "no longer written", True, how, Bump.MAJOR)


def _new(where: str, column: Column) -> TableChange:
    if column.required:
        how = "BigQuery adds NULLABLE columns only; add it so, the contract checks every event"
        return TableChange(where, f"{column.type} REQUIRED added", False, how, Bump.MINOR)
    mode = "REPEATED" if column.repeated else "NULLABLE"
    return TableChange(where, f"{column.type} {mode} added", True, "add the column", Bump.MINOR)


def _retyped(where: str, old: Column, new: Column, *, repeated: bool) -> TableChange:
    what = f"{_shown(old)} -> {_shown(new)}"
    widening = (old.type, new.type) == (ColumnType.INT64, ColumnType.FLOAT64)
    if widening and not (repeated or old.repeated or new.repeated):
        return TableChange(where, what, True, "widen it (ALTER COLUMN SET DATA TYPE FLOAT64)", Bump.MAJOR)
    how = "give the field another name, or make a new table and copy"
    return TableChange(where, what, False, how, Bump.MAJOR)


def _shown(column: Column) -> str:
    return f"ARRAY<{column.type}>" if column.repeated else str(column.type)
