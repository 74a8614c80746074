"""The first numbers of dotted versions."""

import numpy as np
import polars as pl

from dataflow.compiled.loop import compiled
from dataflow.compiled.simd import PADDING, load8, store8
from dataflow.compiled.views import INLINE, Numbers, from_views, to_bytes, view_long, view_short


def reduced(versions: pl.Series, parts: int) -> pl.Series:
    """The first `parts` numbers of each version, with the dots between; null where it does not begin with a number."""
    offsets, data, _ = to_bytes(versions)
    count = len(versions)
    out, views, good = (
        np.empty(len(data) + PADDING, np.uint8),
        np.empty((count, 2), np.uint64),
        np.empty(count, np.bool_),
    )
    used = _reduced(data, offsets, parts, out, views, good)
    return from_views(versions.name, views, out[:used], good)


@compiled
def _reduced(data: Numbers, offsets: Numbers, parts: int, out: Numbers, views: Numbers, good: Numbers) -> int:
    """How many bytes of `out` are used. A null has no bytes, so it begins with no number."""
    used = 0
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        place, behind, found = start, start, 0
        while found < parts:
            first = place
            while place < end and 0x30 <= data[place] <= 0x39:
                place += 1
            if place == first:
                break
            found += 1
            behind = place
            if place == end or data[place] != 0x2E:
                break
            place += 1
        good[row] = found > 0
        length = behind - start
        if length <= INLINE:
            view_short(data, start, length, views, row)
        else:
            for offset in range(0, length, 8):
                store8(out, used + offset, load8(data, start + offset))
            view_long(out, used, length, views, row)
            used += length
    return used
