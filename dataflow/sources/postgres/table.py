"""What is known of the table: its columns and their types, and SQL that reads its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from dataflow.contract import CHANGE, Contract
from dataflow.errors import NorenError
from dataflow.sources.postgres.config import Config


@dataclass(frozen=True)
class Table:
    """columns: name -> type as PostgreSQL writes it, of those that the contract declares: no other one is read."""

    config: Config
    columns: dict[str, str]
    key: tuple[str, ...]
    cursor_type: str = ""

    @property
    def name(self) -> sql.Identifier:
        return sql.Identifier(self.config.schema, self.config.table)

    def page(self, start: str | None, after: Sequence[str] | None, rows: int) -> tuple[sql.Composed, list[Any]]:
        """A page of rows by keyset, and its parameters: (row as JSON, order columns as text ...).

        start: where a poll begins, a cursor's text. after: the order columns of the last row before the page; an order
        by cursor and key together has no ties.
        """
        cursor = self.config.cursor
        order = [cursor, *self.key] if cursor else list(self.key)
        kinds = [self.cursor_type, *(self.columns[name] for name in self.key)]
        kinds = kinds if cursor else kinds[1:]
        conditions, parameters = [], []
        if cursor and start is not None:
            conditions.append(sql.SQL("t.{} >= {}").format(sql.Identifier(cursor), _behind(self.cursor_type)))
            parameters += [start, self.config.overlap]
        if after is not None:
            places = sql.SQL(", ").join(sql.SQL("%s::" + kind) for kind in kinds)  # types of the catalogue's own
            conditions.append(sql.SQL("({}) > ({})").format(_columns(order), places))
            parameters += after
        where = sql.SQL(" WHERE ") + sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("")
        values = sql.SQL(", ").join(self._value(name, kind) for name, kind in self.columns.items())
        texts = sql.SQL(", ").join(sql.SQL("t.{}::text").format(sql.Identifier(name)) for name in order)
        query = sql.SQL(
            "SELECT (SELECT to_json(r)::text FROM (SELECT {values}) r), {texts} FROM {table} t{where} "
            "ORDER BY {order} LIMIT {rows}"
        ).format(
            values=values, texts=texts, table=self.name, where=where, order=_columns(order), rows=sql.Literal(rows)
        )
        return query, parameters

    def _value(self, name: str, kind: str) -> sql.Composed:
        column = sql.Identifier(name)
        if kind.startswith("timestamp") and kind.endswith("without time zone") and self.config.zone:
            zone = sql.Literal(self.config.zone)
            return sql.SQL("t.{} AT TIME ZONE {} AS {}").format(column, zone, column)
        return sql.SQL("t.{} AS {}").format(column, column)


def look_up(config: Config, contract: Contract, connection: "psycopg.Connection[Any]") -> Table:
    """Raises NorenError when there is no such table, it lacks a column of the contract's key, or the cursor is no good:
    missing, or null in some row, which a poll would never see."""
    place = f"{config.schema}.{config.table}"
    try:
        found = connection.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            [sql.Identifier(config.schema, config.table).as_string(connection)],
        ).fetchall()
    except psycopg.errors.UndefinedTable as error:
        raise NorenError(f"{place}: {config.database} has no such table.") from error
    there = dict(found)
    declared = [field.name for field in contract.fields if field.name != CHANGE]
    missing = [name for name in (*contract.key, config.cursor) if name and name not in there]
    if missing:
        raise NorenError(f"{place}: has no column {', '.join(missing)}, which says which row changed, or when.")
    columns = {name: there[name] for name in declared if name in there}
    table = Table(config, columns, contract.key, there.get(config.cursor or "", ""))
    if config.cursor:
        query = sql.SQL("SELECT 1 FROM {} WHERE {} IS NULL LIMIT 1").format(table.name, sql.Identifier(config.cursor))
        if connection.execute(query).fetchone():
            raise NorenError(
                f"{place}: {config.cursor} is null in some rows, which a poll never sees; "
                "choose another cursor, or follow the changes."
            )
    return table


def _columns(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(name)) for name in names)


def _behind(kind: str) -> sql.SQL:
    """The cursor's value less the overlap: for transactions that began before the last poll and commit behind it."""
    if kind.startswith("timestamp"):
        return sql.SQL("%s::" + kind + " - make_interval(secs => %s)")
    if kind == "date":
        return sql.SQL("(%s::date - make_interval(secs => %s))::date")
    return sql.SQL("%s::" + kind + " - %s::" + kind)
