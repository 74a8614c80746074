"""The first numbers of a version, as a pattern finds them."""

import re

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.methods.loops.versions import reduced

VERSION = st.text("0123456789.", max_size=40) | st.text(max_size=5)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.none() | VERSION, max_size=20), st.integers(1, 3))
def test_versions_are_cut_as_a_pattern_cuts_them(texts: list[str | None], parts: int) -> None:
    found = [None if text is None else re.match(rf"[0-9]+(?:\.[0-9]+){{0,{parts - 1}}}", text) for text in texts]
    assert reduced(pl.Series(texts, dtype=pl.String), parts).to_list() == [one[0] if one else None for one in found]
