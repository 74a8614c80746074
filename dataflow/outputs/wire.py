"""Publish requests as bytes, put together by a compiled loop: a protobuf object a row costs ten times as much.

The encoding: https://protobuf.dev/programming-guides/encoding/. The fields: google/pubsub/v1/pubsub.proto. A request
to publish has topic (1) and messages (2), a message has data (1) and the map attributes (2, of key 1 and value 2).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from dataflow.compiled.loop import compiled, inlined
from dataflow.compiled.simd import copied
from dataflow.compiled.views import Numbers

_FIRST, _SECOND = b"\x0a", b"\x12"  # a field's number, and that its length comes next

_ROW = _FIRST + b"\x03row" + _SECOND
"""Of the attribute that numbers a message: its name, and what the value begins with."""

_MOST_BESIDE = 1 + 5 + 1 + 5 + 2 + len(_ROW) + 1 + 10
"""Bytes of a message beside its data and the attributes that all have: two lengths, and the attribute `row`."""


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
    offsets = _view(data.buffers()[1], np.int64)[data.offset : data.offset + len(data) + 1]
    content = _view(data.buffers()[2] or b"", np.uint8)  # none where all are empty
    room = np.empty(int(offsets[-1] - offsets[0]) + len(data) * (len(constant) + _MOST_BESIDE), np.uint8)
    ends = np.zeros(len(data) + 1, np.int64)
    shared, row_opening = np.frombuffer(constant, np.uint8), np.frombuffer(_ROW, np.uint8)
    _write(content, offsets, shared, row_opening, room, ends)
    opening = _framed(_FIRST, topic.encode())
    first = 0
    while first < len(data):
        fitting = int(np.searchsorted(ends, ends[first] + size, "right")) - 1
        last = min(max(fitting, first + 1), first + messages, len(data))
        yield b"".join((opening, memoryview(room)[ends[first] : ends[last]]))
        first = last


def _view(buffer: Any, kind: type) -> Numbers:
    """Read only, whoever made it: a loop is compiled anew for what it may write to."""
    view: Numbers = np.frombuffer(buffer, kind)
    view.flags.writeable = False
    return view


@compiled
def _write(data: Numbers, offsets: Numbers, constant: Numbers, row: Numbers, room: Numbers, ends: Numbers) -> None:
    """The messages of a request, one behind the other. ends: filled with where each begins, and where all end."""
    at = np.int64(0)
    for number in range(len(offsets) - 1):
        length = offsets[number + 1] - offsets[number]
        digits, rest = np.int64(1), number // 10
        while rest:
            digits += 1
            rest //= 10
        numbering = len(row) + 1 + digits
        at = _opened(room, at, 0x12, 1 + _width(length) + length + len(constant) + 2 + numbering)
        at = _opened(room, at, 0x0A, length)
        at = copied(data, offsets[number], length, room, at)
        at = copied(constant, 0, len(constant), room, at)
        at = _opened(room, at, 0x12, numbering)
        at = copied(row, 0, len(row), room, at)
        room[at] = digits
        at += 1 + digits
        rest = number
        for back in range(1, digits + 1):
            room[at - back] = 48 + rest % 10
            rest //= 10
        ends[number + 1] = at


@inlined
def _width(number: int) -> int:
    """Bytes of a varint."""
    width = np.int64(1)
    while number > 127:
        number >>= 7
        width += 1
    return width


@inlined
def _opened(room: Numbers, at: int, field: int, length: int) -> int:
    """Writes a field's number and length; where its content begins."""
    room[at] = field
    at += 1
    while length > 127:
        room[at] = length & 127 | 128
        length >>= 7
        at += 1
    room[at] = length
    return at + 1


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
