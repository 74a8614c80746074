"""A first look at texts: most hold nothing that scrubbing could find, and one pass over their bytes says so.

It lets more through than the patterns' own gate does, never less: what every match contains is one of the characters
below, or four digits, or a character beyond ASCII (which may be a disguise).
"""

import numpy as np
import polars as pl

from dataflow.compiled.loop import compiled
from dataflow.compiled.simd import PADDING, load8, store8
from dataflow.compiled.views import INLINE, Numbers, from_views, to_bytes, view_long, view_short
from dataflow.methods.entities import MARKS

_ENOUGH = 4

_WEIGHT = np.zeros(256, np.uint8)
_WEIGHT[[ord(digit) for digit in "0123456789"]] = 1
_WEIGHT[[ord(mark) for mark in "@?#:)]"]] = _ENOUGH
_WEIGHT[128:] = _ENOUGH

_BIT = np.zeros(256, np.uint8)
_BIT[[ord(mark) for mark in MARKS]] = 1 << np.arange(len(MARKS), dtype=np.uint8)
_BIT[128:] = WIDE = 1 << 7

_QUOTE, _BACKSLASH, _COMMA = ord('"'), ord("\\"), ord(",")
_OPENS, _CLOSES = np.zeros(256, np.bool_), np.zeros(256, np.bool_)
_OPENS[[ord("{"), ord("[")]] = True
_CLOSES[[ord("}"), ord("]")]] = True


def suspects(texts: pl.Series) -> Numbers:
    """Indexes of the texts that may hold something."""
    offsets, data, _ = to_bytes(texts)
    found = np.empty(len(texts), np.uint32)
    return found[: _suspects(data, offsets, found)]


def marks(texts: pl.Series) -> tuple[Numbers, Numbers]:
    """(a bit for each of MARKS that is in a text, and WIDE where a character beyond ASCII is; how many digits)."""
    offsets, data, _ = to_bytes(texts)
    bits, digits = np.empty(len(texts), np.uint8), np.empty(len(texts), np.int64)
    _marks(data, offsets, bits, digits)
    return bits, digits


def maps(texts: pl.Series, drop: tuple[str, ...]) -> tuple[pl.Series, Numbers]:
    """(free-form objects without the keys to drop; indexes of those with a string that may hold something).

    texts: compact JSON objects. drop: names of members at the top level. The texts of the second kind stay as they are.
    """
    offsets, data, valid = to_bytes(texts)
    names = [name.encode() for name in drop]
    edges = np.cumsum([0, *map(len, names)]).astype(np.int64)
    dropped = np.frombuffer(b"".join(names) + b"\0", np.uint8)
    count = len(texts)
    out, views, found = (
        np.empty(len(data) + PADDING, np.uint8),
        np.zeros((count, 2), np.uint64),
        np.empty(count, np.uint32),
    )
    used, number = _maps(data, offsets, dropped, edges, out, views, found)
    return from_views(texts.name, views, out[:used], valid), found[:number]


@compiled
def _suspects(data: Numbers, offsets: Numbers, found: Numbers) -> int:
    number = 0
    for row in range(len(offsets) - 1):
        weight = np.int64(0)
        for place in range(offsets[row], offsets[row + 1]):
            weight += _WEIGHT[data[place]]
        found[number] = row
        number += weight >= _ENOUGH
    return number


@compiled
def _marks(data: Numbers, offsets: Numbers, bits: Numbers, digits: Numbers) -> None:
    for row in range(len(offsets) - 1):
        seen, count = np.uint8(0), np.int64(0)
        for place in range(offsets[row], offsets[row + 1]):
            byte = data[place]
            seen |= _BIT[byte]
            count += 0x30 <= byte <= 0x39
        bits[row] = seen
        digits[row] = count


@compiled
def _maps(
    data: Numbers, offsets: Numbers, dropped: Numbers, edges: Numbers, out: Numbers, views: Numbers, found: Numbers
) -> tuple[int, int]:
    """(bytes of `out` that are used, suspects)."""
    used, number = 0, 0
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        if start == end:
            continue  # null
        to = _map(data, start, end, dropped, edges, out, used)
        if to < 0:
            found[number] = row
            number += 1
            for offset in range(0, end - start, 8):
                store8(out, used + offset, load8(data, start + offset))
            to = used + end - start
        if to - used > INLINE:
            view_long(out, used, to - used, views, row)
        else:
            view_short(out, used, to - used, views, row)
        used = to
    return used, number


@compiled
def _map(data: Numbers, start: int, end: int, dropped: Numbers, edges: Numbers, out: Numbers, to: int) -> int:
    """Write an object without what is to be dropped; the place behind it, or -1 when it is suspect."""
    out[to] = data[start]
    to += 1
    begun = to
    place = start + 1
    while place < end - 1:
        # a member: "name":value
        if data[place] == _COMMA:
            place += 1
        first = place
        name, depth = -1, 0
        while place < end - 1:
            byte = data[place]
            if byte == _QUOTE:
                place += 1
                opened = place
                weight = np.int64(0)
                while place < end and data[place] != _QUOTE:
                    if data[place] == _BACKSLASH:
                        return -1
                    weight += _WEIGHT[data[place]]
                    place += 1
                if weight >= _ENOUGH:
                    return -1
                if name < 0:
                    name = place - opened
            elif _OPENS[byte]:
                depth += 1
            elif _CLOSES[byte]:
                depth -= 1
            elif byte == _COMMA and depth == 0:
                break
            place += 1
        if _is_dropped(data, first + 1, name, dropped, edges):
            continue
        if to > begun:
            out[to] = _COMMA
            to += 1
        for offset in range(0, place - first, 8):
            store8(out, to + offset, load8(data, first + offset))
        to += place - first
    out[to] = data[end - 1]
    return to + 1


@compiled
def _is_dropped(data: Numbers, start: int, length: int, dropped: Numbers, edges: Numbers) -> bool:
    for number in range(len(edges) - 1):
        if edges[number + 1] - edges[number] == length:
            same = True
            for offset in range(length):
                if data[start + offset] != dropped[edges[number] + offset]:
                    same = False
                    break
            if same:
                return True
    return False
