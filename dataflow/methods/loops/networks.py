"""IPv4 addresses cut to their network."""

import numpy as np
import polars as pl

from dataflow.compiled.loop import compiled
from dataflow.compiled.simd import PADDING
from dataflow.compiled.views import INLINE, Numbers, from_views, to_bytes, view_long, view_short

_LONGEST = 15
"""Characters of an IPv4 address."""


def networks(addresses: pl.Series, bits: int) -> tuple[pl.Series, pl.Series]:
    """(first address of each IPv4 address's network; true where a text is present and no IPv4 address).

    bits: that stay, 0 to 32. An octet has no leading zero.
    """
    offsets, data, valid = to_bytes(addresses)
    count = len(addresses)
    out, views, good = (
        np.empty(count * _LONGEST + PADDING, np.uint8),
        np.empty((count, 2), np.uint64),
        np.empty(count, np.bool_),
    )
    used = _networks(data, offsets, np.uint32((0xFFFFFFFF << (32 - bits)) & 0xFFFFFFFF), out, views, good)
    other = ~good if valid is None else ~good & valid
    return from_views(addresses.name, views, out[:used], good), pl.Series(other)


@compiled
def _networks(data: Numbers, offsets: Numbers, mask: np.uint32, out: Numbers, views: Numbers, good: Numbers) -> int:
    """How many bytes of `out` are used."""
    used = 0
    for row in range(len(offsets) - 1):
        address = _address(data, offsets[row], offsets[row + 1])
        good[row] = address >= 0
        views[row, 0] = 0
        views[row, 1] = 0
        if address < 0:
            continue
        network = np.uint32(address) & mask
        place = used
        for octet in range(4):
            if octet:
                out[place] = 0x2E
                place += 1
            number = (network >> np.uint32(24 - 8 * octet)) & np.uint32(0xFF)
            if number >= 100:
                out[place] = 0x30 + number // 100
                place += 1
            if number >= 10:
                out[place] = 0x30 + number // 10 % 10
                place += 1
            out[place] = 0x30 + number % 10
            place += 1
        if place - used > INLINE:
            view_long(out, used, place - used, views, row)
            used = place
        else:
            view_short(out, used, place - used, views, row)
    return used


@compiled
def _address(data: Numbers, place: int, end: int) -> np.int64:
    """The number of an IPv4 address; -1 when the text is none."""
    address, octets = np.int64(0), 0
    if end - place > _LONGEST:
        return -1
    while True:
        first, octet = place, np.int64(0)
        while place < end and 0x30 <= data[place] <= 0x39:
            octet = octet * 10 + (np.int64(data[place]) - 0x30)
            place += 1
        if place == first or octet > 255 or (place - first > 1 and data[first] == 0x30):
            return -1
        address = address << 8 | octet
        octets += 1
        if place == end:
            return address if octets == 4 else -1
        if octets == 4 or data[place] != 0x2E:
            return -1
        place += 1
