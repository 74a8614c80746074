"""Which files are meant by what was typed, and what is in each."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dataflow.errors import NorenError


class FileFormat(StrEnum):
    """What a file holds."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


_SUFFIXES = {
    ".jsonl": FileFormat.JSONL,
    ".ndjson": FileFormat.JSONL,
    ".json": FileFormat.JSONL,
    ".log": FileFormat.JSONL,
    ".csv": FileFormat.CSV,
    ".parquet": FileFormat.PARQUET,
}
_COMPRESSED = (".gz", ".zst")


@dataclass(frozen=True)
class Found:
    """One file.

    path: absolute. size: bytes. modified: nanoseconds.
    """

    path: Path
    format: FileFormat
    size: int
    modified: int

    @property
    def digest(self) -> str:
        """Names the file's path without showing it."""
        return hashlib.sha256(str(self.path).encode()).hexdigest()[:12]

    def key(self, version: str) -> str:
        """Changes when the file may have: what was read to its end under this key need not be read again.

        version: of everything that decides what becomes of its rows.
        """
        text = f"{self.path}\n{self.size}\n{self.modified}\n{self.format}\n{version}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def find(paths: Iterable[Path], format: FileFormat | None = None) -> tuple[list[Found], list[Path]]:
    """(files in the order of their paths, files of directories that are passed over for what they are called).

    format: of all of them; None for what each one's name says.
    Raises NorenError for a path that is not there, a named file whose name does not say what it holds, and when there
    is nothing to read.
    """
    found: dict[Path, Found] = {}
    ignored: list[Path] = []
    for path in paths:
        if path.is_dir():
            for inner in _below(path):
                kind = format or format_of(inner)
                if kind is None:
                    ignored.append(inner)
                else:
                    found[inner.resolve()] = _found(inner, kind)
            continue
        kind = format or format_of(path)
        if kind is None:
            raise NorenError(f"{path}: its name does not say what it holds; give --format jsonl, csv or parquet.")
        found[path.resolve()] = _found(path, kind)
    if not found:
        raise NorenError("there is no file to read: directories are searched for .jsonl, .csv and .parquet files.")
    return [found[path] for path in sorted(found)], ignored


def format_of(path: Path) -> FileFormat | None:
    """What the name says, compression's ending aside."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return _SUFFIXES.get(suffixes[-1]) if suffixes else None


def _below(directory: Path) -> Iterator[Path]:
    """Its files at any depth, hidden ones and those of writers' own (`_SUCCESS`) aside."""
    for path in sorted(directory.rglob("*")):
        parts = path.relative_to(directory).parts
        if path.is_file() and not any(part.startswith((".", "_")) for part in parts):
            yield path


def _found(path: Path, format: FileFormat) -> Found:
    try:
        status = path.stat()
    except OSError as error:
        raise NorenError(f"{path}: cannot be read: {error.strerror}.") from error
    return Found(path.resolve(), format, status.st_size, status.st_mtime_ns)
