"""What a driver wants of an operator: pure steps over state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from dataflow.operators.deduplicate import Index
from dataflow.operators.state import Changes, State
from dataflow.schemas import Table


@dataclass(frozen=True)
class Step:
    """What an operator makes of one batch.

    rows: role -> rows of the operator's own tables, without `batch_id`; written exactly once, with the batch's own.
    changes: of its state, made durable together with the rows.
    """

    rows: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    changes: Changes = field(default_factory=Changes)


class Operator(Protocol):
    """Stateful work on what a batch decided, knowing nothing of the driver that runs it.

    name: names its state for ever; letters, digits and hyphens.
    tables: role -> table of the rows that it makes; roles are its own, none of raw, anonymized, dead, unknown.
    """

    name: str
    tables: Mapping[str, Table]

    def step(self, index: Index, rows: Mapping[str, pl.DataFrame], watermark: int, state: State) -> Step:
        """What becomes of one batch. Pure: the same arguments give the same step, and the driver may ask twice.

        index: what deduplication decided: accepted, dead and duplicate events with their positions and publish times.
        rows: raw, anonymized, dead and unknown rows of the batch. All may be empty, together with the index: then only
        time went on, and what the watermark passed is to be closed.
        watermark: microseconds of publish time. The driver expects no message published before it any more; it never
        goes back, and goes on while a stream is idle too. Events behind it are late, never lost.
        Raises nothing for a row.
        """
