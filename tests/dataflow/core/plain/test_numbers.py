"""Numbers: exactly what Python makes of them, or left."""

import json
import re
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.core.plain.numbers import canonical, decimal, integer
from tests.dataflow.core.plain.read import padded

SPELLINGS = st.from_regex(r"-?[0-9]{0,20}(\.[0-9]{0,20})?([eE][+-]?[0-9]{0,4})?", fullmatch=True)
LEFT = -1


def behind(text: str) -> set[int]:
    """Where a number may end: behind the text if that is one, else the reader has to leave it."""
    return {len(text), LEFT} if re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", text) else {LEFT}


@settings(deadline=None, max_examples=300)
@given(
    SPELLINGS
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.decimals(-(10**6), 10**6, places=6).map(str)
)
def test_decimals_are_the_nearest_floats(text: str) -> None:
    place, number = decimal(padded(text.encode()), 0)
    assert place in behind(text)
    if place != LEFT:
        assert repr(number) == repr(float(text))


@settings(deadline=None, max_examples=300)
@given(SPELLINGS | st.integers().map(str) | st.integers(-(10**18) + 1, 10**18 - 1).map(str))
def test_integers_are_whole(text: str) -> None:
    place, number = integer(padded(text.encode()), 0)
    assert place in behind(text)
    if place != LEFT:
        assert number == int(text)


@settings(deadline=None, max_examples=300)
@given(
    SPELLINGS | st.floats(allow_nan=False, allow_infinity=False).map(repr) | st.decimals(-100, 100, places=4).map(str)
)
def test_what_is_canonical_is_written_again_as_it_stands(text: str) -> None:
    place = canonical(padded(text.encode()), 0)
    assert place in behind(text)
    if place != LEFT:
        assert msgspec.json.encode(json.loads(text)).decode() == text


@pytest.mark.parametrize("text", ["0", "-1", "12.5", "1e5", "1.5E-3", "-0.25", "9007199254740992", "1e22"])
def test_plain_decimals_are_taken(text: str) -> None:
    assert decimal(padded(text.encode()), 0) == (len(text), float(Decimal(text)))


@pytest.mark.parametrize("text", ["0", "7", "-7", "999999999999999999"])
def test_plain_integers_are_taken(text: str) -> None:
    assert integer(padded(text.encode()), 0) == (len(text), int(text))


@pytest.mark.parametrize("text", ["0", "-7", "1.5", "0.001", "0.0", "123456789012345", "12.25"])
def test_plain_numbers_are_canonical(text: str) -> None:
    assert canonical(padded(text.encode()), 0) == len(text)
