"""Tokens: HMAC-SHA256 with the key's hex digits, 32 digits of it, one value or a column."""

import hashlib
import hmac
import pickle

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.keys import TOKEN_DIGITS, TokenKey

SECRET = bytes(range(32))


@pytest.fixture(scope="module")
def key() -> TokenKey:
    return TokenKey(SECRET)


def plain(value: str) -> str:
    """By the standard library, from the definition."""
    return hmac.new(SECRET.hex().encode(), value.encode(), hashlib.sha256).hexdigest()[:32]


def test_golden_vectors(key: TokenKey) -> None:
    """Tokens stand in tables for years: these may never change."""
    assert TOKEN_DIGITS == 32
    assert key.token("") == "a859f0192d6c039c1c206d41900e12e5"
    assert key.token("ana@example.com") == "d854a24c7a4bc28f5062e3517332e0b8"
    assert key.token("山田") == "81330fac5be72c56bd4b1ec53da4c0fe"


@given(st.lists(st.none() | st.text(max_size=200), max_size=30))
@settings(max_examples=100, deadline=None)
def test_a_column_is_what_hmac_makes_of_each_value(values: list[str | None]) -> None:
    frame = pl.DataFrame({"value": pl.Series(values, dtype=pl.String)})
    expected = [None if value is None else plain(value) for value in values]
    assert frame.select(TokenKey(SECRET).expression(pl.col("value")))["value"].to_list() == expected
    assert [None if value is None else TokenKey(SECRET).token(value) for value in values] == expected


@given(st.lists(st.none() | st.sampled_from(["ana", "ben", "", "山田"]), max_size=30))
@settings(deadline=None)
def test_a_column_of_repeating_values_has_the_same_tokens(values: list[str | None]) -> None:
    made = TokenKey(SECRET).tokens(pl.Series("user", values, dtype=pl.String))
    assert (made.name, made.dtype) == ("user", pl.String)
    assert made.to_list() == [None if value is None else plain(value) for value in values]


def test_a_derived_key_makes_other_tokens_and_always_the_same(key: TokenKey) -> None:
    derived = key.derived("noise")
    assert derived.token("ana") == key.derived("noise").token("ana")
    assert len({key.token("ana"), derived.token("ana"), key.derived("other").token("ana")}) == 3


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="a token key is 32 bytes"):
        TokenKey(bytes(length))


def test_neither_repr_nor_pickle(key: TokenKey) -> None:
    assert repr(key) == "TokenKey(...)"
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(key)
