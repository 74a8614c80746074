"""Reads plain events: those of which no doubt is possible that the typed decoder takes them, and what it makes of them.

Anything else (an undeclared field, a number with 19 digits, a lone surrogate, a missing field, a broken line) is left:
the typed decoder has the last word on it, and says what is wrong. So this reader may leave too much, never take too
much; it is held to that by comparing it with the typed decoder on generated and mutilated events.

JSON: RFC 8259. Decimals: a mantissa below 2^53 times or divided by a power of ten up to 10^22 is exact in both parts,
so the one rounding is the right one (Clinger, "How to read floating point numbers accurately", 1990).
"""

from typing import NamedTuple

import numpy as np

from dataflow.compiled.loop import compiled, inlined
from dataflow.compiled.simd import load8, special, zeros_below
from dataflow.compiled.views import Numbers
from dataflow.core.plain.layout import MOST_DEPTH, Kind, Of, Tables

ESCAPED = np.int32(1 << 30)
"""On a text's length: it has escapes, and is shorter once they are read."""

SPACED = np.int32(1 << 29)
"""On a free-form object's length: it has blanks between its tokens."""

LENGTH = np.int32((1 << 29) - 1)

MOST_MAP_DEPTH = 16
MOST_MAP_KEYS = 128
"""Keys of a free-form object and of those around it; each is compared with its sisters."""

_OBJECT, _STRING, _INTEGER, _NUMBER = int(Kind.OBJECT), int(Kind.STRING), int(Kind.INTEGER), int(Kind.NUMBER)
_BOOLEAN, _MAP, _TIMESTAMP, _UNDECLARED = int(Kind.BOOLEAN), int(Kind.MAP), int(Kind.TIMESTAMP), int(Kind.UNDECLARED)

_KIND, _SLOT, _CHILD, _NEEDED = int(Of.KIND), int(Of.SLOT), int(Of.CHILD), int(Of.NEEDED)
_LOW, _HIGH, _ALLOWED, _ALLOWED_COUNT = int(Of.LOW), int(Of.HIGH), int(Of.ALLOWED), int(Of.ALLOWED_COUNT)
_LABEL, _LABEL_WORDS, _LABEL_LENGTH = int(Of.LABEL), int(Of.LABEL_WORDS), int(Of.LABEL_LENGTH)

_NODE, _SEEN, _HINT = 0, 1, 2
_IS_OBJECT, _KEY_FIRST, _KEY_START, _KEY_LENGTH = 3, 4, 5, 6

_POWERS = np.array([10.0**power for power in range(23)])
_BEFORE_MONTH = np.array([0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334])
_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_EPOCH_DAYS = 719_162
"""Days from 0001-01-01 to 1970-01-01."""

NO_TIME = np.int64(-(2**63))
"""Stands for a time that has to be parsed from its text."""


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
    """Room for what is open while an event is read: a row for each of the `_NODE` ... `_KEY_LENGTH`."""
    return np.zeros((7, max(MOST_DEPTH, MOST_MAP_DEPTH, MOST_MAP_KEYS) + 1), np.int64)


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


@inlined
def _blanks(buffer: Numbers, place: int) -> int:
    while buffer[place] <= 0x20 and (
        buffer[place] == 0x20 or buffer[place] == 0x0A or buffer[place] == 0x0D or buffer[place] == 0x09
    ):
        place += 1
    return place


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
    place = _blanks(buffer, begin)
    if buffer[place] != 0x7B:
        return False
    place += 1
    depth, node, seen, hint, opened = 0, np.int64(0), np.uint64(0), tables.objects[0, 0], True
    while True:
        place = _blanks(buffer, place)
        byte = buffer[place]
        if byte == 0x7D:
            required = np.uint64(tables.objects[node, 2])
            if (seen & required) != required:
                return False
            place += 1
            if depth == 0:
                break
            depth -= 1
            node, seen, hint = room[_NODE, depth], np.uint64(room[_SEEN, depth]), room[_HINT, depth]
            opened = False
            continue
        if not opened:
            if byte != 0x2C:
                return False
            place = _blanks(buffer, place + 1)
        opened = False
        # most events of a stream have their fields in one order
        if hint < tables.objects[node, 0] + tables.objects[node, 1] and _labelled(
            buffer, place, tables.keys, tables.labels, hint
        ):
            key = hint
            place += tables.keys[key, _LABEL_LENGTH]
        else:
            key, place = _key(buffer, place, tables.keys, tables.labels, tables.objects, node, hint)
            if key < 0:
                return False
        bit = np.uint64(1) << np.uint64(key - tables.objects[node, 0])
        if seen & bit:
            return False
        seen |= bit
        hint = key + 1
        place = _blanks(buffer, place)
        kind = tables.keys[key, _KIND]
        slot = tables.keys[key, _SLOT]
        byte = buffer[place]
        if byte == 0x6E:
            if tables.keys[key, _NEEDED] or not _word(buffer, place, 0x6C6C756E, 4):
                return False
            if kind == _UNDECLARED:
                values.present[slot, column] = byte
            place += 4
            continue
        if kind == _STRING or kind == _TIMESTAMP:
            if byte != 0x22:
                return False
            start = place + 1
            place, escaped, plain = _text(buffer, start)
            if place < 0:
                return False
            length = place - start
            place += 1
            if not _fits(buffer, start, length, escaped, plain, tables, key):
                return False
            values.start[slot, column] = start
            values.length[slot, column] = length | (ESCAPED if escaped else 0)
            if kind == _TIMESTAMP:
                values.whole[tables.keys[key, _CHILD], column] = _micros(buffer, start, length)
        elif kind == _NUMBER:
            place, number = _decimal(buffer, place)
            if place < 0 or not (tables.bounds[key, 0] <= number <= tables.bounds[key, 1]):
                return False
            values.number[slot, column] = number
            values.present[tables.keys[key, _CHILD], column] = 1
        elif kind == _OBJECT:
            if byte != 0x7B or depth >= MOST_DEPTH:
                return False
            room[_NODE, depth], room[_SEEN, depth], room[_HINT, depth] = node, np.int64(seen), hint
            depth += 1
            node = tables.keys[key, _CHILD]
            seen, hint, opened = np.uint64(0), tables.objects[node, 0], True
            place += 1
        elif kind == _INTEGER:
            place, whole = _integer(buffer, place)
            if place < 0 or not (tables.keys[key, _LOW] <= whole <= tables.keys[key, _HIGH]):
                return False
            values.whole[slot, column] = whole
            values.present[tables.keys[key, _CHILD], column] = 1
        elif kind == _BOOLEAN:
            true = byte == 0x74 and _word(buffer, place, 0x65757274, 4)
            if not true and not (byte == 0x66 and _word(buffer, place + 1, 0x65736C61, 4)):
                return False
            place += 4 if true else 5
            values.whole[slot, column] = true
            values.present[tables.keys[key, _CHILD], column] = 1
        elif kind == _MAP or kind == _UNDECLARED:
            if kind == _MAP and byte != 0x7B:
                return False
            start = place
            place, spaced = _anything(buffer, place, room)
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
def _word(buffer: Numbers, place: int, word: int, width: int) -> bool:
    """Whether these (up to eight) bytes stand here."""
    kept = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - 8 * width)
    return (load8(buffer, place) & kept) == np.uint64(word)


@inlined
def _labelled(buffer: Numbers, place: int, keys: Numbers, labels: Numbers, key: int) -> bool:
    first = keys[key, _LABEL]
    for word in range(keys[key, _LABEL_WORDS]):
        if (load8(buffer, place + 8 * word) ^ labels[first + word, 0]) & labels[first + word, 1]:
            return False
    return True


@compiled
def _key(
    buffer: Numbers, place: int, keys: Numbers, labels: Numbers, objects: Numbers, node: int, hint: int
) -> tuple[int, int]:
    """(number of the name that stands here, place behind its colon); -1 when it is not declared.

    hint: the name that stood here in the last event most likely, the one after its elder sister.
    """
    first = objects[node, 0]
    last = first + objects[node, 1]
    for key in range(hint, last):
        if _labelled(buffer, place, keys, labels, key):
            return key, place + keys[key, _LABEL_LENGTH]
    for key in range(first, min(hint, last)):
        if _labelled(buffer, place, keys, labels, key):
            return key, place + keys[key, _LABEL_LENGTH]
    return _spaced_key(buffer, place, keys, labels, first, last)


@compiled
def _spaced_key(buffer: Numbers, place: int, keys: Numbers, labels: Numbers, first: int, last: int) -> tuple[int, int]:
    """The same with blanks between name and colon."""
    if buffer[place] != 0x22:
        return -1, place
    end, escaped, _ = _text(buffer, place + 1)
    if end < 0 or escaped:
        return -1, place
    length = end + 1 - place
    colon = _blanks(buffer, end + 1)
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


@compiled
def _text(buffer: Numbers, place: int) -> tuple[int, bool, bool]:
    """(place of the quote that ends the text, whether it has escapes, whether it is all ASCII); -1 when in doubt."""
    escaped, plain = False, True
    while True:
        found = special(buffer, place)
        if found == 0:
            place += 32
            continue
        place += zeros_below(found)
        byte = buffer[place]
        if byte == 0x22:
            return place, escaped, plain
        if byte >= 0x80:
            plain = False
            place = _beyond_ascii(buffer, place)
        elif byte == 0x5C:
            escaped = True
            place = _escape(buffer, place)
        else:
            return -1, escaped, plain
        if place < 0:
            return -1, escaped, plain


@compiled
def _beyond_ascii(buffer: Numbers, place: int) -> int:
    """The place behind a run of well-formed UTF-8 beyond ASCII; -1 when it is none (Unicode 16, table 3-7)."""
    while buffer[place] >= 0x80:
        lead = buffer[place]
        second = buffer[place + 1]
        if lead < 0xC2 or lead > 0xF4:
            return -1
        if lead < 0xE0:
            if second & 0xC0 != 0x80:
                return -1
            place += 2
        elif lead < 0xF0:
            low = 0xA0 if lead == 0xE0 else 0x80
            high = 0x9F if lead == 0xED else 0xBF
            if second < low or second > high or buffer[place + 2] & 0xC0 != 0x80:
                return -1
            place += 3
        else:
            low = 0x90 if lead == 0xF0 else 0x80
            high = 0x8F if lead == 0xF4 else 0xBF
            if second < low or second > high or buffer[place + 2] & 0xC0 != 0x80 or buffer[place + 3] & 0xC0 != 0x80:
                return -1
            place += 4
    return place


@compiled
def _escape(buffer: Numbers, place: int) -> int:
    """The place behind an escape; -1 when it is none or half of a pair."""
    byte = buffer[place + 1]
    if byte != 0x75:
        known = byte == 0x22 or byte == 0x5C or byte == 0x2F or byte == 0x62
        known = known or byte == 0x66 or byte == 0x6E or byte == 0x72 or byte == 0x74
        return place + 2 if known else -1
    code = hexadecimal(buffer, place + 2)
    if code < 0 or 0xDC00 <= code <= 0xDFFF:
        return -1
    if code < 0xD800 or code > 0xDBFF:
        return place + 6
    if buffer[place + 6] != 0x5C or buffer[place + 7] != 0x75:
        return -1
    low = hexadecimal(buffer, place + 8)
    return place + 12 if 0xDC00 <= low <= 0xDFFF else -1


@compiled
def hexadecimal(buffer: Numbers, place: int) -> int:
    """The number of four hexadecimal digits; -1 when one is none."""
    code = 0
    for offset in range(4):
        byte = np.int64(buffer[place + offset])
        if 0x30 <= byte <= 0x39:
            digit = byte - 0x30
        elif 0x41 <= byte <= 0x46:
            digit = byte - 0x37
        elif 0x61 <= byte <= 0x66:
            digit = byte - 0x57
        else:
            return -1
        code = code * 16 + digit
    return code


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
        if spans[number, 1] == length:
            same = True
            begin = spans[number, 0]
            for offset in range(length):
                if buffer[start + offset] != allowed[begin + offset]:
                    same = False
                    break
            if same:
                return True
    return False


@compiled
def _integer(buffer: Numbers, place: int) -> tuple[int, np.int64]:
    """(place behind a whole number of up to 18 digits, the number); -1 when it is none, or no plain one."""
    negative = buffer[place] == 0x2D
    if negative:
        place += 1
    first = place
    whole = np.int64(0)
    while 0x30 <= buffer[place] <= 0x39:
        whole = whole * 10 + (np.int64(buffer[place]) - 0x30)
        place += 1
        if place - first > 18:
            return -1, whole
    digits = place - first
    if digits == 0 or (digits > 1 and buffer[first] == 0x30) or (negative and whole == 0):
        return -1, whole
    byte = buffer[place]
    if byte == 0x2E or byte == 0x65 or byte == 0x45:
        return -1, whole
    return place, -whole if negative else whole


@compiled
def _decimal(buffer: Numbers, place: int) -> tuple[int, float]:
    """(place behind a number, the nearest float); -1 when it is none, or not one of two exact parts."""
    negative = buffer[place] == 0x2D
    if negative:
        place += 1
    first = place
    mantissa, digits, fraction = np.int64(0), 0, 0
    while 0x30 <= buffer[place] <= 0x39:
        mantissa = mantissa * 10 + (np.int64(buffer[place]) - 0x30)
        place += 1
        digits += 1
        if digits > 18:
            return -1, 0.0
    if digits == 0 or (digits > 1 and buffer[first] == 0x30):
        return -1, 0.0
    if buffer[place] == 0x2E:
        place += 1
        while 0x30 <= buffer[place] <= 0x39:
            mantissa = mantissa * 10 + (np.int64(buffer[place]) - 0x30)
            place += 1
            fraction += 1
            if digits + fraction > 18:
                return -1, 0.0
        if fraction == 0:
            return -1, 0.0
    power = -fraction
    if buffer[place] == 0x65 or buffer[place] == 0x45:
        place += 1
        below = buffer[place] == 0x2D
        if below or buffer[place] == 0x2B:
            place += 1
        exponent, figures = 0, 0
        while 0x30 <= buffer[place] <= 0x39:
            exponent = exponent * 10 + (np.int64(buffer[place]) - 0x30)
            place += 1
            figures += 1
            if figures > 3:
                return -1, 0.0
        if figures == 0:
            return -1, 0.0
        power += -exponent if below else exponent
    if mantissa > 9007199254740992 or power < -22 or power > 22 or (negative and mantissa == 0):
        return -1, 0.0
    number = np.float64(mantissa)
    if power < 0:
        number = number / _POWERS[-power]
    else:
        number = number * _POWERS[power]
    return place, -number if negative else number


@inlined
def _two(buffer: Numbers, place: int) -> int:
    """The number of two digits, or one below 0."""
    tens = np.int64(buffer[place]) - 0x30
    ones = np.int64(buffer[place + 1]) - 0x30
    if tens < 0 or tens > 9 or ones < 0 or ones > 9:
        return -10_000_000
    return tens * 10 + ones


@compiled
def _micros(buffer: Numbers, place: int, length: int) -> np.int64:
    """Microseconds of RFC 3339 text with a zone and at most six digits of a fraction, else NO_TIME."""
    if length < 20 or buffer[place + 4] != 0x2D or buffer[place + 7] != 0x2D or buffer[place + 10] != 0x54:
        return NO_TIME
    if buffer[place + 13] != 0x3A or buffer[place + 16] != 0x3A:
        return NO_TIME
    year = _two(buffer, place) * 100 + _two(buffer, place + 2)
    month, day = _two(buffer, place + 5), _two(buffer, place + 8)
    hour, minute, second = _two(buffer, place + 11), _two(buffer, place + 14), _two(buffer, place + 17)
    if year < 1 or month < 1 or month > 12 or day < 1 or hour < 0 or minute < 0 or second < 0:
        return NO_TIME
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if day > _DAYS[month] + (1 if leap and month == 2 else 0) or hour > 23 or minute > 59 or second > 59:
        return NO_TIME
    past = year - 1
    days = past * 365 + past // 4 - past // 100 + past // 400 + _BEFORE_MONTH[month] + day - 1 - _EPOCH_DAYS
    if leap and month > 2:
        days += 1
    micros = np.int64(((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000
    offset = 19
    if buffer[place + offset] == 0x2E:
        scale = 100_000
        offset += 1
        while offset < length and 0x30 <= buffer[place + offset] <= 0x39:
            if scale == 0:
                return NO_TIME
            micros += (np.int64(buffer[place + offset]) - 0x30) * scale
            scale //= 10
            offset += 1
        if offset == 20:
            return NO_TIME
    if offset + 1 == length and buffer[place + offset] == 0x5A:
        return micros
    sign = buffer[place + offset]
    if offset + 6 != length or (sign != 0x2B and sign != 0x2D) or buffer[place + offset + 3] != 0x3A:
        return NO_TIME
    hours, minutes = _two(buffer, place + offset + 1), _two(buffer, place + offset + 4)
    if hours < 0 or hours > 23 or minutes < 0 or minutes > 59:
        return NO_TIME
    shift = np.int64(hours * 60 + minutes) * 60_000_000
    return micros - shift if sign == 0x2B else micros + shift


@compiled
def _anything(buffer: Numbers, place: int, room: Numbers) -> tuple[int, bool]:
    """(place behind a value, whether blanks stand in it); -1 unless it would be written again as it stands, blanks
    aside."""
    spaced = False
    depth, keys = 0, 0
    while True:
        # a value
        byte = buffer[place]
        opened = False
        if byte == 0x22:
            place, escaped, _ = _text(buffer, place + 1)
            if place < 0 or escaped:
                return -1, spaced
            place += 1
        elif byte == 0x7B or byte == 0x5B:
            if depth >= MOST_MAP_DEPTH:
                return -1, spaced
            depth += 1
            room[_IS_OBJECT, depth] = byte == 0x7B
            room[_KEY_FIRST, depth] = keys
            opened = True
            place += 1
        elif byte == 0x74 and _word(buffer, place, 0x65757274, 4):
            place += 4
        elif byte == 0x66 and _word(buffer, place + 1, 0x65736C61, 4):
            place += 5
        elif byte == 0x6E and _word(buffer, place, 0x6C6C756E, 4):
            place += 4
        else:
            place = _canonical(buffer, place)
            if place < 0:
                return -1, spaced
        # what comes behind it: the ends of all that is full now, then a comma
        while depth > 0:
            behind = _blanks(buffer, place)
            if behind != place:
                spaced = True
                place = behind
            byte = buffer[place]
            if byte == (0x7D if room[_IS_OBJECT, depth] else 0x5D):
                keys = room[_KEY_FIRST, depth]
                depth -= 1
                opened = False
                place += 1
                continue
            if not opened:
                if byte != 0x2C:
                    return -1, spaced
                place += 1
            break
        if depth == 0:
            return place, spaced
        behind = _blanks(buffer, place)
        if behind != place:
            spaced = True
            place = behind
        if room[_IS_OBJECT, depth]:
            if buffer[place] != 0x22 or keys >= MOST_MAP_KEYS:
                return -1, spaced
            start = place + 1
            place, escaped, _ = _text(buffer, start)
            if place < 0 or escaped or _repeated(buffer, start, place - start, room, room[_KEY_FIRST, depth], keys):
                return -1, spaced
            room[_KEY_START, keys] = start
            room[_KEY_LENGTH, keys] = place - start
            keys += 1
            place += 1
            behind = _blanks(buffer, place)
            if behind != place:
                spaced = True
                place = behind
            if buffer[place] != 0x3A:
                return -1, spaced
            place += 1
            behind = _blanks(buffer, place)
            if behind != place:
                spaced = True
                place = behind


@compiled
def _repeated(buffer: Numbers, start: int, length: int, room: Numbers, first: int, last: int) -> bool:
    """Whether a sister has the same name."""
    for key in range(first, last):
        if room[_KEY_LENGTH, key] == length:
            same = True
            begin = room[_KEY_START, key]
            for offset in range(length):
                if buffer[start + offset] != buffer[begin + offset]:
                    same = False
                    break
            if same:
                return True
    return False


@compiled
def _canonical(buffer: Numbers, place: int) -> int:
    """The place behind a number that is written the one way an encoder writes it; -1 for any other.

    With 15 digits or fewer, none of them a needless 0, no shorter text stands for the same float; from 0.001 on it is
    written without an exponent.
    """
    negative = buffer[place] == 0x2D
    if negative:
        place += 1
    first = place
    while 0x30 <= buffer[place] <= 0x39:
        place += 1
    digits = place - first
    zero = buffer[first] == 0x30
    if digits == 0 or (digits > 1 and zero):
        return -1
    byte = buffer[place]
    if byte == 0x65 or byte == 0x45:
        return -1
    if byte != 0x2E:
        return -1 if digits > 18 or (negative and zero) else place
    place += 1
    fraction = place
    while 0x30 <= buffer[place] <= 0x39:
        place += 1
    count = place - fraction
    if count == 0 or digits + count > 15 or buffer[place] == 0x65 or buffer[place] == 0x45:
        return -1
    if buffer[place - 1] == 0x30 and count > 1:
        return -1
    if zero:
        small = (
            count >= 3 and buffer[fraction] == 0x30 and buffer[fraction + 1] == 0x30 and buffer[fraction + 2] == 0x30
        )
        nothing = count == 1 and buffer[fraction] == 0x30
        if small or (nothing and negative):
            return -1
    return place
