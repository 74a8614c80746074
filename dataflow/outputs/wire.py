"""Publish requests as bytes, put together column by column: a protobuf object a row costs ten times as much.

The encoding: https://protobuf.dev/programming-guides/encoding/. The fields: google/pubsub/v1/pubsub.proto. A request
to publish has topic (1) and messages (2), a message has data (1) and the map attributes (2, of key 1 and value 2).
"""

import functools
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_FIRST, _SECOND = b"\x0a", b"\x12"  # a field's number, and that its length comes next

_NOTHING = pa.scalar(b"", pa.large_binary())


def requests(
    topic: str, data: pa.LargeBinaryArray, attributes: Mapping[str, str], *, messages: int, size: int
) -> Iterator[bytes]:
    """`PublishRequest`s of one message a row, in order, each of at most so many messages and about so many bytes.

    data: of the messages, without nulls. attributes: of all of them; each has its number, from 0 on, as `row` too.
    A message that is larger than a request may be is in one by itself.
    """
    if not len(data):
        return
    constant = b"".join(_attribute(name, value) for name, value in attributes.items())
    rows = _rows(1 << max(len(data) - 1, 1_023).bit_length())[: len(data)]
    heads = _prefixes(_FIRST, pc.binary_length(data))
    sizes = pc.add(pc.add(pc.binary_length(heads), pc.binary_length(data)), pc.binary_length(rows))
    frames = _prefixes(_SECOND, pc.add(sizes, len(constant)))
    joined = pc.binary_join_element_wise(frames, heads, data, pa.scalar(constant, pa.large_binary()), rows, _NOTHING)
    ends, body = np.frombuffer(joined.buffers()[1], np.int64)[: len(data) + 1], joined.buffers()[2]
    opening = _framed(_FIRST, topic.encode())
    first = 0
    while first < len(data):
        fitting = int(np.searchsorted(ends, ends[first] + size, "right")) - 1
        last = min(max(fitting, first + 1), first + messages, len(data))
        yield b"".join((opening, memoryview(body)[ends[first] : ends[last]]))
        first = last


@functools.lru_cache(4)
def _rows(count: int) -> pa.LargeBinaryArray:
    return pa.array([_attribute("row", str(row)) for row in range(count)], pa.large_binary())


def _prefixes(field: bytes, lengths: pa.Int64Array) -> pa.LargeBinaryArray:
    """The field and the length of each, as bytes."""
    found = lengths.dictionary_encode()
    known = [field + _varint(length) for length in found.dictionary.to_pylist()]
    return pa.array(known, pa.large_binary()).take(found.indices)


def _attribute(name: str, value: str) -> bytes:
    return _framed(_SECOND, _framed(_FIRST, name.encode()) + _framed(_SECOND, value.encode()))


def _framed(field: bytes, content: bytes) -> bytes:
    return field + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
