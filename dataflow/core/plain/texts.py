"""Where a text of JSON ends: RFC 8259, well-formed UTF-8 only, no half of a surrogate pair."""

import numpy as np

from dataflow.compiled.loop import compiled
from dataflow.compiled.simd import special, zeros_below
from dataflow.compiled.views import Numbers


@compiled
def text_end(buffer: Numbers, place: int) -> tuple[int, bool, bool]:
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
