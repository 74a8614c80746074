"""One line of a ledger, its bytes and its digest."""

import datetime
import hashlib
from typing import Any

import msgspec


class Line(msgspec.Struct, frozen=True):
    """One thing that was done.

    number: counts from 0.
    time: when it was appended, UTC. By the local clock: the order is that of the numbers.
    id: random: two lines that say the same are still two.
    kind: what was done, e.g. `dead_letters.opened`. who: the person or service identity that did it.
    details: JSON values; never a raw personal value, for a ledger is kept for ever.
    before: digest of the line before; for the first one, of the ledger's name and identity.
    """

    number: int
    time: datetime.datetime
    id: str
    kind: str
    who: str
    details: dict[str, Any]
    before: str


def encode(line: Line) -> bytes:
    """The line as canonical JSON: what is stored, and what its digest is of."""
    return msgspec.json.encode(line, order="sorted")


def decode(data: bytes) -> Line:
    """Raises ValueError for what is no line."""
    return msgspec.json.decode(data, type=Line)


def digest(data: bytes) -> str:
    """SHA-256 of a stored line, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def origin(name: str, identity: str) -> str:
    """What the first line stands on: a line of another ledger does not fit."""
    return digest(f"noren ledger {name} {identity}".encode())
