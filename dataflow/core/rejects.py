"""Why an event was not accepted: exact, and without any of its values."""

import re
from dataclasses import dataclass

from dataflow.core.reasons import Reason as Reason

WHOLE = "$"
"""The field of a reject that concerns the whole message."""


@dataclass(frozen=True)
class Reject:
    """One event that was not accepted.

    index: which of the batch.
    field: dotted path of the field at fault, `$` for the whole message.
    message: the reason in words; types, limits and positions, never the value.
    """

    index: int
    reason: Reason
    field: str
    message: str


class RefusedError(Exception):
    """What an unpacking step says of an event that it cannot turn into JSON.

    reason, field, words: as in a Reject; the words hold no value of the event.
    """

    def __init__(self, reason: Reason, words: str, field: str = WHOLE) -> None:
        super().__init__(reason, field, words)
        self.reason, self.field, self.words = reason, field, words


_AT = " - at `$"
_ITEM = re.compile(r"\[(?:\d+|\.\.\.)\]")
"""An item of an array in a path; a reject's field is the contract's path, without it."""
_MISSING = re.compile(r"^Object missing required field `(.*)`$")
_EXPECTED = re.compile(r"^Expected `(\w+)(?: \| null)?`(?: (of length )?([<>]=? \S+))?(?:, got `(\w+)`)?$")


def explain(index: int, text: str) -> Reject:
    """The reject behind a msgspec.ValidationError's text.

    The text is taken apart and put together again from parts known to hold no value: msgspec quotes an unknown enum
    value,
    for one.
    """
    # from the right: a quoted value may hold the separator too, a path of declared names never does
    before, at, path = text.rpartition(_AT)
    text, path = (before, _ITEM.sub("", path.removesuffix("`")).removeprefix(".")) if at else (text, "")
    if missing := _MISSING.match(text):
        field = f"{path}.{missing[1]}" if path else missing[1]
        return Reject(index, Reason.MISSING_FIELD, field, "is required and missing")
    field = path or WHOLE
    if expected := _EXPECTED.match(text):
        kind, length, limit, got = expected.groups()
        if got is not None:
            return Reject(index, Reason.WRONG_TYPE, field, f"must be {kind}, is {got}")
        if length:
            return Reject(index, Reason.WRONG_LENGTH, field, f"must have a length {limit}")
        return Reject(index, Reason.OUT_OF_RANGE, field, f"must be {limit}")
    if text.startswith("Number out of range"):
        return Reject(index, Reason.OUT_OF_RANGE, field, "is a number too large to hold")
    if text.startswith("Invalid enum value"):
        return Reject(index, Reason.NOT_ALLOWED, field, "is none of the allowed values")
    return Reject(index, Reason.WRONG_TYPE, field, "is not what the contract declares")
