"""The messages of pgoutput, PostgreSQL's own logical decoding, protocol version 1.

https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
"""

import struct
from dataclasses import dataclass, field

POSTGRES_EPOCH = 946_684_800_000_000
"""2000-01-01 UTC in microseconds since 1970: what PostgreSQL counts from."""

UNCHANGED = b"\0unchanged"
"""Stands for a long value that the change did not touch and the log does not repeat."""

type Tuple = list[bytes | None]


@dataclass(frozen=True)
class Relation:
    """One table. columns: (name, type's oid)."""

    id: int
    schema: str
    name: str
    columns: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Begin:
    """committed: microseconds since 1970. final: LSN of the commit."""

    final: int
    committed: int


@dataclass(frozen=True)
class Commit:
    """end: LSN behind the transaction: what a slot is advanced to."""

    end: int


@dataclass(frozen=True)
class Change:
    """operation: c, u, d. old: the row before, or its key alone, None where the log has neither. new: the row after."""

    operation: str
    relation: int
    old: Tuple | None = None
    new: Tuple | None = None
    key_only: bool = field(default=False)


@dataclass(frozen=True)
class Truncate:
    """Every row of these tables is gone."""

    relations: tuple[int, ...]


type Message = Relation | Begin | Commit | Change | Truncate | None


def parse(data: bytes) -> Message:
    """One message; None for those that say nothing about rows (types, origins)."""
    reader = _Reader(data)
    match reader.byte():
        case "R":
            return _relation(reader)
        case "B":
            final, committed = reader.take("!Qq")
            return Begin(final, committed + POSTGRES_EPOCH)
        case "C":
            _, _, end, _ = reader.take("!BQQq")
            return Commit(end)
        case "I":
            (relation,) = reader.take("!I")
            reader.byte()
            return Change("c", relation, new=reader.row())
        case "U":
            return _update(reader)
        case "D":
            (relation,) = reader.take("!I")
            key_only = reader.byte() == "K"
            return Change("d", relation, old=reader.row(), key_only=key_only)
        case "T":
            count, _ = reader.take("!IB")
            return Truncate(reader.take(f"!{count}I"))
    return None


def _relation(reader: "_Reader") -> Relation:
    (id,) = reader.take("!I")
    schema, name = reader.text() or "pg_catalog", reader.text()
    _, count = reader.take("!BH")
    columns = []
    for _ in range(count):
        reader.take("!B")
        column = reader.text()
        oid, _ = reader.take("!Ii")
        columns.append((column, oid))
    return Relation(id, schema, name, tuple(columns))


def _update(reader: "_Reader") -> Change:
    (relation,) = reader.take("!I")
    kind = reader.byte()
    old = None
    if kind in "KO":
        old = reader.row()
        reader.byte()
    return Change("u", relation, old, reader.row(), key_only=kind == "K")


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> str:
        self._at += 1
        return chr(self._data[self._at - 1])

    def take(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return values

    def text(self) -> str:
        end = self._data.index(0, self._at)
        text = self._data[self._at : end].decode()
        self._at = end + 1
        return text

    def row(self) -> Tuple:
        (count,) = self.take("!H")
        values: Tuple = []
        for _ in range(count):
            kind = self.byte()
            if kind == "n":
                values.append(None)
            elif kind == "u":
                values.append(UNCHANGED)
            else:
                (length,) = self.take("!I")
                values.append(self._data[self._at : self._at + length])
                self._at += length
        return values
