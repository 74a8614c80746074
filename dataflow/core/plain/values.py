"""What the reader writes, and the room that it needs meanwhile."""

from typing import NamedTuple

import numpy as np

from dataflow.compiled.views import Numbers
from dataflow.core.plain.layout import MOST_DEPTH

ESCAPED = np.int32(1 << 30)
"""On a text's length: it has escapes, and is shorter once they are read."""

SPACED = np.int32(1 << 29)
"""On a free-form object's length: it has blanks between its tokens."""

LENGTH = np.int32((1 << 29) - 1)

MOST_MAP_DEPTH = 16
MOST_MAP_KEYS = 128
"""Keys of a free-form object and of those around it; each is compared with its sisters."""

NODE, SEEN, HINT = 0, 1, 2
IS_OBJECT, KEY_FIRST, KEY_START, KEY_LENGTH = 3, 4, 5, 6
"""Rows of the room: of the objects that are open, and of what is open inside of a free-form one."""


class Values(NamedTuple):
    """What was read, one row of each array a slot; the second axis counts the events taken.

    start, length: of a text in the buffer; length -1 where it is absent, with ESCAPED or SPACED where it has to be
    rewritten.
    whole: whole numbers, booleans, and times in microseconds since 1970 UTC (or NO_TIME).
    number: floats.
    present: of a whole number, boolean or float 1 where it is there; of an undeclared field the first character of its
    value.
    taken, left: indexes of the events that were taken, and of those left to the typed decoder.
    """

    start: Numbers
    length: Numbers
    whole: Numbers
    number: Numbers
    present: Numbers
    taken: Numbers
    left: Numbers


def scratch() -> Numbers:
    """Room for what is open while an event is read: a row for each of the `NODE` ... `KEY_LENGTH`."""
    return np.zeros((7, max(MOST_DEPTH, MOST_MAP_DEPTH, MOST_MAP_KEYS) + 1), np.int64)
