"""Reads plain events: those of which no doubt is possible that the typed decoder takes them, and what it makes of them.

Anything else (an undeclared field, a number with 19 digits, a lone surrogate, a missing field, a broken line) is left:
the typed decoder has the last word on it, and says what is wrong. So this reader may leave too much, never take too
much; it is held to that by comparing it with the typed decoder on generated and mutilated events.
"""

import numpy as np

from dataflow.compiled.loop import compiled, inlined
from dataflow.compiled.views import Numbers
from dataflow.core.plain.free_form import anything
from dataflow.core.plain.layout import MOST_DEPTH, Kind, Of, Tables
from dataflow.core.plain.names import labelled, named
from dataflow.core.plain.numbers import decimal, integer
from dataflow.core.plain.scan import blanks, same, word_at
from dataflow.core.plain.texts import text_end
from dataflow.core.plain.times import micros
from dataflow.core.plain.values import ESCAPED, HINT, NODE, SEEN, SPACED, Values

_OBJECT, _STRING, _INTEGER, _NUMBER = int(Kind.OBJECT), int(Kind.STRING), int(Kind.INTEGER), int(Kind.NUMBER)
_BOOLEAN, _MAP, _TIMESTAMP, _UNDECLARED = int(Kind.BOOLEAN), int(Kind.MAP), int(Kind.TIMESTAMP), int(Kind.UNDECLARED)

_KIND, _SLOT, _CHILD, _NEEDED = int(Of.KIND), int(Of.SLOT), int(Of.CHILD), int(Of.NEEDED)
_LOW, _HIGH, _ALLOWED, _ALLOWED_COUNT = int(Of.LOW), int(Of.HIGH), int(Of.ALLOWED), int(Of.ALLOWED_COUNT)
_LABEL_LENGTH = int(Of.LABEL_LENGTH)


@compiled
def parse(buffer: Numbers, ends: Numbers, limit: int, tables: Tables, values: Values, room: Numbers) -> tuple[int, int]:
    """Read the events that lie end to end in `buffer`; (how many were taken, how many left).

    limit: bytes of an event; a longer one is left. `PADDING` zero bytes follow the last event: where a text or number
    runs on, it ends there.
    """
    taken, left, begin = 0, 0, 0
    for row in range(len(ends)):
        end = ends[row]
        if end - begin <= limit and _event(buffer, begin, end, tables, values, room, taken):
            values.taken[taken] = row
            taken += 1
        else:
            _clear(values, taken)
            values.left[left] = row
            left += 1
        begin = end
    return taken, left


@compiled
def _clear(values: Values, column: int) -> None:
    """Forget what a refused event left behind."""
    values.length[:, column] = -1
    values.whole[:, column] = 0
    values.number[:, column] = 0
    values.present[:, column] = 0


@compiled
def _event(buffer: Numbers, begin: int, end: int, tables: Tables, values: Values, room: Numbers, column: int) -> bool:
    """Whether the event of these bytes was read into `column`.

    Nothing here looks at `end` but the last line: bytes are taken in order, so an event that ran over its end, into the
    next one, is past it then.
    """
    place = blanks(buffer, begin)
    if buffer[place] != 0x7B:
        return False
    place += 1
    depth, node, seen, hint, opened = 0, np.int64(0), np.uint64(0), tables.objects[0, 0], True
    while True:
        place = blanks(buffer, place)
        byte = buffer[place]
        if byte == 0x7D:
            required = np.uint64(tables.objects[node, 2])
            if (seen & required) != required:
                return False
            place += 1
            if depth == 0:
                break
            depth -= 1
            node, seen, hint = room[NODE, depth], np.uint64(room[SEEN, depth]), room[HINT, depth]
            opened = False
            continue
        if not opened:
            if byte != 0x2C:
                return False
            place = blanks(buffer, place + 1)
        opened = False
        # most events of a stream have their fields in one order
        if hint < tables.objects[node, 0] + tables.objects[node, 1] and labelled(
            buffer, place, tables.keys, tables.labels, hint
        ):
            key = hint
            place += tables.keys[key, _LABEL_LENGTH]
        else:
            key, place = named(buffer, place, tables.keys, tables.labels, tables.objects, node, hint)
            if key < 0:
                return False
        bit = np.uint64(1) << np.uint64(key - tables.objects[node, 0])
        if seen & bit:
            return False
        seen |= bit
        hint = key + 1
        place = blanks(buffer, place)
        kind = tables.keys[key, _KIND]
        slot = tables.keys[key, _SLOT]
        byte = buffer[place]
        if byte == 0x6E:
            if tables.keys[key, _NEEDED] or not word_at(buffer, place, 0x6C6C756E, 4):
                return False
            if kind == _UNDECLARED:
                values.present[slot, column] = byte
            place += 4
            continue
        if kind == _STRING or kind == _TIMESTAMP:
            if byte != 0x22:
                return False
            start = place + 1
            place, escaped, plain = text_end(buffer, start)
            if place < 0:
                return False
            length = place - start
            place += 1
            if not _fits(buffer, start, length, escaped, plain, tables, key):
                return False
            values.start[slot, column] = start
            values.length[slot, column] = length | (ESCAPED if escaped else 0)
            if kind == _TIMESTAMP:
                values.whole[tables.keys[key, _CHILD], column] = micros(buffer, start, length)
        elif kind == _NUMBER:
            place, number = decimal(buffer, place)
            if place < 0 or not (tables.bounds[key, 0] <= number <= tables.bounds[key, 1]):
                return False
            values.number[slot, column] = number
            values.present[tables.keys[key, _CHILD], column] = 1
        elif kind == _OBJECT:
            if byte != 0x7B or depth >= MOST_DEPTH:
                return False
            room[NODE, depth], room[SEEN, depth], room[HINT, depth] = node, np.int64(seen), hint
            depth += 1
            node = tables.keys[key, _CHILD]
            seen, hint, opened = np.uint64(0), tables.objects[node, 0], True
            place += 1
        elif kind == _INTEGER:
            place, whole = integer(buffer, place)
            if place < 0 or not (tables.keys[key, _LOW] <= whole <= tables.keys[key, _HIGH]):
                return False
            values.whole[slot, column] = whole
            values.present[tables.keys[key, _CHILD], column] = 1
        elif kind == _BOOLEAN:
            true = byte == 0x74 and word_at(buffer, place, 0x65757274, 4)
            if not true and not (byte == 0x66 and word_at(buffer, place + 1, 0x65736C61, 4)):
                return False
            place += 4 if true else 5
            values.whole[slot, column] = true
            values.present[tables.keys[key, _CHILD], column] = 1
        elif kind == _MAP or kind == _UNDECLARED:
            if kind == _MAP and byte != 0x7B:
                return False
            start = place
            place, spaced = anything(buffer, place, room)
            if place < 0:
                return False
            if kind == _MAP:
                values.start[slot, column] = start
                values.length[slot, column] = (place - start) | (SPACED if spaced else 0)
            else:
                values.present[slot, column] = byte
        else:
            return False
    while place < end and (
        buffer[place] == 0x20 or buffer[place] == 0x0A or buffer[place] == 0x0D or buffer[place] == 0x09
    ):
        place += 1
    return place == end


@inlined
def _fits(buffer: Numbers, start: int, length: int, escaped: bool, plain: bool, tables: Tables, key: int) -> bool:
    """Whether a text has a length, or is one of the texts, that the contract allows."""
    count = tables.keys[key, _ALLOWED_COUNT]
    if count:
        first = tables.keys[key, _ALLOWED]
        return not escaped and _allowed(buffer, start, length, tables.allowed, tables.spans, first, first + count)
    low, high = tables.keys[key, _LOW], tables.keys[key, _HIGH]
    if low <= 0 and high >= length:
        return True
    if escaped:
        return False
    characters = length
    if not plain:
        for offset in range(length):
            characters -= (buffer[start + offset] & 0xC0) == 0x80
    return low <= characters <= high


@compiled
def _allowed(buffer: Numbers, start: int, length: int, allowed: Numbers, spans: Numbers, first: int, last: int) -> bool:
    for number in range(first, last):
        if spans[number, 1] == length and same(buffer, start, allowed, spans[number, 0], length):
            return True
    return False
