"""Numbers of JSON: whole ones, the nearest floats, and those that an encoder would write again as they stand.

A mantissa below 2^53 times or divided by a power of ten up to 10^22 is exact in both parts, so the one rounding is the
right one (Clinger, "How to read floating point numbers accurately", 1990).
"""

import numpy as np

from dataflow.compiled.loop import compiled
from dataflow.compiled.views import Numbers

_POWERS = np.array([10.0**power for power in range(23)])


@compiled
def integer(buffer: Numbers, place: int) -> tuple[int, np.int64]:
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
def decimal(buffer: Numbers, place: int) -> tuple[int, float]:
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


@compiled
def canonical(buffer: Numbers, place: int) -> int:
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
