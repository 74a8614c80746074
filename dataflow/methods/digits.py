"""Long runs of digits in a text: which of them are cards, My Numbers, telephones or dates."""

import datetime
import re
from collections.abc import Iterator

CARD, MY_NUMBER, PHONE, NUMBER = "<CARD>", "<MY_NUMBER>", "<PHONE>", "<NUMBER>"

LONG = 12
"""From this many digits on a run may hold a card or a My Number."""

_GROUP = re.compile("[0-9]+")
_CARD_LENGTHS = (16, 15, 14, 19, 13, 18, 17)

_IIN = re.compile(
    r"(?:4[0-9]{12}(?:[0-9]{3}){0,2}"  # Visa: 13, 16, 19
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|(?:2131|1800)[0-9]{11}|35[0-9]{14,17}"  # JCB (issued are 3528 to 3589)
    r"|3(?:0[0-5]|[689][0-9])[0-9]{11}"  # Diners Club
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12,15}"  # Discover
    r"|62[0-9]{14,17}"  # UnionPay
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])[0-9]{9,15})"  # Maestro
)
"""Issuer prefixes and lengths (ISO/IEC 7812; the networks' own tables)."""


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_card(digits: str) -> bool:
    """Whether the digits are a card number: an issuer's prefix, its length, and the check digit."""
    return _IIN.fullmatch(digits) is not None and luhn(digits)


def is_my_number(digits: str) -> bool:
    """Whether 12 digits are a My Number: the check digit of 番号法施行規則 (総務省令第85号, 2014), article 5."""
    if len(digits) != 12:
        return False
    weights = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
    rest = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False)) % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


def parts(run: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, tag) of what a run of LONG or more digits holds, dates left out.

    What is nothing known, and has LONG digits or more without a break, is a NUMBER.
    """
    groups = [(found.start(), found.end()) for found in _GROUP.finditer(run)]
    texts = [run[start:end] for start, end in groups]
    index, rest = 0, 0
    while index <= len(groups):
        found = _entity(run, groups, texts, index) if index < len(groups) else (index, "")
        if found is None:
            index += 1
            continue
        if sum(map(len, texts[rest:index])) >= LONG:
            yield groups[rest][0], groups[index - 1][1], NUMBER
        if index == len(groups):
            return
        end, tag = found
        if tag:
            start = groups[index][0]
            while start and run[start - 1] in "+(":
                start -= 1
            yield start, groups[end - 1][1], tag
        index = rest = end


def _entity(run: str, groups: list[tuple[int, int]], texts: list[str], index: int) -> tuple[int, str] | None:
    """(the group after it, tag) of what begins with a group; an empty tag for a date, None for nothing."""
    ends: dict[int, int] = {}
    digits = ""
    for end in range(index, min(index + 12, len(groups))):
        digits += texts[end]
        if len(digits) > 19:
            break
        ends[len(digits)] = end + 1
    digits = "".join(texts[index : max(ends.values(), default=index)])

    def first(lengths: tuple[int, ...] | range) -> tuple[int, str] | None:
        return next(((ends[length], PHONE) for length in lengths if length in ends), None)

    before = run[: groups[index][0]].rstrip("( ")
    if before.endswith("+"):
        expected = (12, 11, 13) if digits.startswith("81") else (11,) if digits.startswith("1") else ()
        return first((*expected, *range(15, 6, -1)))
    for length in _CARD_LENGTHS:
        if length in ends and is_card(digits[:length]):
            return ends[length], CARD
    shape = [len(text) for text in texts[index : index + 3]]
    written_so = shape[:1] == [12] or shape == [4, 4, 4]
    if written_so and is_my_number(digits[:12]) and not re.match("81[5-9]0[0-9]{8}$", texts[index]):
        return ends[12], MY_NUMBER
    if digits.startswith("0"):
        lengths = (12, 13, 14, 15, 11) if digits.startswith(("010", "0081", "001")) else ()
        mobile = (11, 10) if re.match("0[2-9]0|0800", digits) else (10, 11)
        return first((*lengths, *mobile))
    abroad = digits.startswith("81") and (11 in ends or 12 in ends)
    if abroad and re.match("81[5-9]0", digits) and 12 in ends:
        return ends[12], PHONE
    if 12 in ends and is_my_number(digits[:12]):
        return ends[12], MY_NUMBER
    if abroad:
        return first((12, 11) if digits[2] in "56789" else (11, 12))
    if _is_date(texts[index : index + 3]):
        return index + 3, ""
    return None


def _is_date(texts: list[str]) -> bool:
    if [len(text) for text in texts] not in ([4, 2, 2], [4, 1, 2], [4, 2, 1], [4, 1, 1]):
        return False
    try:
        return 1900 <= datetime.date(*map(int, texts)).year < 2100
    except ValueError:
        return False
