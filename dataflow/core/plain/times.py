"""Times: RFC 3339."""

import numpy as np

from dataflow.compiled.loop import compiled, inlined
from dataflow.compiled.views import Numbers

NO_TIME = np.int64(-(2**63))
"""Stands for a time that has to be parsed from its text."""

_BEFORE_MONTH = np.array([0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334])
_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_EPOCH_DAYS = 719_162
"""Days from 0001-01-01 to 1970-01-01."""


@inlined
def _two(buffer: Numbers, place: int) -> int:
    """The number of two digits, or one below 0."""
    tens = np.int64(buffer[place]) - 0x30
    ones = np.int64(buffer[place + 1]) - 0x30
    if tens < 0 or tens > 9 or ones < 0 or ones > 9:
        return -10_000_000
    return tens * 10 + ones


@compiled
def micros(buffer: Numbers, place: int, length: int) -> np.int64:
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
