"""HMAC-SHA256 of whole columns is HMAC-SHA256 of each value."""

import hashlib
import hmac

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.keys.hashing import states, tokens


def plain(key: bytes, value: str | None) -> str | None:
    return None if value is None else hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:32]


@settings(deadline=None, max_examples=200)
@given(st.binary(min_size=1, max_size=200), st.lists(st.none() | st.text(max_size=200), max_size=40))
def test_tokens_are_the_standard_ones(key: bytes, values: list[str | None]) -> None:
    assert tokens(pl.Series("v", values, dtype=pl.String), states(key)).to_list() == [plain(key, one) for one in values]


@pytest.mark.parametrize("first", [0, 40, 50, 100, 170, 240, 1000])
def test_values_of_every_length_share_a_batch(first: int) -> None:
    values = ["x" * length for length in range(first, first + 33)]
    assert tokens(pl.Series(values), states(b"k")).to_list() == [plain(b"k", one) for one in values]


def test_a_slice_and_chunks_of_a_column_are_read_where_they_are() -> None:
    whole = pl.concat([pl.Series("v", ["a", "b", "c"]), pl.Series("v", ["d", None])], rechunk=False)
    assert tokens(whole.slice(1, 4), states(b"k")).to_list() == [plain(b"k", one) for one in ("b", "c", "d", None)]


def test_published_vectors() -> None:
    """RFC 4231, test cases 1 and 2."""
    assert tokens(pl.Series(["Hi There"]), states(b"\x0b" * 20))[0] == "b0344c61d8db38535ca8afceaf0bf12b"
    assert tokens(pl.Series(["what do ya want for nothing?"]), states(b"Jefe"))[0] == "5bdcc146bf60754e6a042426089575c7"
