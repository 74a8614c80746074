"""HMAC-SHA256 of a whole column, sixteen values side by side (`compiled/sha256.py`).

RFC 2104. The two states that a key leaves behind after its first block are made once; a value of up to 55 bytes costs
one block each of the inner and the outer hash.
"""

import hashlib
from typing import NamedTuple

import numpy as np
import polars as pl

from dataflow.compiled.loop import allocating, compiled
from dataflow.compiled.sha256 import BLOCK, LANES, START, absorb, compress, copy
from dataflow.compiled.views import Numbers, from_views, present_bytes

DIGITS = 32
"""Hex digits that are kept of a hash."""

_HEX = np.array([int.from_bytes(f"{byte:02x}".encode(), "little") for byte in range(256)], np.uint16)


class States(NamedTuple):
    """What is left of a key: the inner and the outer hash after its block. As secret as the key."""

    inner: Numbers
    outer: Numbers


def states(key: bytes) -> States:
    """The two states of a key of any length."""
    block = (hashlib.sha256(key).digest() if len(key) > BLOCK else key).ljust(BLOCK, b"\0")
    return States(*(_state(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C)))


def _state(block: bytes) -> Numbers:
    state = np.repeat(START[:, None], LANES, axis=1)
    words = np.repeat(np.frombuffer(block, ">u4").astype(np.uint32)[:, None], LANES, axis=1)
    _compress_block(state, words)
    return np.ascontiguousarray(state[:, 0])


def tokens(values: pl.Series, key: States) -> pl.Series:
    """The first `DIGITS` hex digits of each value's HMAC-SHA256; null stays null."""
    offsets, data, valid = present_bytes(values)
    count = len(offsets) - 1
    digits = np.empty(count * DIGITS // 2, np.uint16)
    _tokens(data, offsets, key.inner, key.outer, np.empty((3, 16, LANES), np.uint32), digits)
    text = digits.view(np.uint8)
    views = np.empty((count, 4), np.uint32)
    views[:, 0] = DIGITS
    views[:, 1] = digits.view(np.uint32)[:: DIGITS // 4]
    views[:, 2] = 0
    views[:, 3] = np.arange(count, dtype=np.uint32) * np.uint32(DIGITS)
    if valid is None:
        return from_views(values.name, views.view(np.uint64), text, None)
    sparse = np.zeros((len(values), 4), np.uint32)
    sparse[valid] = views
    return from_views(values.name, sparse.view(np.uint64), text, valid)


@allocating
def _compress_block(state: Numbers, block: Numbers) -> None:
    compress(state, block)


@compiled
def _tokens(data: Numbers, offsets: Numbers, inner: Numbers, outer: Numbers, room: Numbers, digits: Numbers) -> None:
    """room: [block, state, state before; 16; LANES]. digits: two of them in a number, 16 numbers a value."""
    block, state, before = room[0], room[1], room[2]
    count = len(offsets) - 1
    for first in range(0, count, LANES):
        lanes = min(LANES, count - first)
        absorb(data, offsets, first, lanes, inner, BLOCK, block, state, before)
        copy(state, block)
        block[8, :] = np.uint32(0x80000000)
        block[9:15, :] = 0
        block[15, :] = (BLOCK + 32) * 8
        for word in range(8):
            for lane in range(LANES):
                state[word, lane] = outer[word]
        compress(state, block)
        for lane in range(lanes):
            place = (first + lane) * 16
            for word in range(4):
                value = state[word, lane]
                digits[place + 4 * word] = _HEX[value >> np.uint32(24)]
                digits[place + 4 * word + 1] = _HEX[(value >> np.uint32(16)) & np.uint32(0xFF)]
                digits[place + 4 * word + 2] = _HEX[(value >> np.uint32(8)) & np.uint32(0xFF)]
                digits[place + 4 * word + 3] = _HEX[value & np.uint32(0xFF)]
