"""Sketches: their stated error bounds, and that merging is one pass."""

import numpy as np
import pytest
from datasketches import hll_sketch, kll_floats_sketch
from hypothesis import given
from hypothesis import strategies as st

from dataflow.operators.sketches import (
    QUANTILES,
    count_distinct,
    distinct_of,
    merge_distinct,
    merge_quantiles,
    quantiles,
    quantiles_of,
)


def tokens(first: int, last: int) -> list[str]:
    return [f"{number * 2_654_435_761 % (1 << 64):032x}" for number in range(first, last)]


@pytest.mark.parametrize("count", [1, 10, 100])
def test_few_are_counted_exactly(count: int) -> None:
    assert count_distinct(distinct_of(tokens(0, count))) == count


@pytest.mark.parametrize("count", [1_000, 20_000, 200_000])
def test_many_are_counted_within_three_standard_errors(count: int) -> None:
    error = 1.04 / 2**6  # 1.6 % of 4,096 registers
    assert abs(count_distinct(distinct_of(tokens(0, count))) / count - 1) < 3 * error


def test_what_was_seen_twice_counts_once_across_processes() -> None:
    parts = [distinct_of(tokens(first, first + 20_000)) for first in (0, 10_000, 20_000, 5_000)]
    assert abs(count_distinct(merge_distinct(parts)) / 40_000 - 1) < 3 * 1.04 / 2**6


def test_a_sketch_is_small_however_many_it_has_seen() -> None:
    assert len(distinct_of(tokens(0, 3))) < 40
    assert len(merge_distinct([distinct_of(tokens(0, 100_000)), distinct_of(tokens(0, 5))])) < 2_200
    values = np.arange(100_000, dtype=np.float32)
    assert len(merge_quantiles([quantiles_of(values), quantiles_of(values)])) < 4_096


@given(st.lists(st.lists(st.integers(0, 5_000), max_size=300), max_size=5), st.randoms())
def test_merging_distinct_in_any_order_is_one_pass(parts: list[list[int]], random: object) -> None:
    named = [[f"{number:032x}" for number in part] for part in parts]
    sketches = [distinct_of(part) for part in named]
    forward, backward = merge_distinct(sketches), merge_distinct(reversed(sketches))
    once = merge_distinct([distinct_of(name for part in named for name in part), distinct_of([])])
    assert count_distinct(forward) == count_distinct(backward)
    true = len({name for part in named for name in part})
    assert abs(count_distinct(forward) - count_distinct(once)) <= max(1, 0.05 * true)
    assert abs(count_distinct(forward) - true) <= max(1, 0.05 * true)


def test_few_values_have_exact_percentiles() -> None:
    assert quantiles(quantiles_of(np.arange(1, 101, dtype=np.float32))) == (50, 95, 99)


def test_percentiles_keep_the_rank_error() -> None:
    values = np.random.default_rng(1).permutation(np.arange(100_000, dtype=np.float32))
    merged = merge_quantiles(quantiles_of(part) for part in np.split(values, 50))
    for wanted, value in zip(QUANTILES, quantiles(merged) or (), strict=True):
        assert abs(value / 100_000 - wanted) < 0.0133 * 1.5  # 99 % confidence for one quantile, asked of three


@given(st.lists(st.lists(st.integers(0, 1_000), max_size=30), max_size=5))
def test_merging_few_values_is_one_pass(parts: list[list[int]]) -> None:
    """Up to k = 200 values a sketch holds them all."""
    arrays = [np.array(part, dtype=np.float32) for part in parts]
    merged = merge_quantiles(quantiles_of(array) for array in arrays)
    assert quantiles(merged) == quantiles(quantiles_of(np.concatenate([np.empty(0, np.float32), *arrays])))


def test_nothing_seen_is_no_bytes() -> None:
    assert (distinct_of([]), merge_distinct([b"", b""]), count_distinct(b"")) == (b"", b"", 0)
    assert (quantiles_of(np.empty(0, np.float32)), merge_quantiles([]), quantiles(b"")) == (b"", b"", None)


def test_the_bytes_are_those_of_the_sketch_library() -> None:
    """Other members of the family read them: BigQuery, Java, C++."""
    assert hll_sketch.deserialize(distinct_of(["a", "b"])).lg_config_k == 12
    assert kll_floats_sketch.deserialize(quantiles_of(np.array([1, 2], np.float32))).n == 2
