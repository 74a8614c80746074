"""What a sink offers to the one who commits: rows of one commit group into one table, once."""

from typing import Protocol

import polars as pl

from dataflow.schemas import Table


class Sink(Protocol):
    """Writes commit groups to tables.

    A group is named by its `batch_id`, which is never used for other rows: a second call with the same table and
    `batch_id` brings the same rows in the same order, from this process or, after a crash, from another.

    Calls come from several threads, never two at once for one table. A sink waits out what passes by itself (quota,
    429, 5xx, timeouts) with exponential backoff and full jitter, inside the call: while a call lasts nothing is
    acknowledged and, the queues being bounded, pulling slows down. What it raises stops the pipeline.
    """

    def ensure(self, table: Table) -> None:
        """Create the table when it is missing, and add the nullable columns that it lacks.

        It may be called at any time, in any thread. A running sink may hold streams of the table
        open: rows of the new columns come right after this returns.
        Raises NorenError when the dataset is missing, or when the live table cannot take the rows.
        """

    def write(self, table: Table, rows: pl.DataFrame, batch_id: str) -> None:
        """Write the rows of one group to one table, once, however often it is called. Returns when they are durable.

        rows: the table's columns but for `batch_id`, which the sink adds; at least one row.
        While it lasts readers may see a part of the group, never more of it and never a row twice: a load job shows all
        at once, the Storage Write API each request of 4 MiB by itself (adr/0001-committed-streams.md). A row that was
        seen stays.
        Raises NorenError when the table refuses rows, or does not answer for too long. What was written by then stays,
        and the next call for the group writes what is missing.
        """

    def recover(self, table: Table, batch_id: str) -> bool:
        """Whether the table is known to have the rows of this group, which an earlier process may have begun to write.

        Called once for each group that was recorded and not committed, before its first `write` by this process. It
        makes an end of what the earlier process may have left under way (finalizes its stream, waits for its job).
        After True `write` is not called; after False it is, and must write the rows only where the table lacks them.
        """

    def close(self) -> None:
        """Let go of connections and open streams. Nothing is written any more."""
