"""Values of any form: taken only if an encoder would write them again as they stand, blanks aside."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.core.plain.free_form import anything
from dataflow.core.plain.values import MOST_MAP_DEPTH, MOST_MAP_KEYS, scratch
from tests.dataflow.core.plain.read import padded

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
SNIPPETS = st.sampled_from(
    [*b'" { } [ ] , : 0 1 -0 1.50 1e5 null tru {"a":1,"a":2}'.split(b" "), b" ", b"\n", b"\xff", b""]
)


def read(text: bytes) -> tuple[int, bool]:
    return anything(padded(text), 0, scratch())


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@settings(deadline=None, max_examples=300)
@given(VALUES, st.none() | st.integers(1, 3), st.lists(st.tuples(st.integers(0, 200), SNIPPETS), max_size=2))
def test_what_is_taken_is_written_again_as_it_stands(
    value: Any, indent: int | None, changes: list[tuple[int, bytes]]
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False).encode(errors="surrogatepass")
    for place, snippet in changes:
        text = text[:place] + snippet + text[place + len(snippet) :]
    place, spaced = read(text)
    if place < 0:
        return
    taken = text[:place]
    again = msgspec.json.encode(json.loads(taken, object_pairs_hook=unique))
    assert spaced or again == taken
    assert len(again) == place or spaced


@pytest.mark.parametrize("text", ['{"a":[1,{"b":null}],"c":"d"}', "[]", "{}", '"x"', "true", "-1.5", '{"a":{"a":{}}}'])
def test_compact_values_are_taken(text: str) -> None:
    assert read(text.encode()) == (len(text), False)


def test_blanks_between_tokens_are_told() -> None:
    assert read(b'{ "a" : [ 1 , 2 ] }') == (19, True)


@pytest.mark.parametrize(
    "text",
    [
        *('{"a":1,"a":2}', '{"a":"\\n"}', '{"a":1.50}', "[1,]", "{,}", '{"a"}', "[1 2]", "nul", "", '["\ud800"]'),
        "[" * (MOST_MAP_DEPTH + 1) + "]" * (MOST_MAP_DEPTH + 1),
        json.dumps({str(number): 1 for number in range(MOST_MAP_KEYS + 1)}),
    ],
)
def test_doubtful_values_are_left(text: str) -> None:
    assert read(text.encode(errors="surrogatepass"))[0] == -1
