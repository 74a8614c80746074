"""Drivers that write the same tables: the live stream's and imports'. What one of them took none of the others takes.

Each has a journal of its own. They stage one at a time, under the stream's gate, and who is about to decide first
learns what the others staged since its last turn. So of two drivers that have one event in hand at the same moment the
first to stage has it, and for the other it is a duplicate.
"""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataflow.journal.journal import Journal
from dataflow.journal.lock import locked
from dataflow.keys import Sealer
from dataflow.objects import LocalObjects
from dataflow.operators.index import Events

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.002
SAID_SECONDS = 10.0


class Neighbours:
    """The other drivers of one stream, on this machine.

    state: directory of the journals. live: shard of the live stream. own: shard of the driver that asks.
    """

    def __init__(self, state: Path, sealer: Sealer, live: str, own: str) -> None:
        self._state = state
        self._objects = LocalObjects(state)
        self._sealer = sealer
        self._live = live
        self._own = own
        self._followed: dict[str, _Followed] = {}

    def register(self) -> None:
        """Let the others know of this import; before its first turn."""
        self._objects.create(f"{self._live}/imports/{self._own}", b"")

    def mark(self) -> None:
        """What is staged by now is found elsewhere: in the tables, or by `uncommitted`. The next turn tells what comes
        after it."""
        for followed in self._others():
            followed.mark()

    def newest(self) -> int:
        """Publish time of the newest event that the live stream committed, microseconds; 0 when nobody says."""
        live = [followed for followed in self._others() if followed.journal.shard == self._live]
        return max((followed.journal.newest() for followed in live), default=0)

    def uncommitted(self) -> Iterator[Events]:
        """Accepted events of the others that are in no table yet, so far as their commit is recorded."""
        for followed in self._others():
            yield from (index.accepted for index in followed.journal.uncommitted())

    def interrupted(self) -> list[str]:
        """Shards of imports that do not run and have events that are in no table yet: they have to be run again."""
        return [
            followed.journal.shard
            for followed in self._others()
            if followed.journal.shard != self._live
            and any(True for _ in followed.journal.uncommitted())
            and not locked(self._state, followed.journal.shard)
        ]

    @contextmanager
    def turn(self) -> Iterator[list[Events]]:
        """No other driver stages while this lasts. Gives the events that others accepted since the last turn or `mark`:
        their tokens count, not their positions."""
        gate = os.open(self._state / self._live / "gate", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._lock(gate)
            yield [events for followed in self._others() for events in followed.news()]
        finally:
            os.close(gate)

    def _lock(self, gate: int) -> None:
        said = time.monotonic() + SAID_SECONDS
        while True:
            try:
                return fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > said:
                    said = float("inf")
                    log.warning("%s: waiting for another driver of the same tables, which stages", self._own)
                time.sleep(PAUSE_SECONDS)

    def _others(self) -> list["_Followed"]:
        imports = [name.rpartition("/")[2] for name in self._objects.names(f"{self._live}/imports")]
        for shard in [self._live, *imports]:
            # one that registered and has not begun has no journal yet
            if shard not in self._followed and shard != self._own and (self._state / shard / "identity").exists():
                self._followed[shard] = _Followed(Journal(self._objects, self._sealer, shard))
        return list(self._followed.values())


class _Followed:
    """A journal that another driver writes."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._told = -1

    def mark(self) -> None:
        self._told = max(self._told, self.journal.last())

    def news(self) -> Iterator[Events]:
        for number, head in self.journal.heads(self._told):
            self._told = number
            if head.index.accepted:
                yield head.index.accepted


class NoNeighbours:
    """Of a driver whose tables nobody else writes."""

    def mark(self) -> None: ...

    def register(self) -> None: ...

    def newest(self) -> int:
        return 0

    def uncommitted(self) -> Iterator[Events]:
        return iter(())

    @contextmanager
    def turn(self) -> Iterator[list[Events]]:
        yield []
