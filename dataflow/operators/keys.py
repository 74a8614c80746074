"""Keys: what stands for a token or for a position wherever it is only compared, 128 bits."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from dataflow.compiled.loop import compiled
from dataflow.compiled.sha256 import names as digests
from dataflow.compiled.views import Numbers, to_bytes
from dataflow.operators.seen import Words

WIDTH = 16
"""Bytes of a key."""

DIGITS = 2 * WIDTH
_NO_DIGIT = 16
_VALUES = np.full(256, _NO_DIGIT, np.uint8)
_VALUES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


def words_of(names: Sequence[str] | pl.Series) -> Words:
    """32 hex digits, as a token has, stand for themselves; any other name for the first half of its SHA-256.

    names: none of them null.
    """
    series = names if isinstance(names, pl.Series) else pl.Series("names", names, dtype=pl.String)
    found = np.empty((len(series), 2), np.uint64)
    others = np.empty(len(series), np.uint32)
    offsets, data, _ = to_bytes(series)
    count = _themselves(data, offsets, _VALUES, found, others)
    if count == len(series) and count:
        return digests(series)
    if count:
        found[others[:count]] = digests(series.gather(others[:count]))
    return found


def keys_of(names: Sequence[str] | pl.Series) -> bytes:
    """The same, WIDTH bytes each."""
    return packed(words_of(names))


def packed(keys: Words) -> bytes:
    return keys.astype(">u8").tobytes()


def words(keys: bytes) -> Words:
    """[row, two words]; a key's first byte is the highest of its first word."""
    return np.frombuffer(keys, np.dtype(">u8")).astype(np.uint64).reshape(-1, 2)


_STEP = np.uint64(0x9E3779B97F4A7C15)
"""Neighbours far apart: the golden ratio's odd neighbour, as Fibonacci hashing has it (Knuth, TAOCP 3, 6.4)."""


def numbered(keys: Words, numbers: npt.NDArray[np.int64]) -> Words:
    """Keys of the parts of what these keys stand for; part 0 has the whole's own key."""
    found = keys.copy()
    found[:, 1] += numbers.astype(np.uint64) * _STEP
    return found


@compiled
def _themselves(data: Numbers, offsets: Numbers, values: Numbers, found: Numbers, others: Numbers) -> int:
    """Fills in the keys of names that stand for themselves, and the rows of the others; how many these are."""
    count = 0
    for row in range(len(offsets) - 1):
        start = offsets[row]
        itself = offsets[row + 1] - start == DIGITS
        if itself:
            for half in range(2):
                word, worst = np.uint64(0), np.uint8(0)
                for place in range(start + 16 * half, start + 16 * half + 16):
                    digit = values[data[place]]
                    worst |= digit
                    word = (word << np.uint64(4)) | np.uint64(digit & np.uint8(15))
                found[row, half] = word
                itself = itself and worst < _NO_DIGIT
        if not itself:
            others[count] = row
            count += 1
    return count
