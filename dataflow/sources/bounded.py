"""Bounded sources: files, a database's tables, rows of BigQuery. They end, and can be read again from any place."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from dataflow.core.rejects import RefusedError


@dataclass(frozen=True, slots=True)
class Row:
    """One event of a source.

    data: the event, as JSON or as the contract's messages are; of a refused row what the source has of it.
    position: names this row with this content for ever. It holds nothing of the row in clear: digests and numbers.
    label: where an operator finds the row, e.g. the digest of a file's path and the row's number; stands in clear in
        dead letters.
    attributes: sealed in dead letters.
    received: microseconds, of a row that was received before; None for now.
    refusal: why the source cannot make an event of it.
    """

    data: bytes
    position: str
    label: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    refusal: RefusedError | None = None
    received: int | None = None


@dataclass(frozen=True)
class Chunk:
    """Some rows on end, to be staged as one journal entry.

    checkpoint: where to go on behind them, in the source's own words.
    finished: keys of the units (a file, for one) that end in this chunk.
    outside: rows that were read and belong to somebody else, e.g. behind an era's cut-over.
    amount: how much of the source was read for it, in the unit of `BoundedSource.size`.
    """

    rows: list[Row]
    checkpoint: str
    finished: tuple[str, ...] = ()
    outside: int = 0
    amount: int = 0


class BoundedSource(Protocol):
    """What the bounded driver reads.

    name: of its journal's shard, with the stream's.
    size: how much there is to read, None when that is not known. unit: what that counts, e.g. bytes.
    """

    name: str
    size: int | None
    unit: str

    def read(self, checkpoint: str, finished: Callable[[str], bool]) -> Iterator[Chunk]:
        """Everything behind the checkpoint (empty: from the beginning), but for the units that are finished.

        Whoever asks for the next chunk has staged the one before.
        """

    def following(self, checkpoint: str) -> str:
        """Where an import begins when the one before was read to its end, at this checkpoint."""


MOST_ROWS = 50_000
MOST_BYTES = 64 << 20
"""Of a chunk: it is held in memory as text, columns and Arrow at once; few large commits cost less than many."""
