"""One entry: what a batch decided (the index) and what it puts out (the rows), encoded and sealed."""

import io
from dataclasses import dataclass, field

import msgspec
import polars as pl

from dataflow.operators.deduplicate import Index


@dataclass(frozen=True)
class Entry:
    """rows: role of the table (raw, anonymized, dead, unknown) -> rows without `batch_id`; empty once committed.

    consumed: where a bounded source is to go on behind this entry, in the source's own words; empty for a broker's.
    """

    index: Index
    rows: dict[str, pl.DataFrame] = field(default_factory=dict)
    consumed: str = ""


class Head(msgspec.Struct, array_like=True):
    """The object that makes an entry exist: its index, the name of the object that holds its rows, what it consumed."""

    index: Index
    rows: str
    consumed: str = ""


_HEAD = msgspec.msgpack.Decoder(Head)
_ROWS = msgspec.msgpack.Decoder(dict[str, bytes])


def encode_head(head: Head) -> bytes:
    return msgspec.msgpack.encode(head)


def decode_head(data: bytes) -> Head:
    return _HEAD.decode(data)


def encode_rows(rows: dict[str, pl.DataFrame]) -> bytes:
    """Arrow IPC streams (lz4) by role."""
    streams: dict[str, bytes] = {}
    for role, frame in rows.items():
        buffer = io.BytesIO()
        frame.write_ipc_stream(buffer, compression="lz4")
        streams[role] = buffer.getvalue()
    return msgspec.msgpack.encode(streams)


def decode_rows(data: bytes) -> dict[str, pl.DataFrame]:
    return {role: pl.read_ipc_stream(io.BytesIO(stream)) for role, stream in _ROWS.decode(data).items()}
