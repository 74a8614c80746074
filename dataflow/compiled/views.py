"""Columns of texts out of bytes that compiled code wrote, and bytes for it to read.

Layout: https://arrow.apache.org/docs/format/Columnar.html#variable-size-binary-view-layout
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from dataflow.compiled.loop import inlined
from dataflow.compiled.simd import PADDING, load8

type Numbers = npt.NDArray[Any]

INLINE = 12
"""Bytes of a text that stand in the view itself."""

FIRST_BYTES = np.array([(1 << (8 * count)) - 1 for count in range(9)], np.uint64)
"""Masks of a word's first bytes."""


@inlined
def view_short(source: Numbers, place: int, count: int, views: Numbers, row: int) -> None:
    """The view of up to `INLINE` bytes."""
    low = load8(source, place) & FIRST_BYTES[min(count, 4)]
    views[row, 0] = np.uint64(count) | (low << np.uint64(32))
    views[row, 1] = load8(source, place + 4) & FIRST_BYTES[max(count - 4, 0)]


@inlined
def view_long(data: Numbers, place: int, count: int, views: Numbers, row: int) -> None:
    """The view of more bytes than that, which stay where they are in the column's data."""
    views[row, 0] = np.uint64(count) | (load8(data, place) << np.uint64(32))
    views[row, 1] = np.uint64(place) << np.uint64(32)


def from_views(name: str, views: Numbers, data: Numbers, valid: Numbers | None) -> pl.Series:
    """A String column. views: [row, two words]. data: what views of more than 12 bytes point into.
    valid: True where a text is present; None when all are."""
    bits, nulls = bitmap(valid)
    buffers = [bits, pa.py_buffer(views), pa.py_buffer(data)]
    return series(name, pa.Array.from_buffers(pa.string_view(), len(views), buffers, null_count=nulls))


def bitmap(valid: Numbers | None) -> tuple[pa.Buffer | None, int]:
    """(Arrow's validity bits, how many are null); no bits where nothing is."""
    nulls = 0 if valid is None else len(valid) - int(np.count_nonzero(valid))
    if valid is None or not nulls:
        return None, 0
    return pa.py_buffer(np.packbits(valid, bitorder="little")), nulls


def series(name: str, array: pa.Array) -> pl.Series:
    return pl.Series(name, array)


def to_bytes(texts: pl.Series) -> tuple[Numbers, Numbers, Numbers | None]:
    """(offsets, bytes, True where present or None) of a String column: text n lies from offset n to n + 1.

    `PADDING` bytes follow the last text.
    """
    array = texts.to_arrow(compat_level=pl.CompatLevel.oldest())
    return *_bytes(array), _present(array)


def present_bytes(texts: pl.Series) -> tuple[Numbers, Numbers, Numbers | None]:
    """The same of the texts that are present alone; the third still has a place for each row."""
    array = texts.to_arrow(compat_level=pl.CompatLevel.oldest())
    return *_bytes(array.drop_null()), _present(array)


def _bytes(array: pa.LargeStringArray) -> tuple[Numbers, Numbers]:
    _, offsets, content = array.buffers()
    edges = np.frombuffer(offsets, np.int64, len(array) + 1, 8 * array.offset) if offsets else np.zeros(1, np.int64)
    first, last = int(edges[0]), int(edges[-1])
    data = np.empty(last - first + PADDING, np.uint8)
    if last > first:
        data[: last - first] = np.frombuffer(content, np.uint8, last - first, first)
    data[last - first :] = 0
    return edges - first, data


def _present(array: pa.Array) -> Numbers | None:
    """Read off Arrow's bits: polars would plan a query for it."""
    if not array.null_count:
        return None
    end = array.offset + len(array)
    bits = np.unpackbits(np.frombuffer(array.buffers()[0], np.uint8), count=end, bitorder="little")
    return bits[array.offset :].view(np.bool_)
