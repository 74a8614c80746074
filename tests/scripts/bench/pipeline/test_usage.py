"""Growth of what was measured."""

import pytest

from scripts.bench.pipeline.usage import slope


def test_the_slope_of_a_line_is_its_growth() -> None:
    assert slope([0.0, 1.0, 2.0, 3.0], [5.0, 7.5, 10.0, 12.5]) == pytest.approx(2.5)


def test_one_moment_has_no_slope() -> None:
    assert slope([], []) == slope([1.0], [5.0]) == slope([1.0, 1.0], [5.0, 6.0]) == 0.0
