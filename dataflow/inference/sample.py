"""Samples: events of an NDJSON file of any size, in bounded memory.

A file with more lines than asked for is read over its whole length, one line of so many: the first hour of a log is
not like its last.
"""

import gzip
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from dataflow.errors import NorenError

LONGEST_LINE = 10_000_000
"""Bytes; what a Pub/Sub message may have at most. A longer line is bad and read over."""

type Advance = Callable[[int, int], None]
"""(bytes read so far, bytes in all), now and then."""


@dataclass
class Counts:
    """events: taken. bad: lines that are no JSON object; blank lines are not counted. skipped: lines passed over."""

    events: int = 0
    bad: int = 0
    skipped: int = 0


class Sample:
    """At most `most` events of a file, the same ones at every reading."""

    def __init__(self, path: Path, most: int) -> None:
        self.path = path
        self.most = most
        self.counts = Counts()
        try:
            self._size = path.stat().st_size
        except OSError as error:
            raise NorenError(f"{path}: cannot be read: {error.strerror}.") from error
        self._stride = self._estimate()

    def events(self, advance: Advance | None = None) -> Iterator[dict[str, Any]]:
        """The sampled events. `counts` is of this reading."""
        self.counts = counts = Counts()
        turn = 0
        for line in self._lines(advance):
            turn += 1
            if line is None:
                counts.bad += 1
                continue
            if (turn - 1) % self._stride or counts.events >= self.most:
                counts.skipped += 1
                continue
            try:
                event = orjson.loads(line)
            except orjson.JSONDecodeError:
                counts.bad += 1
                continue
            if isinstance(event, dict):
                counts.events += 1
                yield event
            else:
                counts.bad += 1

    def _estimate(self) -> int:
        """One line of how many, by the length of the first ones."""
        lines = size = 0
        for line in self._lines(None):
            if line is None:
                continue
            lines, size = lines + 1, size + len(line) + 1
            if lines == 1_000:
                break
        if not lines or self.path.suffix == ".gz":
            return 1  # how long the text of a packed file is stands nowhere that can be trusted
        return max(1, round(self._size / (size / lines) / self.most))

    def _lines(self, advance: Advance | None) -> Iterator[bytes | None]:
        """Lines with something in them; None for one that is too long."""
        done = 0
        try:
            with self._open() as file:
                while line := file.readline(LONGEST_LINE):
                    done += len(line)
                    if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                        while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                            done += len(rest)
                        yield None
                    elif line.strip():
                        yield line
                    if advance is not None:
                        advance(done, self._size)
        except (OSError, EOFError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise NorenError(f"{self.path}: cannot be read: {reason}.") from error

    def _open(self) -> io.BufferedIOBase:
        return gzip.open(self.path) if self.path.suffix == ".gz" else self.path.open("rb")
