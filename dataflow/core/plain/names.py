"""Which declared field a name is."""

import numpy as np

from dataflow.compiled.loop import compiled, inlined
from dataflow.compiled.simd import load8
from dataflow.compiled.views import Numbers
from dataflow.core.plain.layout import Of
from dataflow.core.plain.scan import blanks
from dataflow.core.plain.texts import text_end

_LABEL, _LABEL_WORDS, _LABEL_LENGTH = int(Of.LABEL), int(Of.LABEL_WORDS), int(Of.LABEL_LENGTH)


@inlined
def labelled(buffer: Numbers, place: int, keys: Numbers, labels: Numbers, key: int) -> bool:
    first = keys[key, _LABEL]
    for word in range(keys[key, _LABEL_WORDS]):
        if (load8(buffer, place + 8 * word) ^ labels[first + word, 0]) & labels[first + word, 1]:
            return False
    return True


@compiled
def named(
    buffer: Numbers, place: int, keys: Numbers, labels: Numbers, objects: Numbers, node: int, hint: int
) -> tuple[int, int]:
    """(number of the name that stands here, place behind its colon); -1 when it is not declared.

    hint: the name that stood here in the last event most likely, the one after its elder sister.
    """
    first = objects[node, 0]
    last = first + objects[node, 1]
    for key in range(hint, last):
        if labelled(buffer, place, keys, labels, key):
            return key, place + keys[key, _LABEL_LENGTH]
    for key in range(first, min(hint, last)):
        if labelled(buffer, place, keys, labels, key):
            return key, place + keys[key, _LABEL_LENGTH]
    return _spaced_key(buffer, place, keys, labels, first, last)


@compiled
def _spaced_key(buffer: Numbers, place: int, keys: Numbers, labels: Numbers, first: int, last: int) -> tuple[int, int]:
    """The same with blanks between name and colon."""
    if buffer[place] != 0x22:
        return -1, place
    end, escaped, _ = text_end(buffer, place + 1)
    if end < 0 or escaped:
        return -1, place
    length = end + 1 - place
    colon = blanks(buffer, end + 1)
    if buffer[colon] != 0x3A:
        return -1, place
    for key in range(first, last):
        if keys[key, _LABEL_LENGTH] == length + 1:
            same = True
            start = keys[key, _LABEL]
            for offset in range(length):
                word = labels[start + offset // 8, 0] >> np.uint64(8 * (offset % 8))
                if buffer[place + offset] != (word & np.uint64(0xFF)):
                    same = False
                    break
            if same:
                return key, colon + 1
    return -1, place
