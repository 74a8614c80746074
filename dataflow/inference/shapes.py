"""Shapes: what a string looks like. Nothing of the string is kept."""

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache


class Shape(StrEnum):
    UUID = "UUID"
    TIMESTAMP = "RFC 3339 time"
    LOCAL_TIME = "time without a zone"
    DATE = "date"
    EMAIL = "e-mail address"
    HAS_EMAIL = "text with an e-mail address"
    PHONE = "telephone number"
    CARD = "payment card number"
    MY_NUMBER = "My Number"
    IP = "IP address"
    MAC = "MAC address"
    URL = "URL"
    USER_AGENT = "user agent"
    PROSE = "text of several words"
    HEX = "long random token"
    COORDINATES = "pair of coordinates"
    CODE = "short code"
    DIGITS = "digits only"
    EMPTY = "empty text"
    EPOCH = "seconds or milliseconds since 1970"


LONG = 10**8
"""Integers from here on may be cards, numbers of the state, or times."""


_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,255}\.[A-Za-z]{2,}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_PHONE = re.compile(r"(?:\+\d{1,3}[ .-]?|0)\(?\d{1,4}\)?(?:[ .-]?\d{2,4}){2,3}")
_DIGITS = re.compile(r"[0-9]+")
_GROUPED = re.compile(r"[0-9](?:[ -]?[0-9]){12,18}")
_MY_NUMBER = re.compile(r"[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}")
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)", re.ASCII)
_IPV6 = re.compile(r"(?=.*::|(?:[^:]*:){7})[0-9A-Fa-f:]{2,39}(?:\.\d{1,3}){0,3}", re.ASCII)
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_AGENT = re.compile(r"(?:Mozilla|Opera|curl|okhttp|Dalvik|CFNetwork|python-requests)/|.*\b(?:AppleWebKit|Gecko)/")
_TOKEN = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9_=+/-]{16,}|[0-9A-Fa-f]{16,}")
_PAIR = re.compile(r"-?\d{1,3}\.\d{3,},\s?-?\d{1,3}\.\d{3,}")
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_./+-]{0,39}")
_WORDS = re.compile(r"\S+\s+\S+\s+\S+\s+\S")
_JAPANESE_SENTENCE = re.compile(r"[ぁ-んァ-ン一-龥]{2,}.*[。、！？ぁ-ん].*[ぁ-ん]", re.DOTALL)


@lru_cache(maxsize=1 << 14)
def shapes(text: str) -> tuple[Shape, ...]:
    """The shapes of a string, of which it may have several. Long texts are looked at in their first 500 characters.

    The cache lives as long as the command: most values of an event are seen again in the next.
    """
    return tuple(_shapes(text[:500]))


def _shapes(text: str) -> Iterator[Shape]:
    if not text.strip():
        yield Shape.EMPTY
        return
    first = text[0]
    if len(text) == 36 and _UUID.fullmatch(text):
        yield Shape.UUID
        return
    if first.isdigit() and len(text) >= 10:
        if (time := _TIME.fullmatch(text)) is not None:
            yield Shape.TIMESTAMP if time[1] else Shape.LOCAL_TIME
            return
        if _DATE.fullmatch(text):
            yield Shape.DATE
            return
    yield from _numbers(text)
    if "@" in text and (found := _EMAIL.search(text)) is not None:
        yield Shape.EMAIL if found[0] == text else Shape.HAS_EMAIL
    if _IPV4.fullmatch(text) or (":" in text and _IPV6.fullmatch(text)):
        yield Shape.IP
    elif _MAC.fullmatch(text):
        yield Shape.MAC
    elif _URL.fullmatch(text):
        yield Shape.URL
    elif _AGENT.match(text):
        yield Shape.USER_AGENT
    elif _WORDS.search(text) or (len(text) > 12 and not text.isascii() and _JAPANESE_SENTENCE.search(text)):
        yield Shape.PROSE
    elif _TOKEN.fullmatch(text):
        yield Shape.HEX
    elif _CODE.fullmatch(text):
        yield Shape.CODE


def _numbers(text: str) -> Iterator[Shape]:
    if not (text[0].isdigit() or text[0] in "+-("):
        return
    if _PAIR.fullmatch(text):
        yield Shape.COORDINATES
        return
    if _DIGITS.fullmatch(text):
        yield Shape.DIGITS
    if _GROUPED.fullmatch(text) and luhn(text):
        yield Shape.CARD
    elif _MY_NUMBER.fullmatch(text) and my_number(text):
        yield Shape.MY_NUMBER
    elif 9 <= len(text) <= 20 and _PHONE.fullmatch(text):
        yield Shape.PHONE


def integer_shapes(value: int) -> Iterator[Shape]:
    """The shapes of an integer of at least LONG."""
    text = str(value)
    if 1_000_000_000 <= value < 2_500_000_000 or 1_000_000_000_000 <= value < 2_500_000_000_000:
        yield Shape.EPOCH
    if 13 <= len(text) <= 19 and luhn(text):
        yield Shape.CARD
    elif my_number(text):
        yield Shape.MY_NUMBER


def luhn(text: str) -> bool:
    """Whether the digits pass ISO/IEC 7812-1's check; a random number does in 1 of 10 cases."""
    digits = [int(character) for character in text if character.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return len(set(digits)) > 1 and (sum(doubled) + sum(digits[-1::-2])) % 10 == 0


def my_number(text: str) -> bool:
    """Whether twelve digits pass the check of the Individual Number (総務省令第85号 第5条)."""
    digits = [int(character) for character in text if character.isdigit()]
    if len(digits) != 12 or len(set(digits)) == 1:
        return False
    total = sum(digit * (n + 1 if n <= 6 else n - 5) for n, digit in enumerate(reversed(digits[:11]), start=1))
    return digits[11] == (0 if total % 11 <= 1 else 11 - total % 11)
