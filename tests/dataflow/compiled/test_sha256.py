"""SHA-256 of whole columns is SHA-256 of each value."""

import hashlib

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.compiled.sha256 import names


def plain(value: str) -> list[int]:
    digest = hashlib.sha256(value.encode()).digest()
    return [int.from_bytes(digest[:8]), int.from_bytes(digest[8:16])]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text(max_size=200), max_size=40))
def test_names_are_the_first_half_of_each_digest(values: list[str]) -> None:
    assert names(pl.Series("v", values, dtype=pl.String)).tolist() == [plain(one) for one in values]


@pytest.mark.parametrize("first", [0, 40, 50, 100, 170, 240, 1000])
def test_values_of_every_length_share_a_batch(first: int) -> None:
    values = ["x" * length for length in range(first, first + 33)]
    assert names(pl.Series(values)).tolist() == [plain(one) for one in values]


def test_a_published_vector() -> None:
    """FIPS 180-2, appendix B.1."""
    assert names(pl.Series(["abc"])).tolist() == [[0xBA7816BF8F01CFEA, 0x414140DE5DAE2223]]
