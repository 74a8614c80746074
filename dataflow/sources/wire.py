"""What of Pub/Sub's answers and requests there is one a message, read and written as bytes: a PullResponse, ack ids.

Google's classes make five objects a message, which costs more than deduplicating it. So the usual answer is read by a
compiled loop into columns, and whatever is unusual by Google's classes.

Message: https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1#pullresponse
Wire format: https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from google.pubsub_v1.types import PullResponse

from dataflow.compiled.loop import compiled, inlined
from dataflow.compiled.simd import copied
from dataflow.compiled.views import Numbers, series, to_bytes
from dataflow.sources.message import NO_ATTRIBUTES, Message, Messages, position

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types; groups, 3 and 4, Pub/Sub does not have."""

SPAN_WORDS = 6
"""Of a message: where data, message id and ack id lie, and how long they are."""

ATTRIBUTE_WORDS = 5
"""Of an attribute: its message, where key and value lie, and how long they are."""

UNUSUAL = -1

MOST_BYTES = 2**31 - 1
"""Of an answer: places in it are kept in 32 bits."""


class Scanned(NamedTuple):
    """spans: [SPAN_WORDS, message]. received: microseconds. attributes: [ATTRIBUTE_WORDS, attribute]."""

    spans: Numbers
    received: Numbers
    attributes: Numbers


def read(response: bytes, store: str) -> Messages:
    """The messages of a serialized PullResponse. store: the broker's store id, part of a position.

    Raises DecodeError of google.protobuf for bytes that are none.
    """
    if len(response) > MOST_BYTES:
        return _by_classes(response, store)
    buffer = np.frombuffer(response, np.uint8)
    count = np.zeros(2, np.int64)
    if not _count(buffer, count):
        return _by_classes(response, store)
    scanned = Scanned(
        np.zeros((SPAN_WORDS, count[0]), np.int32),
        np.zeros(count[0], np.int64),
        np.zeros((ATTRIBUTE_WORDS, count[1]), np.int32),
    )
    if not _scan(buffer, scanned):
        return _by_classes(response, store)
    starts, lengths = scanned.spans[0], scanned.spans[1]
    attributes = _attributes(response, scanned)
    if attributes is None:
        return _by_classes(response, store)
    return Messages(
        [response[start:end] for start, end in zip(starts.tolist(), (starts + lengths).tolist(), strict=True)],
        attributes,
        _texts(b"", buffer, scanned.spans[2], scanned.spans[3]),
        _texts(position(store, "").encode(), buffer, scanned.spans[2], scanned.spans[3]),
        scanned.received,
        _texts(b"", buffer, scanned.spans[4], scanned.spans[5]),
    )


def _by_classes(response: bytes, store: str) -> Messages:
    """Attributes are copied: an attribute map of protobuf's keeps its whole response in memory."""
    received: Iterable[Any] = PullResponse.pb().FromString(response).received_messages
    return Messages.of(
        Message(
            each.message.data,
            dict(each.message.attributes) or NO_ATTRIBUTES,
            each.message.message_id,
            position(store, each.message.message_id),
            each.message.publish_time.seconds * 1_000_000 + each.message.publish_time.nanos // 1_000,
            each.ack_id,
        )
        for each in received
    )


def _attributes(response: bytes, scanned: Scanned) -> list[Mapping[str, str]] | None:
    """None where one is no text."""
    found: list[Mapping[str, str]] = [NO_ATTRIBUTES] * len(scanned.received)
    last, held = -1, dict[str, str]()
    for message, key, key_length, value, value_length in scanned.attributes.T.tolist():
        if message != last:
            last, held = message, {}
            found[message] = held
        try:
            held[response[key : key + key_length].decode()] = response[value : value + value_length].decode()
        except UnicodeDecodeError:
            return None
    return found


def repeated(field: int, texts: pl.Series) -> bytes:
    """The texts as a repeated field: what is appended to a serialized message adds to it."""
    offsets, data, _ = to_bytes(texts)
    room = np.empty(len(data) + 11 * len(texts), np.uint8)
    return room[: _repeated(data, offsets, field << 3 | BYTES, room)].tobytes()


@compiled
def _repeated(data: Numbers, offsets: Numbers, tag: int, room: Numbers) -> int:
    """tag: below 128. How many bytes were written."""
    at = np.int64(0)
    for row in range(len(offsets) - 1):
        room[at] = tag
        at += 1
        left = offsets[row + 1] - offsets[row]
        while left > 127:
            room[at] = left & 127 | 128
            left >>= 7
            at += 1
        room[at] = left
        at += 1
        at = copied(data, offsets[row], offsets[row + 1] - offsets[row], room, at)
    return at


def _texts(prefix: bytes, buffer: Numbers, starts: Numbers, lengths: Numbers) -> pl.Series:
    """The ASCII texts that lie at these places, each behind the prefix, as a column of its own memory."""
    offsets = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(lengths + len(prefix), out=offsets[1:])
    data = np.empty(int(offsets[-1]), np.uint8)
    _gather(np.frombuffer(prefix, np.uint8), buffer, starts, offsets, data)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return series("", pa.Array.from_buffers(pa.large_string(), len(starts), buffers, null_count=0))


@compiled
def _gather(prefix: Numbers, buffer: Numbers, starts: Numbers, offsets: Numbers, data: Numbers) -> None:
    for row in range(len(starts)):
        at = copied(prefix, 0, len(prefix), data, offsets[row])
        copied(buffer, starts[row], offsets[row + 1] - at, data, at)


@inlined
def _varint(buffer: Numbers, at: int, end: int) -> tuple[int, int]:
    """(the number, where it ends); UNUSUAL for the end where it is cut off or has more than 63 bits."""
    number, shift = np.int64(0), np.int64(0)
    while at < end and shift < 63:
        byte = np.int64(buffer[at])
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
    return np.int64(0), UNUSUAL


@inlined
def _field(buffer: Numbers, at: int, end: int) -> tuple[int, int, int, int]:
    """(number and wire type, start, length, where it ends) of the field at a place; UNUSUAL for the end of a broken
    one. A varint's start is its value."""
    tag, at = _varint(buffer, at, end)
    start, length = np.int64(0), np.int64(0)
    if at != UNUSUAL:
        kind = tag & 7
        if kind == VARINT:
            start, at = _varint(buffer, at, end)
        elif kind == BYTES:
            length, at = _varint(buffer, at, end)
            start = at
            at = UNUSUAL if at == UNUSUAL or length > end - at else at + length
        elif kind in (FIXED64, FIXED32):
            at += 8 if kind == FIXED64 else 4
            if at > end:
                at = UNUSUAL
        else:
            at = UNUSUAL
    return tag, start, length, at


@compiled
def _count(buffer: Numbers, count: Numbers) -> bool:
    """Counts messages and attributes; False for what is unusual."""
    at, end = np.int64(0), np.int64(len(buffer))
    while at < end:
        tag, start, length, at = _field(buffer, at, end)
        if at == UNUSUAL:
            return False
        if tag != 1 << 3 | BYTES:
            continue
        count[0] += 1
        inner, last = start, start + length
        while inner < last:
            tag, start, length, inner = _field(buffer, inner, last)
            if inner == UNUSUAL:
                return False
            if tag != 2 << 3 | BYTES:
                continue
            place, stop = start, start + length
            while place < stop:
                tag, start, length, place = _field(buffer, place, stop)
                if place == UNUSUAL:
                    return False
                count[1] += tag == 2 << 3 | BYTES
    return True


@compiled
def _scan(buffer: Numbers, scanned: Scanned) -> bool:
    """Fills the columns; False for what is unusual: ids that are not ASCII, times that are broken."""
    spans, received = scanned.spans, scanned.received
    row, attribute = np.int64(-1), np.int64(0)
    at, end = np.int64(0), np.int64(len(buffer))
    while at < end:
        tag, start, length, at = _field(buffer, at, end)
        if tag != 1 << 3 | BYTES:
            continue
        row += 1
        inner, last = start, start + length
        while inner < last:
            tag, start, length, inner = _field(buffer, inner, last)
            if tag == 1 << 3 | BYTES:
                spans[4, row], spans[5, row] = start, length
                if not _ascii(buffer, start, length):
                    return False
            elif tag == 2 << 3 | BYTES:
                place, stop = start, start + length
                while place < stop:
                    tag, start, length, place = _field(buffer, place, stop)
                    if tag == 1 << 3 | BYTES:
                        spans[0, row], spans[1, row] = start, length
                    elif tag == 2 << 3 | BYTES:
                        scanned.attributes[0, attribute] = row
                        if not _entry(buffer, start, start + length, scanned.attributes, attribute):
                            return False
                        attribute += 1
                    elif tag == 3 << 3 | BYTES:
                        spans[2, row], spans[3, row] = start, length
                        if not _ascii(buffer, start, length):
                            return False
                    elif tag == 4 << 3 | BYTES:
                        received[row] = _time(buffer, start, start + length)
                        if received[row] < 0:
                            return False
    return True


@compiled
def _ascii(buffer: Numbers, start: int, length: int) -> bool:
    worst = np.uint8(0)
    for at in range(start, start + length):
        worst |= buffer[at]
    return worst < 128


@compiled
def _entry(buffer: Numbers, at: int, end: int, attributes: Numbers, number: int) -> bool:
    """One entry of the attributes' map."""
    while at < end:
        tag, start, length, at = _field(buffer, at, end)
        if at == UNUSUAL:
            return False
        if tag == 1 << 3 | BYTES:
            attributes[1, number], attributes[2, number] = start, length
        elif tag == 2 << 3 | BYTES:
            attributes[3, number], attributes[4, number] = start, length
        else:
            return False
    return True


@compiled
def _time(buffer: Numbers, at: int, end: int) -> int:
    """A google.protobuf.Timestamp in microseconds; UNUSUAL for a broken one or one before 1970."""
    seconds, nanos = np.int64(0), np.int64(0)
    while at < end:
        tag, start, _, at = _field(buffer, at, end)
        if at == UNUSUAL:
            return np.int64(UNUSUAL)
        if tag == 1 << 3 | VARINT:
            seconds = start
        elif tag == 2 << 3 | VARINT:
            nanos = start
    if seconds > 1 << 40 or nanos >= 1_000_000_000:
        return np.int64(UNUSUAL)
    return seconds * 1_000_000 + nanos // 1_000
