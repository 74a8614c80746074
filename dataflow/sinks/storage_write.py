"""The Storage Write API with stream offsets: the sink of the cloud.

One committed stream a table and process, its rows numbered: an append that was lost on the way is repeated at its
offset, and the answer ALREADY_EXISTS says that it had arrived. A process that dies leaves a stream whose name is
recorded before the first append to it; the next process finalizes it, so that nothing of the dead one can arrive any
more, asks the table how many rows of the group it has, and appends the rest to a stream of its own. Offsets:
https://cloud.google.com/bigquery/docs/write-api-streaming#exactly-once
"""

import datetime
import functools
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import grpc
import polars as pl
import pyarrow as pa

from dataflow.errors import NorenError
from dataflow.objects import Objects
from dataflow.schemas import Table
from dataflow.sinks.arrow import schema, to_arrow
from dataflow.sinks.load import LoadSink
from dataflow.sinks.patience import NotYet, Passing, Patience, described
from dataflow.sinks.write_service import MOST_REQUEST_BYTES, Piece, RefusedError, StreamGoneError, WriteService

MOST_STREAMS = 20
"""Streams that may be lost in one write."""

MOST_ROW_BYTES = 8 << 20
"""Larger rows go by a load job: a request, which holds a row whole, may have 10 MB."""

_OVERHEAD = 64 << 10
"""Of a request beside its rows: the schema and names."""

STREAMED_PAST = datetime.timedelta(days=5 * 365 - 1)
STREAMED_FUTURE = datetime.timedelta(days=364)
"""Rows of partitions further away go by a load job
(https://cloud.google.com/bigquery/docs/partitioned-tables#write_data_to_a_partitioned_table)."""


class Records:
    """Names of the write streams that this writer has open, kept where the next process finds them.

    owner: prefix of the objects' names; of one writer at a time, like a journal's shard.
    """

    def __init__(self, objects: Objects, owner: str) -> None:
        self._objects = objects
        self._owner = owner

    def add(self, table: Table, stream: str) -> str:
        """Record a stream durably; the record's name."""
        name = f"{self._owner}/streams/{table.id}/{uuid.uuid4().hex}"
        self._objects.create(name, stream.encode())
        return name

    def of(self, table: Table) -> dict[str, str]:
        """{record's name: stream} of a table."""
        names = list(self._objects.names(f"{self._owner}/streams/{table.id}"))
        return {name: self._objects.read(name).decode() for name in names}

    def remove(self, name: str) -> None:
        self._objects.delete(name)


@dataclass
class _Stream:
    """An open stream. end: offset behind the last row that is known to be in it."""

    name: str
    record: str
    schema: pa.Schema
    end: int = 0


class StorageWriteSink:
    """Writes rows to BigQuery tables through write streams.

    load: writes what cannot be streamed, makes the tables, asks them.
    records: where the names of open streams are kept.
    """

    def __init__(
        self, service: WriteService, load: LoadSink, records: Records, project: str, patience: Patience | None = None
    ) -> None:
        self._service = service
        self._load = load
        self._records = records
        self._project = project
        self._patient = patience or Patience()
        self._streams: dict[str, _Stream] = {}
        self._taken_over: set[str] = set()
        self._begun: set[tuple[str, str]] = set()
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def ensure(self, table: Table) -> None:
        """As `Sink.ensure`: rows of a column that is new go to a new stream, which knows it."""
        self._load.ensure(table)

    def recover(self, table: Table, batch_id: str) -> bool:
        """Always False: `write` asks, when it has the rows. What an earlier process has open is finalized here."""
        self._begun.add((table.id, batch_id))
        self._load.recover(table, batch_id)
        self._take_over(table)
        return False

    def close(self) -> None:
        """Finalize the streams, which is a courtesy, and let go of connections."""
        for stream in self._streams.values():
            try:
                self._service.finalize(stream.name)
            except grpc.RpcError:
                continue  # the record stays, and the next process does it
            self._records.remove(stream.record)
        self._service.close()
        self._load.close()

    def write(self, table: Table, rows: pl.DataFrame, batch_id: str) -> None:
        """As `Sink.write`. A large group is appended piece by piece, and readers may see a part of it for a moment."""
        with self._lock:
            lock = self._locks.setdefault(table.id, threading.Lock())
        with lock:
            self._take_over(table)
            done = self._settled(table, rows, batch_id)
            self._begun.add((table.id, batch_id))
            arrow = to_arrow(table, rows, batch_id)
            pieces = _pieces(arrow, done) if _streamable(table, rows) else None
            if pieces is None:
                if done:
                    self._load.recover(table, batch_id)
                self._load.write(table, rows, batch_id)
            else:
                self._append(table, rows, arrow, batch_id, pieces)
            self._begun.discard((table.id, batch_id))

    def _append(self, table: Table, rows: pl.DataFrame, arrow: pa.Table, batch_id: str, left: list[Piece]) -> None:
        """Append the pieces that are left, and what is left of the group when the stream is lost on the way."""
        lost = 0

        def attempt() -> None:
            nonlocal left, lost
            if not left:
                return
            stream = self._open(table)
            try:
                for piece in self._service.append(stream.name, stream.schema, left, stream.end - left[0].start):
                    stream.end += piece.end - piece.start
                    left = left[1:]
            except RefusedError as error:
                raise NorenError(f"{table.id}: BigQuery refuses rows of group {batch_id} ({error}).") from None
            except StreamGoneError:
                lost += 1
                if lost == MOST_STREAMS:
                    raise NorenError(f"{table.id}: group {batch_id} was not written by {lost} streams.") from None
                self._finalize(table, stream)
                left = _pieces(arrow, self._load.written(table, rows, batch_id)) or []
                raise NotYet(Passing.OUTAGE, "the write stream is gone") from None
            if left:
                raise NotYet(Passing.OUTAGE, "the connection ended early")

        self._asked(table, f"appending group {batch_id}", attempt)

    def _settled(self, table: Table, rows: pl.DataFrame, batch_id: str) -> int:
        """How many rows of the group the table has, and will have by what was begun earlier."""
        if (table.id, batch_id) not in self._begun:
            return 0
        if (stream := self._streams.get(table.id)) is not None:
            self._asked(table, "finalizing a stream", functools.partial(self._finalize, table, stream))
        self._load.settle(table, batch_id, 0)
        done = self._load.written(table, rows, batch_id)
        if 0 < done < rows.height:
            self._load.settle(table, batch_id, done)
            done = self._load.written(table, rows, batch_id)
        return done

    def _open(self, table: Table) -> _Stream:
        """The table's stream; a new one when it has none, or one that does not know its columns."""
        wanted = schema(table.columns)
        stream = self._streams.get(table.id)
        if stream is not None and stream.schema == wanted:
            return stream
        if stream is not None:
            self._finalize(table, stream)
        name, known = self._service.create(f"projects/{self._project}/datasets/{table.dataset}/tables/{table.name}")
        if known and not known.issuperset(wanted.names):
            self._load.ensure(table)  # somebody may have dropped them
            raise NotYet(Passing.OUTAGE, "write streams do not know all columns of the table yet")
        stream = _Stream(name, self._records.add(table, name), wanted)
        self._streams[table.id] = stream
        return stream

    def _finalize(self, table: Table, stream: _Stream) -> None:
        self._service.finalize(stream.name)
        self._streams.pop(table.id, None)
        self._records.remove(stream.record)

    def _take_over(self, table: Table) -> None:
        """Finalize what an earlier process left open; once."""
        if table.id in self._taken_over:
            return
        finalize_recorded(self._service, self._records, table, self._patient)
        self._taken_over.add(table.id)

    def _asked[T](self, table: Table, doing: str, call: Callable[[], T]) -> T:
        return _asked(self._patient, table, doing, call)


def finalize_recorded(service: WriteService, records: Records, table: Table, patient: Patience) -> None:
    """Finalize the streams of a writer that is no more. Raises NorenError."""
    for record, stream in records.of(table).items():
        _asked(patient, table, "finalizing an earlier stream", functools.partial(service.finalize, stream))
        records.remove(record)


def _asked[T](patient: Patience, table: Table, doing: str, call: Callable[[], T]) -> T:
    """Raises NorenError for what does not pass, without BigQuery's own text: it may quote a row."""
    try:
        return patient(f"{table.id}: {doing}", call)
    except grpc.RpcError as error:
        raise NorenError(f"{table.id}: {doing} is refused ({described(error)}).") from None


def _streamable(table: Table, rows: pl.DataFrame) -> bool:
    """Whether all rows belong to partitions that can be streamed to."""
    now = datetime.datetime.now(datetime.UTC)
    return bool(rows[table.partition_by].is_between(now - STREAMED_PAST, now + STREAMED_FUTURE).all())


def _pieces(arrow: pa.Table, start: int) -> list[Piece] | None:
    """The rows from `start` on, in requests of bounded size; None when a row is too large for any."""
    pieces: list[Piece] = []
    rows = max(1, int(arrow.num_rows * MOST_REQUEST_BYTES * 0.9 / max(1, arrow.nbytes)))
    while start < arrow.num_rows:
        end = min(arrow.num_rows, start + rows)
        data = _serialized(arrow.slice(start, end - start))
        if len(data) > MOST_REQUEST_BYTES - _OVERHEAD and end - start > 1:
            rows = (end - start + 1) // 2
            continue
        if len(data) > MOST_ROW_BYTES:
            return None
        pieces.append(Piece(start, end, data))
        start = end
    return pieces


def _serialized(rows: pa.Table) -> bytes:
    batch = rows.combine_chunks().to_batches()[0]
    data: bytes = batch.serialize().to_pybytes()
    return data
