"""Steps over bytes that every part of the reader takes."""

import numpy as np

from dataflow.compiled.loop import compiled, inlined
from dataflow.compiled.simd import load8
from dataflow.compiled.views import Numbers


@inlined
def blanks(buffer: Numbers, place: int) -> int:
    while buffer[place] <= 0x20 and (
        buffer[place] == 0x20 or buffer[place] == 0x0A or buffer[place] == 0x0D or buffer[place] == 0x09
    ):
        place += 1
    return place


@compiled
def same(one: Numbers, first: int, other: Numbers, second: int, length: int) -> bool:
    """Whether the same bytes stand at both places."""
    for offset in range(length):
        if one[first + offset] != other[second + offset]:
            return False
    return True


@inlined
def word_at(buffer: Numbers, place: int, word: int, width: int) -> bool:
    """Whether these (up to eight) bytes stand here."""
    kept = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - 8 * width)
    return (load8(buffer, place) & kept) == np.uint64(word)
