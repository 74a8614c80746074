"""A batch of messages through the compiled reader."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from dataflow.compiled.simd import PADDING
from dataflow.compiled.views import Numbers, bitmap, series
from dataflow.contract import Field
from dataflow.core.plain.layout import Layout, layout
from dataflow.core.plain.parse import parse
from dataflow.core.plain.strings import column
from dataflow.core.plain.times import NO_TIME
from dataflow.core.plain.values import LENGTH, Values, scratch

MOST_BYTES = 1 << 30
"""Of a batch: places in it are numbers of 32 bits."""


@dataclass(frozen=True)
class Plain:
    """The events of a batch that were taken.

    taken, left: indexes of the events taken, and of those left to the typed decoder; together the whole batch.
    undeclared: path of each learned undeclared field -> first character of its value, 0 where absent.
    """

    taken: Numbers
    left: Numbers
    undeclared: dict[str, Numbers]
    _layout: Layout
    _buffer: Numbers
    _values: Values

    def columns(self) -> dict[str, pl.Series]:
        """Path -> its values of the events taken. Times are in microseconds where all of them are plain, else text;
        dates are text."""
        values, plan, count = self._values, self._layout, len(self.taken)
        made: dict[str, pl.Series] = {}
        for slot, path in enumerate(plan.texts):
            moments = None
            if path in plan.times:
                moments = _moments(path, values.whole[plan.times[path], :count], values.length[slot, :count])
            made[path] = self.text(path) if moments is None else moments
        for slot, path in enumerate(plan.numbers):
            made[path] = _array(path, pa.float64(), values.number[slot, :count], self._present(path))
        for path, slot in plan.integers.items():
            made[path] = _array(path, pa.int64(), values.whole[slot, :count], self._present(path))
        for path, slot in plan.booleans.items():
            bits = np.packbits(values.whole[slot, :count].astype(np.bool_), bitorder="little")
            made[path] = _array(path, pa.bool_(), bits, self._present(path))
        return made

    def text(self, path: str) -> pl.Series:
        """A column as text, times too."""
        slot, count = self._layout.texts.index(path), len(self.taken)
        return column(path, self._buffer, self._values.start[slot, :count], self._values.length[slot, :count])

    def _present(self, path: str) -> Numbers:
        return self._values.present[self._layout.present[path], : len(self.taken)].astype(np.bool_)


class Lane:
    """The compiled reader of one contract.

    learned: paths of undeclared fields that are read over.
    """

    def __init__(self, fields: tuple[Field, ...], learned: Iterable[str]) -> None:
        self._layout = layout(fields, learned)

    def read(self, payloads: Sequence[bytes], limit: int) -> Plain | None:
        """The plain events of a batch; None where the contract or the batch is beyond this reader.

        limit: bytes of an event; a longer one is left.
        """
        plan = self._layout
        ends = np.cumsum(np.fromiter(map(len, payloads), np.int64, len(payloads)))
        if plan is None or not len(payloads) or ends[-1] > MOST_BYTES:
            return None
        buffer = np.frombuffer(b"".join([*payloads, b"\0" * PADDING]), np.uint8)
        values = _room(plan, len(payloads))
        taken, left = parse(buffer, ends, min(limit, int(LENGTH)), plan.tables, values, scratch())
        undeclared = {path: values.present[plan.present[path], :taken] for path in plan.learned}
        return Plain(values.taken[:taken], values.left[:left], undeclared, plan, buffer, values)


def _room(plan: Layout, count: int) -> Values:
    return Values(
        start=np.empty((len(plan.texts), count), np.int32),
        length=np.full((len(plan.texts), count), -1, np.int32),
        whole=np.zeros((plan.wholes, count), np.int64),  # zeros: what stands under a null may be written out
        number=np.zeros((len(plan.numbers), count), np.float64),
        present=np.zeros((len(plan.present), count), np.uint8),
        taken=np.empty(count, np.uint32),
        left=np.empty(count, np.uint32),
    )


def _moments(path: str, micros: Numbers, length: Numbers) -> pl.Series | None:
    """The times, if every one that is present is plain."""
    absent = length < 0
    if ((micros == NO_TIME) & ~absent).any():
        return None
    return _array(path, pa.timestamp("us", "UTC"), np.where(absent, 0, micros) if absent.any() else micros, ~absent)


def _array(path: str, kind: pa.DataType, data: Numbers, valid: Numbers) -> pl.Series:
    bits, nulls = bitmap(valid)
    buffers = [bits, pa.py_buffer(np.ascontiguousarray(data))]
    return series(path, pa.Array.from_buffers(kind, len(valid), buffers, null_count=nulls))
