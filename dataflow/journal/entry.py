"""One entry: what a batch decided (the index), what it puts out (the rows), what it does to operators' state."""

from dataclasses import dataclass, field

import msgspec
import polars as pl
import pyarrow as pa

from dataflow.operators.index import Index
from dataflow.operators.state import Changes, StateByOperator


@dataclass(frozen=True)
class Entry:
    """rows: role of the table (raw, anonymized, dead, unknown) -> rows without `batch_id`; empty once committed.
        What is read from a journal has no roles without rows.

    consumed: where a bounded source is to go on behind this entry, in the source's own words; empty for a broker's.
    state: changes of operators' state, by the operator's name.
    """

    index: Index
    rows: dict[str, pl.DataFrame] = field(default_factory=dict)
    consumed: str = ""
    state: StateByOperator = field(default_factory=dict)


class Head(msgspec.Struct, array_like=True):
    """What of an entry, or of several in order, stays when their rows are committed."""

    index: Index = msgspec.field(default_factory=Index)
    consumed: str = ""
    state: dict[str, Changes] = msgspec.field(default_factory=dict)


class _Wire(msgspec.Struct, array_like=True):
    head: Head
    rows: dict[str, memoryview]


class _HeadOnly(msgspec.Struct, array_like=True):
    head: Head
    rows: msgspec.Raw


_WIRE = msgspec.msgpack.Decoder(_Wire)
_HEAD_ONLY = msgspec.msgpack.Decoder(_HeadOnly)
_HEAD = msgspec.msgpack.Decoder(Head)
_LZ4 = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)  # the next batch is prepared meanwhile

_ROWS = msgspec.msgpack.Decoder(dict[str, memoryview])


def head_of(entry: Entry) -> Head:
    return Head(entry.index, entry.consumed, dict(entry.state))


def encode_entry(entry: Entry) -> bytes:
    rows = {role: frame for role, frame in entry.rows.items() if not frame.is_empty()}
    return msgspec.msgpack.encode(_Wire(head_of(entry), _streams(rows)))


def decode_entry(data: bytes) -> Entry:
    wire = _WIRE.decode(data)
    return Entry(wire.head.index, _frames(wire.rows), wire.head.consumed, wire.head.state)


def decode_entry_head(data: bytes) -> Head:
    """The head alone: the rows are not looked at."""
    return _HEAD_ONLY.decode(data).head


def encode_head(head: Head) -> bytes:
    return msgspec.msgpack.encode(head)


def decode_head(data: bytes) -> Head:
    return _HEAD.decode(data)


def encode_rows(rows: dict[str, pl.DataFrame]) -> bytes:
    """Arrow IPC streams (lz4) by role."""
    return msgspec.msgpack.encode(_streams(rows))


def decode_rows(data: bytes) -> dict[str, pl.DataFrame]:
    return _frames(_ROWS.decode(data))


def _streams(rows: dict[str, pl.DataFrame]) -> dict[str, memoryview]:
    """Written by pyarrow, with views of texts as they are: half the time of polars's own writer."""
    streams: dict[str, memoryview] = {}
    for role, frame in rows.items():
        table = frame.to_arrow(compat_level=pl.CompatLevel.newest())
        stream = pa.BufferOutputStream()
        with pa.ipc.new_stream(stream, table.schema, options=_LZ4) as writer:
            writer.write_table(table)
        streams[role] = memoryview(stream.getvalue())
    return streams


def _frames(streams: dict[str, memoryview]) -> dict[str, pl.DataFrame]:
    """Read by pyarrow too: polars's reader panics at the empty buffer that a column of short texts may have."""
    frames: dict[str, pl.DataFrame] = {}
    for role, stream in streams.items():
        with pa.ipc.open_stream(stream) as reader:
            frame = pl.from_arrow(reader.read_all())
        assert isinstance(frame, pl.DataFrame)
        frames[role] = frame
    return frames
