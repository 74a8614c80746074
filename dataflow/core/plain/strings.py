"""Texts that were found in the messages, as columns.

A column gets bytes of its own: one that pointed into the messages would carry all of every message along wherever it is
written. Layout: https://arrow.apache.org/docs/format/Columnar.html#variable-size-binary-view-layout
"""

import numpy as np
import polars as pl

from dataflow.compiled.loop import allocating
from dataflow.compiled.simd import PADDING, load8, store8
from dataflow.compiled.views import INLINE, Numbers, from_views, view_long, view_short
from dataflow.core.plain.texts import hexadecimal
from dataflow.core.plain.values import ESCAPED, LENGTH


def column(name: str, buffer: Numbers, start: Numbers, length: Numbers) -> pl.Series:
    """The texts of one slot. length: as in Values, -1 for null."""
    views, data, nulls = _gather(buffer, start, length)
    return from_views(name, views, data, length >= 0 if nulls else None)


@allocating
def _gather(buffer: Numbers, start: Numbers, length: Numbers) -> tuple[Numbers, Numbers, int]:
    """(views, their bytes, how many are null)."""
    size = 0
    for row in range(len(length)):
        if length[row] > INLINE:
            size += length[row] & LENGTH
    data = np.empty(size + PADDING, np.uint8)
    views = np.empty((len(length), 2), np.uint64)
    used, nulls = 0, 0
    for row in range(len(length)):
        count = np.int64(length[row])
        if count < 0:
            views[row, 0] = 0
            views[row, 1] = 0
            nulls += 1
            continue
        source = np.int64(start[row])
        if count > LENGTH:
            if count & ESCAPED:
                count = _unescape(buffer, source, count & LENGTH, data, used)
            else:
                count = _squeeze(buffer, source, count & LENGTH, data, used)
            if count <= INLINE:
                view_short(data, used, count, views, row)
                continue
        elif count <= INLINE:
            view_short(buffer, source, count, views, row)
            continue
        else:
            for offset in range(0, count, 8):
                store8(data, used + offset, load8(buffer, source + offset))
        view_long(data, used, count, views, row)
        used += count
    return views, data[:used], nulls


@allocating
def _squeeze(buffer: Numbers, source: int, length: int, data: Numbers, to: int) -> int:
    """Copy a value without the blanks between its tokens; it has no escapes. How many bytes are left."""
    count, inside = 0, False
    for place in range(source, source + length):
        byte = buffer[place]
        if byte == 0x22:
            inside = not inside
        if inside or not (byte == 0x20 or byte == 0x0A or byte == 0x0D or byte == 0x09):
            data[to + count] = byte
            count += 1
    return count


@allocating
def _unescape(buffer: Numbers, source: int, length: int, data: Numbers, to: int) -> int:
    """Copy a text with its (well-formed) escapes read. How many bytes it has then."""
    place, end, out = source, source + length, to
    while place < end:
        byte = buffer[place]
        if byte != 0x5C:
            data[out] = byte
            place += 1
            out += 1
            continue
        byte = buffer[place + 1]
        place += 2
        if byte != 0x75:
            if byte == 0x62:
                byte = np.uint8(0x08)
            elif byte == 0x66:
                byte = np.uint8(0x0C)
            elif byte == 0x6E:
                byte = np.uint8(0x0A)
            elif byte == 0x72:
                byte = np.uint8(0x0D)
            elif byte == 0x74:
                byte = np.uint8(0x09)
            data[out] = byte
            out += 1
            continue
        code = hexadecimal(buffer, place)
        place += 4
        if 0xD800 <= code <= 0xDBFF:
            code = 0x10000 + ((code - 0xD800) << 10) + (hexadecimal(buffer, place + 2) - 0xDC00)
            place += 6
        if code < 0x80:
            data[out] = code
            out += 1
        elif code < 0x800:
            data[out] = 0xC0 | (code >> 6)
            data[out + 1] = 0x80 | (code & 0x3F)
            out += 2
        elif code < 0x10000:
            data[out] = 0xE0 | (code >> 12)
            data[out + 1] = 0x80 | ((code >> 6) & 0x3F)
            data[out + 2] = 0x80 | (code & 0x3F)
            out += 3
        else:
            data[out] = 0xF0 | (code >> 18)
            data[out + 1] = 0x80 | ((code >> 12) & 0x3F)
            data[out + 2] = 0x80 | ((code >> 6) & 0x3F)
            data[out + 3] = 0x80 | (code & 0x3F)
            out += 4
    return out - to
