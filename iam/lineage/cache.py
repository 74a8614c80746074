"""Flows that were computed before, by digest of the SQL and of the shapes of what it reads.

Holds names of columns and digests: never SQL, whose literals may be personal data. One file that is replaced whole, so
that two commands at once lose each other's additions at worst.
"""

import os
import tempfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from iam.lineage.value import Value

FORMAT = 2
"""Raised when what is computed from the same SQL changes."""
SPARE = 4
"""The file is cut down to what is in use when it has so many times as much."""


class Flow(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a statement does.

    columns: name as written -> value. influences: source -> how it decides about rows. fault: why it cannot be told, in
    words; line: where, of the compiled SQL.
    """

    columns: dict[str, Value] = {}
    influences: dict[str, list[str]] = {}
    fault: str = ""
    line: int = 0

    def shape(self) -> Any:
        return {name: value.shape() for name, value in self.columns.items()}


class Reads(msgspec.Struct, frozen=True, omit_defaults=True):
    """The tables that a statement names, as `project.dataset.table`; or why that cannot be told."""

    tables: tuple[str, ...] = ()
    fault: str = ""
    line: int = 0


class Content(msgspec.Struct):
    """format: of the file. reads: digest of the SQL -> tables. flows: digest of SQL and shapes -> flow."""

    format: int = FORMAT
    reads: dict[str, Reads] = {}
    flows: dict[str, Flow] = {}


class Cache:
    """file: None for a cache that forgets."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self.content = self._load()
        self.used: set[str] = set()
        self.changed = False

    def reads(self, key: str) -> Reads | None:
        self.used.add(key)
        return self.content.reads.get(key)

    def flow(self, key: str) -> Flow | None:
        self.used.add(key)
        return self.content.flows.get(key)

    def add(self, key: str, item: Reads | Flow) -> None:
        self.used.add(key)
        self.changed = True
        if isinstance(item, Reads):
            self.content.reads[key] = item
        else:
            self.content.flows[key] = item

    def save(self) -> None:
        """Write what was added. A cache that cannot be written costs time only."""
        if self.file is None or not self.changed:
            return
        many = len(self.content.reads) + len(self.content.flows)
        if many > SPARE * len(self.used):
            self.content.reads = {key: item for key, item in self.content.reads.items() if key in self.used}
            self.content.flows = {key: item for key, item in self.content.flows.items() if key in self.used}
        write(self.file, self.content)
        self.changed = False

    def _load(self) -> Content:
        if self.file is None:
            return Content()
        found = read(self.file, Content)
        return found if found is not None and found.format == FORMAT else Content()


def read[T](file: Path, kind: type[T]) -> T | None:
    """What the file holds; None when it is missing, broken or of an older format."""
    try:
        return msgspec.msgpack.decode(file.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None


def write(file: Path, content: Any) -> None:
    """Replace the file whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    with os.fdopen(handle, "wb") as opened:
        opened.write(msgspec.msgpack.encode(content))
    Path(name).replace(file)


def key(sql: str, shapes: Iterable[tuple[str, str]]) -> str:
    """Of a statement's digest and (table, digest of its shape)."""
    return sha256(repr((sql, sorted(shapes))).encode()).hexdigest()


def shape_digest(shape: Any) -> str:
    return sha256(msgspec.json.encode(shape)).hexdigest()
