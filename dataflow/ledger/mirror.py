"""The ledgers' copy in `operations.ledger`: to be asked by SQL, and to tell when a whole chain was made anew.

Runs of lines are written like the journal's commit groups: the bounds are recorded, create-if-absent, before the write,
and name it. So any process may mirror at any time, and no line is written twice.
"""

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from dataflow import names
from dataflow.ledger.chain import Line, digest
from dataflow.ledger.ledger import Ledger

if TYPE_CHECKING:
    import polars as pl

    from dataflow.schemas import Table


class Sink(Protocol):
    """What writes rows to a table once for each batch id: `dataflow.sinks`."""

    def ensure(self, table: "Table") -> None: ...

    def write(self, table: "Table", rows: "pl.DataFrame", batch_id: str) -> None: ...


def mirror(ledger: Ledger, sink: Sink) -> int:
    """Copy what the table lacks; how many lines that were. Safe to call at any time, by several processes.

    Raises what the sink raises; the next call goes on where this one stopped.
    """
    bounds = {number: _bounds(ledger, number) for number in ledger.numbers("mirrors")}
    done = set(ledger.numbers("mirrored"))
    first = max((end for _, end in bounds.values()), default=0)
    lines = ledger.numbers("lines")
    if lines and lines[-1] >= first:
        number = max(bounds, default=-1) + 1
        ledger.objects.create(ledger.path("mirrors", number), msgspec.json.encode((first, lines[-1] + 1)))
        bounds[number] = _bounds(ledger, number)  # of two processes the first one's
    unwritten = {number: span for number, span in bounds.items() if number not in done}
    if not unwritten:
        return 0
    import polars as pl  # half a second of imports: only for who has something to write

    from dataflow.schemas import ledger_table

    table = ledger_table()
    sink.ensure(table)
    written = 0
    for number, (start, end) in sorted(unwritten.items()):
        rows = [
            _row(ledger, line, ledger.objects.read(ledger.path("lines", line.number)))
            for line in ledger.entries(start)
            if line.number < end
        ]
        schema = {name: kind for name, kind in table.polars().items() if name != "batch_id"}
        sink.write(table, pl.DataFrame(rows, schema=schema, orient="row"), f"ledger-{ledger.identity}-{number:08d}")
        ledger.objects.create(ledger.path("mirrored", number), b"")
        written += len(rows)
    return written


def waiting(ledger: Ledger) -> bool:
    """Whether the table lacks lines, as far as the store tells."""
    bounds, lines = ledger.numbers("mirrors"), ledger.numbers("lines")
    if bounds != ledger.numbers("mirrored"):
        return True
    return bool(lines) and lines[-1] >= (_bounds(ledger, bounds[-1])[1] if bounds else 0)


def mirrored(ledger: Ledger, client: Any) -> dict[int, str]:
    """Number -> digest of the lines that the table holds: what `Ledger.verify` wants.

    client: a `google.cloud.bigquery.Client`.
    """
    from google.api_core.exceptions import NotFound
    from google.cloud import bigquery

    query = f"SELECT number, digest FROM `{client.project}.{'.'.join(names.LEDGER)}` WHERE ledger = @ledger"  # noqa: S608
    config = bigquery.QueryJobConfig(
        query_parameters=[bigquery.ScalarQueryParameter("ledger", "STRING", _key(ledger))],
    )
    try:
        return {row["number"]: row["digest"] for row in client.query_and_wait(query, job_config=config)}
    except NotFound:  # nothing was ever copied
        return {}


def _bounds(ledger: Ledger, number: int) -> tuple[int, int]:
    """First line of a run, and the one behind its last."""
    return msgspec.json.decode(ledger.objects.read(ledger.path("mirrors", number)), type=tuple[int, int])


def _key(ledger: Ledger) -> str:
    return f"{ledger.name}-{ledger.identity}"


def _row(ledger: Ledger, line: Line, data: bytes) -> dict[str, Any]:
    return {
        "ledger": _key(ledger),
        "number": line.number,
        "time": line.time,
        "kind": line.kind,
        "who": line.who,
        "details": msgspec.json.encode(line.details, order="sorted").decode(),
        "digest": digest(data),
    }
