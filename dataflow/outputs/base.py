"""After staging: what becomes of every staged entry beside the tables, at least once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl


@dataclass(frozen=True)
class StagedEntry:
    """One entry of the journal, durable already.

    number: its number in the journal; entries of one journal are put out in the order of their numbers.
    policy_version: of the policy that its rows were made under; empty for an entry without accepted events.
    rows: role -> rows without `batch_id`, of the roles that the output wants, in the journal's order: row i of an
    entry is the same row whenever the entry is put out. A role without rows may be missing. `.to_arrow()` of a frame
    is free.
    """

    number: int
    policy_version: str
    rows: Mapping[str, pl.DataFrame]

    @property
    def bytes(self) -> int:
        """Memory of the rows, about."""
        return int(sum(frame.estimated_size() for frame in self.rows.values()))


@dataclass(frozen=True)
class Run:
    """Consecutive entries, put out in one call.

    journal: the journal's own random id; with the number it names an entry for ever.
    first, last: entry numbers, both included. Numbers without rows may be missing from `entries`.
    """

    journal: str
    first: int
    last: int
    entries: Sequence[StagedEntry]


class Output(Protocol):
    """Something that gets every staged entry, at least once and in order, on a thread of its own.

    An entry's rows stay in the journal until every output has them. What was not put out when a process died is put out
    by the next one, before new entries; an entry may come twice, so what is put out is named by journal, entry and row.

    name: of the output's progress in the journal; letters, digits and hyphens. It is never changed.
    roles: of the rows that it wants: raw, anonymized, dead, unknown, and those of operators.
    seconds: how long entries may be gathered into one run; 0: each entry is a run of its own, at once. The bounds of a
    gathered run are recorded before its first `put`, so it comes again with the same bounds or not at all.
    most_bytes: of rows in a gathered run; a run that has more is put out before its seconds are over.
    """

    name: str
    roles: Sequence[str]
    seconds: float
    most_bytes: int

    def put(self, run: Run) -> None:
        """Put the run out; what it put out is durable when it returns. Idempotent: the same run may come again.

        Waits out what passes by itself: the queue before it is bounded, so a slow output slows pulling. What it raises
        stops the pipeline.
        """

    def close(self) -> None:
        """Let go of connections."""
