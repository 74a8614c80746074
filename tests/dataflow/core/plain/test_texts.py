"""Where texts end: where Python's JSON and UTF-8 end them, or left."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.core.plain.texts import hexadecimal, text_end
from tests.dataflow.core.plain.read import padded

PIECES = [
    b"a",
    b'"',
    b"\\",
    b"\\n",
    b"\\u00e9",
    b"\\ud83d\\ude00",
    b"\\ud83d",
    b"\\x",
    b"\x1f",
    b"\xc3\xa9",
    b"\xe6\x9d\xb1",
]
LONE = [b"\xed\xa0\x80", b"\xc0\x80", b"\xf0\x9f\x98\x80", b"\xf4\x90\x80\x80", b"\xff", b"\x80", b"x" * 31, b"x" * 32]


def end(text: bytes) -> tuple[int, bool, bool]:
    return text_end(padded(text), 0)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(PIECES + LONE) | st.binary(max_size=3), max_size=12).map(b"".join))
def test_a_text_ends_where_it_does_for_python(inside: bytes) -> None:
    place, escaped, plain = end(inside + b'"')
    if place < 0:
        return
    value = json.loads(b'"' + inside[:place] + b'"')
    value.encode()  # no half of a surrogate pair
    assert escaped == (b"\\" in inside[:place])
    assert plain == inside[:place].isascii()


@settings(deadline=None, max_examples=500)
@given(st.text(), st.booleans())
def test_well_formed_texts_are_taken(text: str, ascii_only: bool) -> None:
    if any(0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        return
    inside = json.dumps(text, ensure_ascii=ascii_only)[1:-1].encode()
    assert end(inside + b'", "next"') == (len(inside), b"\\" in inside, inside.isascii())


@pytest.mark.parametrize(
    ("digits", "number"), [(b"0000", 0), (b"00e9", 0xE9), (b"FFff", 0xFFFF), (b"00g0", -1), (b"12", -1)]
)
def test_hexadecimal(digits: bytes, number: int) -> None:
    assert hexadecimal(padded(digits), 0) == number
