"""Signs of life, read from the pipeline's journal: an entry is staged, a group is committed.

From outside of the pipeline, so they count on across its restarts.
"""

import math
import threading
import time
from bisect import bisect_right

from dataflow.journal.folds import Fold
from dataflow.objects import Objects

LOOK_SECONDS = 0.05


class Watch:
    """Looks in a thread of its own until stopped. Times are of the monotonic clock."""

    def __init__(self, journal: Objects, shard: str) -> None:
        self._journal = journal
        self._shard = shard
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._staged = self._committed = -1
        self.signs: list[float] = []
        """When there was an entry or a commit more."""
        self.commits: list[float] = []
        """When there was a commit more."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def commit_after(self, moment: float, wait: float) -> float | None:
        """When the first group after this moment was committed; None when none is within `wait` seconds from now."""
        end = time.monotonic() + wait
        while True:
            at = bisect_right(self.commits, moment)
            if at < len(self.commits):
                return self.commits[at]
            if time.monotonic() >= end or self._stopped.wait(LOOK_SECONDS):
                return None

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            entries = self._names("entries")
            folds = self._names("indexes")
            committed = max([Fold.named(name).last for name in folds], default=-1)
            staged = max([int(name) for name in entries], default=-1)
            now = time.monotonic()
            if committed > self._committed:
                self.commits.append(now)
            if committed > self._committed or staged > self._staged:
                self.signs.append(now)
            self._committed, self._staged = max(committed, self._committed), max(staged, self._staged)

    def _names(self, kind: str) -> list[str]:
        return [name.rpartition("/")[2] for name in self._journal.names(f"{self._shard}/{kind}")]


def seconds_with(signs: list[float], start: float, end: float) -> tuple[int, int]:
    """(seconds with a sign, whole seconds) of the time from start to end."""
    whole = math.floor(end - start)
    return len({math.floor(sign - start) for sign in signs if 0 <= sign - start < whole}), whole
