"""A table as a bounded source: all that is there, or all that changed, up to now.

Rows come as change events in Debezium's envelope, whichever way they were found, so that one reader of the core knows
them and what Debezium itself delivers elsewhere.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg
from msgspec import Raw

from dataflow.contract import Contract
from dataflow.errors import NorenError
from dataflow.keys import TokenKey, epoch_of
from dataflow.sources.bounded import Chunk, Row
from dataflow.sources.postgres.config import Config
from dataflow.sources.postgres.slot import Slot, lsn_number
from dataflow.sources.postgres.table import look_up

PAGE_ROWS = 10_000


class PostgresSource:
    """key: makes the digest of a row's key in its position.

    A table is read whole at first, and again when a key epoch has begun: then every row has a token of the epoch that
    today's events have. After that a poll by the cursor column, or the changes of the slot.
    """

    size: int | None = None
    unit = "rows"

    def __init__(self, config: Config, contract: Contract, key: TokenKey, rows: int = PAGE_ROWS) -> None:
        self.name = f"postgres-{hashlib.sha256(config.place.encode()).hexdigest()[:12]}"
        self._config = config
        self._contract = contract
        self._key = key
        self._rows = rows
        self._encode = msgspec.json.Encoder().encode

    def following(self, checkpoint: str) -> str:
        """A poll begins at the last cursor; changes go on where they ended."""
        at = json.loads(checkpoint)
        return json.dumps(at | {"after": None, "from": at["last"]}) if at["phase"] == "poll" else checkpoint

    def read(self, checkpoint: str, _: Callable[[str], bool]) -> Iterator[Chunk]:
        """Raises NorenError when the server, the table or the slot is not what it must be."""
        try:
            with self._config.connect() as connection:
                yield from self._read(json.loads(checkpoint) if checkpoint else {}, connection)
        except psycopg.Error as error:
            # its text may quote a value
            code = f"{type(error).__name__} {error.sqlstate or ''}".strip()
            raise NorenError(f"{self._config.host}: PostgreSQL fails ({code}); the same command goes on.") from error

    def _read(self, at: dict[str, Any], connection: "psycopg.Connection[Any]") -> Iterator[Chunk]:
        epoch = epoch_of(datetime.now(UTC))
        fresh = not at or at["epoch"] != epoch
        table = look_up(self._config, self._contract, connection)
        slot = Slot(self._config, table, connection) if self._config.slot else None
        if slot is None:
            start = None if fresh else at["from"]
            after = None if fresh else at["after"]
            last = None if fresh else at["last"]
            state = {"phase": "poll", "epoch": epoch, "from": start, "after": after, "last": last}
            yield from self._pages(state, connection)
            return
        begins, oldest = slot.ensure(expected=bool(at))
        if fresh:
            # the slot has every change behind the snapshot and some that the snapshot saw: all count as newer than it,
            # so that what is true in the end is what the last change says
            state = {"phase": "snapshot", "epoch": epoch, "from": None, "after": None, "last": None}
            at = state | {"begins": begins, "oldest": oldest}
        if at["phase"] == "snapshot":
            yield from self._pages(at, connection)
            at = {"phase": "changes", "epoch": epoch, "lsn": at["begins"], "skip": 0}
            yield Chunk([], json.dumps(at))
        for rows, lsn, skip in slot.changes(at["lsn"], at["skip"]):
            messages = [Row(data, f"postgres:{self.name}:{place}", place) for place, data in rows]
            yield Chunk(messages, json.dumps(at | {"lsn": lsn, "skip": skip}), amount=len(rows))

    def _pages(self, at: dict[str, Any], connection: "psycopg.Connection[Any]") -> Iterator[Chunk]:
        """The table, or what is behind the cursor, as one snapshot saw it."""
        table = look_up(self._config, self._contract, connection)
        polled = self._config.cursor is not None
        sequence = _number(connection.execute(_CURRENT).fetchone()) if polled else lsn_number(at["oldest"])
        version = None if polled else f"snapshot {at['begins']}"
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            read = time.time_ns() // 1_000_000
            after = at["after"]
            while True:
                query, parameters = table.page(at["from"], after, self._rows)
                page = connection.execute(query, parameters).fetchall()
                if not page:
                    break
                rows = [self._row(row, version, sequence, read) for row in page]
                after = list(page[-1][1:])
                at = at | {"after": after, "last": after[0] if polled else None}
                yield Chunk(rows, json.dumps(at), amount=len(rows))
        connection.isolation_level = None

    def _row(self, row: tuple[str, ...], version: str | None, sequence: int, read: int) -> Row:
        values, *order = row
        cursor = version or order[0]
        source = {
            "ts_ms": read,
            "lsn": sequence,
            "schema": self._config.schema,
            "table": self._config.table,
            "cursor": cursor,
        }
        data = self._encode({"op": "r", "after": Raw(values.encode()), "source": source, "ts_ms": read})
        digest = self._key.token("\x1f".join([cursor, *order]))
        return Row(data, f"postgres:{self.name}:{digest}", f"{self._config.schema}.{self._config.table}")


def _number(row: Any) -> int:
    return lsn_number(row[0])


_CURRENT = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text"
