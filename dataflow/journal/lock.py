"""One live process a shard."""

import fcntl
import os
from pathlib import Path

from dataflow.errors import NorenError


class ShardLock:
    """Locks the shard's directory for this process's life, or until it is closed.

    Raises NorenError when another live process holds the lock, or nothing can be written there.
    """

    def __init__(self, state: Path, shard: str) -> None:
        directory = state / shard
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise NorenError(f"{directory}: the journal cannot be written there: {error.strerror}.") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise NorenError(f"{shard}: another process runs this pipeline already; stop it first.") from error

    def close(self) -> None:
        os.close(self._descriptor)


def locked(state: Path, shard: str) -> bool:
    """Whether a live process holds the shard's lock."""
    try:
        ShardLock(state, shard).close()
    except NorenError:
        return True
    return False
