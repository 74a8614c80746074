"""Objects that are created once and never changed: what the journal and the ledger stand on.

Create-if-absent is the whole of the concurrency control: of two writers of one name the first wins, and the second
learns it. In the cloud that is `ifGenerationMatch=0`, on a disk a hard link onto a name that must not exist: unlike
O_EXCL on the final name it never shows a half-written object after a crash.
"""

import errno
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from dataflow.errors import NorenError

_FULL = (errno.ENOSPC, errno.EDQUOT)

_DRAFT = re.compile(r"\..+\.[0-9a-f]{32}")


class Objects(Protocol):
    """A store of immutable objects with `/`-separated names."""

    def create(self, name: str, data: bytes) -> bool:
        """Store `data` durably unless the name exists. False when it did; then nothing is changed.

        Raises NorenError when it cannot be stored: no room, no right.
        """

    def read(self, name: str) -> bytes:
        """Raises NorenError when there is none."""

    def names(self, prefix: str) -> Iterator[str]:
        """Names below `prefix/`, sorted."""

    def delete(self, name: str) -> None:
        """Delete; no error when it is gone already."""


def create_file(path: Path, data: bytes) -> bool:
    """Write `path` whole and durably, mode 0600, unless it exists (then False)."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
    finally:
        draft.unlink()
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return True


class LocalObjects:
    """Objects as files below a directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def create(self, name: str, data: bytes) -> bool:
        try:
            return create_file(self._root / name, data)
        except OSError as error:
            hint = " Make room there and start again." if error.errno in _FULL else ""
            raise NorenError(f"{self._root / name}: cannot be written: {error.strerror}.{hint}") from error

    def read(self, name: str) -> bytes:
        try:
            return (self._root / name).read_bytes()
        except OSError as error:
            raise NorenError(f"{name}: cannot be read: {error.strerror}.") from error

    def names(self, prefix: str) -> Iterator[str]:
        directory = self._root / prefix
        if not directory.is_dir():
            return
        for path in sorted(directory.iterdir()):
            if not path.name.startswith("."):  # a draft that a crash left
                yield f"{prefix}/{path.name}"

    def delete(self, name: str) -> None:
        try:
            (self._root / name).unlink(missing_ok=True)
        except OSError as error:
            raise NorenError(f"{self._root / name}: cannot be deleted: {error.strerror}.") from error

    def sweep(self, prefix: str) -> int:
        """Delete the drafts that a crash left below `prefix/`; how many. Only for who is alone in writing there."""
        drafts = [path for path in (self._root / prefix).rglob(".*") if _DRAFT.fullmatch(path.name)]
        for draft in drafts:
            draft.unlink(missing_ok=True)
        return len(drafts)
