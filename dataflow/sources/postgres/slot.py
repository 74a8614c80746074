"""Changes from a logical replication slot: peeked at, staged, and only then let go of.

By SQL functions on an ordinary connection: what is peeked at comes again until the slot is advanced, so a crash between
staging and advancing costs a second reading and nothing else.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import psycopg

from dataflow.errors import NorenError
from dataflow.sources.bounded import MOST_BYTES, MOST_ROWS
from dataflow.sources.postgres.config import Config
from dataflow.sources.postgres.pgoutput import (
    UNCHANGED,
    Begin,
    Change,
    Commit,
    Relation,
    Truncate,
    Tuple,
    parse,
)
from dataflow.sources.postgres.table import Table
from dataflow.sources.postgres.values import Values

_SLOT = "SELECT confirmed_flush_lsn::text, restart_lsn::text, wal_status FROM pg_replication_slots WHERE slot_name = %s"

type Batch = tuple[list[tuple[str, bytes]], str, int]
"""((place, envelope) of each change; LSN behind the last whole transaction; changes taken of the one after it)."""


class Slot:
    """The slot of one table."""

    def __init__(self, config: Config, table: Table, connection: "psycopg.Connection[Any]") -> None:
        assert config.slot is not None
        assert config.publication is not None
        self._name, self._publication = config.slot, config.publication
        self._config = config
        self._table = table
        self._connection = connection
        self._values = Values(connection, config.zone)
        self._encode = msgspec.json.Encoder().encode
        self._relations: dict[int, Relation] = {}

    def ensure(self, *, expected: bool) -> tuple[str, str]:
        """Make the slot when it is missing; (the LSN that it goes on from, one that is older than all it will say).

        expected: it was there before. Raises NorenError when it is gone then, and when the publication is missing.
        """
        place = f"{self._config.schema}.{self._config.table}"
        known = self._connection.execute(
            "SELECT 1 FROM pg_publication_tables WHERE pubname = %s AND schemaname = %s AND tablename = %s",
            [self._publication, self._config.schema, self._config.table],
        ).fetchone()
        if not known:
            raise NorenError(
                f"{self._publication}: is no publication with {place}; its owner makes it with "
                f"CREATE PUBLICATION {self._publication} FOR TABLE {place}."
            )
        found = self._connection.execute(_SLOT, [self._name]).fetchone()
        if found is not None and found[2] != "lost":
            return found[0], found[1]
        if expected:
            raise NorenError(
                f"{self._name}: the replication slot is gone, and with it what was deleted since; "
                "read the table whole with --again."
            )
        try:
            if found is not None:
                self._connection.execute("SELECT pg_drop_replication_slot(%s)", [self._name])
            self._connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [self._name])
        except psycopg.errors.ObjectNotInPrerequisiteState as error:
            raise NorenError(f"{self._config.host}: changes need wal_level = logical on the server.") from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise NorenError(f"{self._config.user}: must have REPLICATION to make the slot {self._name}.") from error
        made = self._connection.execute(_SLOT, [self._name]).fetchone()
        assert made is not None
        return made[0], made[1]

    def changes(self, lsn: str, skip: int) -> Iterator[Batch]:
        """All changes up to now, behind `lsn` and the first `skip` changes of the transaction there.

        Whoever asks for the next batch has staged the one before: then the slot lets go of it.
        """
        now = self._connection.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        assert now is not None
        while True:
            self._advance(lsn)
            empty = True
            for rows, lsn, taken in self._peek(now[0], lsn, skip):  # noqa: B020  (the last one goes on)
                skip, empty = taken, False
                yield rows, lsn, skip
            if empty:
                return

    def _advance(self, lsn: str) -> None:
        self._connection.execute(
            "SELECT pg_replication_slot_advance(slot_name, %s::pg_lsn) FROM pg_replication_slots "
            "WHERE slot_name = %s AND confirmed_flush_lsn < %s::pg_lsn",
            [lsn, self._name, lsn],
        )

    def _peek(self, until: str, lsn: str, skip: int) -> Iterator[Batch]:
        """Batches of a bounded peek; transactions are kept together but for those longer than a batch."""
        rows: list[tuple[str, bytes]] = []
        size = number = 0
        ended, begun = lsn, None
        with self._connection.transaction(), self._connection.cursor(name="noren_changes", binary=True) as cursor:
            cursor.itersize = 2_000
            cursor.execute(
                "SELECT lsn::text, data FROM pg_logical_slot_peek_binary_changes(%s, %s::pg_lsn, %s, "
                "'proto_version', '1', 'publication_names', %s)",
                [self._name, until, MOST_ROWS, self._publication],
            )
            for place, data in cursor:
                message = parse(data)
                if isinstance(message, Relation):
                    self._relations[message.id] = message
                elif isinstance(message, Begin):
                    begun, number = message, 0
                elif isinstance(message, Commit):
                    ended, number, skip = lsn_text(message.end), 0, 0
                    if len(rows) >= MOST_ROWS or size >= MOST_BYTES:
                        yield rows, ended, 0
                        rows, size = [], 0
                elif isinstance(message, Truncate | Change):
                    assert begun is not None
                    for envelope in self._envelopes(message, place, begun):
                        number += 1
                        if number <= skip:
                            continue
                        rows.append((f"{place}:{number}", envelope))
                        size += len(envelope)
                        if len(rows) >= 2 * MOST_ROWS or size >= 2 * MOST_BYTES:
                            yield rows, ended, number
                            rows, size = [], 0
        if rows or ended != lsn:
            yield rows, ended, 0

    def _envelopes(self, message: Change | Truncate, lsn: str, begun: Begin) -> Iterator[bytes]:
        """What Debezium makes of the change: of an update that changes the key a delete and an insert."""
        if isinstance(message, Truncate):
            if any(self._is_ours(relation) for relation in message.relations):
                raise NorenError(
                    f"{self._config.schema}.{self._config.table}: was truncated, and which rows that deleted the log "
                    "does not say; erase the stream's tables, advance the slot, and read the table whole with --again."
                )
            return
        if not self._is_ours(message.relation):
            return
        source = {
            "ts_ms": begun.committed // 1_000,
            "lsn": lsn_number(lsn),
            "schema": self._config.schema,
            "table": self._config.table,
        }
        old = self._row(message.relation, message.old)
        new = self._row(message.relation, message.new)
        if message.operation == "u" and old is not None and new is not None and self._moved(old, new):
            yield self._envelope("d", old, None, source)
            yield self._envelope("c", None, {**{k: v for k, v in old.items() if not message.key_only}, **new}, source)
        else:
            if old is not None and new is not None and not message.key_only:
                new = {**old, **new}  # what the log does not repeat is as it was
            yield self._envelope(message.operation, old if message.operation == "d" else None, new, source)

    def _envelope(self, operation: str, before: Any, after: Any, source: dict[str, Any]) -> bytes:
        return self._encode(
            {"op": operation, "before": before, "after": after, "source": source, "ts_ms": source["ts_ms"]}
        )

    def _moved(self, old: dict[str, Any], new: dict[str, Any]) -> bool:
        return any(old.get(name) != new.get(name) for name in self._table.key)

    def _is_ours(self, relation: int) -> bool:
        known = self._relations[relation]
        return (known.schema, known.name) == (self._config.schema, self._config.table)

    def _row(self, relation: int, values: Tuple | None) -> dict[str, Any] | None:
        """The columns that the contract declares; one that the log does not repeat is left out."""
        if values is None or not self._is_ours(relation):
            return None
        columns = self._relations[relation].columns
        return {
            name: None if value is None else self._values.json(oid, value)
            for (name, oid), value in zip(columns, values, strict=True)
            if name in self._table.columns and value is not UNCHANGED
        }


def lsn_number(text: str) -> int:
    """`16/B374D848` as one number: what orders changes."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) | int(low, 16)


def lsn_text(number: int) -> str:
    return f"{number >> 32:X}/{number & 0xFFFFFFFF:X}"
