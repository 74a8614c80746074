"""The first look at free text lets through all that the patterns could find, and maps lose what is to be dropped."""

import json
import re
from typing import Any

import msgspec
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.methods.entities import MARKS, STEPS
from dataflow.methods.folding import folded
from dataflow.methods.loops.suspects import WIDE, maps, marks, suspects

ALPHABET = st.sampled_from("ab 0123456789@?#:.()[]-/at\\\"'é０９＠東\n")
TEXT = st.text(ALPHABET, max_size=30) | st.text(max_size=10)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
MAPS = st.dictionaries(st.sampled_from(["drop", "dro", "dropp", "keep", ""]) | TEXT, VALUES, max_size=5)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.none() | TEXT, max_size=20))
def test_every_text_with_a_find_is_a_suspect(texts: list[str | None]) -> None:
    found = set(suspects(pl.Series(texts, dtype=pl.String)).tolist())
    for row, text in enumerate(texts):
        if text is not None and any(re.search(step.pattern, folded(text)) for step in STEPS):
            assert row in found


@settings(deadline=None, max_examples=300)
@given(st.lists(st.none() | TEXT, max_size=20))
def test_every_match_has_the_marks_and_digits_of_its_step(texts: list[str | None]) -> None:
    bits, digits = marks(pl.Series(texts, dtype=pl.String))
    for text, seen, count in zip(texts, bits.tolist(), digits.tolist(), strict=True):
        assert seen == sum(1 << place for place, mark in enumerate(MARKS) if mark in (text or "")) | (
            0 if (text or "").isascii() else WIDE
        )
        for step in STEPS:
            if text is not None and list(step.spans(text)):
                assert count >= step.digits
                assert not step.marks or any(seen >> MARKS.index(mark) & 1 for mark in step.marks)


def test_plain_words_are_no_suspects() -> None:
    assert suspects(pl.Series(["my parcel came late", "", None, "room 101", "write to a@b.example"])).tolist() == [4]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.none() | MAPS, max_size=8))
def test_maps_that_are_no_suspects_lose_what_is_dropped_and_nothing_else(
    documents: list[dict[str, Any] | None],
) -> None:
    texts = [None if one is None else msgspec.json.encode(one).decode() for one in documents]
    made, found = maps(pl.Series(texts, dtype=pl.String), ("drop", 'keep"', ""))
    for row, (document, text) in enumerate(zip(documents, texts, strict=True)):
        if document is None or row in found:
            assert made[row] == text
        else:
            kept = {name: value for name, value in document.items() if name not in ("drop", 'keep"', "")}
            assert json.loads(made[row]) == json.loads(msgspec.json.encode(kept))
            assert list(json.loads(made[row])) == list(kept)


@settings(deadline=None, max_examples=300)
@given(MAPS)
def test_maps_with_a_find_in_a_string_are_suspects(document: dict[str, Any]) -> None:
    _, found = maps(pl.Series([msgspec.json.encode(document).decode()]), ())
    strings = re.findall(r'"((?:[^"\\]|\\.)*)"', msgspec.json.encode(document).decode())
    if any(re.search(step.pattern, folded(json.loads(f'"{text}"'))) for text in strings for step in STEPS):
        assert found.tolist() == [0]
