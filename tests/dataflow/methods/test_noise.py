import math
from collections import Counter
from fractions import Fraction

import polars as pl
import pytest

from dataflow.contract import FieldType
from dataflow.keys import TokenKey
from dataflow.methods import Context
from dataflow.methods.noise import LocalNoise, sample, table, tail
from tests.dataflow.methods.both import KEY, columnar, field

NOISE = LocalNoise(epsilon=1.0, minimum=0, maximum=10)
PEOPLE = [f"{number:032x}" for number in range(20_000)]


def drawn(method: LocalNoise, values: list[int], people: list[str], key: TokenKey = KEY) -> list[int]:
    frame = pl.DataFrame({"x": values, "person": people})
    context = Context(key, subject=pl.col("person"))
    return frame.select(method.expression(pl.col("x"), field(FieldType.INTEGER), context))["x"].to_list()


def test_one_value_of_one_person_always_gets_the_same_noise() -> None:
    assert len(set(drawn(NOISE, [5] * 100, ["ana"] * 100))) == 1


@pytest.mark.parametrize(
    "other",
    [
        drawn(NOISE, [6] * 2000, PEOPLE[:2000]),
        drawn(NOISE, [5] * 2000, PEOPLE[2000:4000]),
        drawn(NOISE, [5] * 2000, PEOPLE[:2000], TokenKey(bytes(32))),
        drawn(LocalNoise(epsilon=1.001, minimum=0, maximum=10), [5] * 2000, PEOPLE[:2000]),
    ],
    ids=["value", "person", "epoch", "parameters"],
)
def test_noise_is_another_for_another(other: list[int]) -> None:
    first = drawn(NOISE, [5] * 2000, PEOPLE[:2000])
    a = math.exp(-1 / 10)
    alike = (1 - a) * (1 + a * a) / (1 + a) ** 3  # P(x = y) of two independent discrete Laplace numbers
    same = sum(one == two for one, two in zip(first, other, strict=True))
    assert abs(same - 2000 * alike) < 5 * math.sqrt(2000 * alike)


def test_noise_is_distributed_as_discrete_laplace() -> None:
    noise = Counter(value - 5 for value in drawn(NOISE, [5] * len(PEOPLE), PEOPLE))
    a = math.exp(-1 / 10)
    for x in range(-20, 21):
        expected = len(PEOPLE) * (1 - a) / (1 + a) * a ** abs(x)
        assert abs(noise[x] - expected) < 5 * math.sqrt(expected)


def test_values_are_clamped_before_the_noise() -> None:
    assert drawn(NOISE, [10**9, -(10**9)], ["ana", "ana"]) == drawn(NOISE, [10, 0], ["ana", "ana"])


def test_an_event_without_a_person_gives_null() -> None:
    assert columnar(NOISE, FieldType.INTEGER, [5], {"person": [None]}) == [None]


def test_no_published_token_is_a_part_of_the_noises_key() -> None:
    secret = repr(KEY.derived("noise"))
    assert secret == "TokenKey(...)"
    assert KEY.derived("noise").token("x") != KEY.token("x")
    assert KEY.derived("noise").token("x") != KEY.derived("other").token("x")
    assert KEY.derived("noise").token("x") == KEY.derived("noise").token("x")


def test_the_bounds_are_those_of_exact_arithmetic() -> None:
    # exp(-1/10) between two fractions of 400 bits, by its series
    low = sum((Fraction(-1, 10) ** k / math.factorial(k) for k in range(60)), Fraction(0))
    high = low + Fraction(1, 10**120)
    for m in (1, 2, 7, 100):
        below = 2 * low**m / (1 + high) * 2**64
        above = 2 * high**m / (1 + low) * 2**64
        assert math.floor(below) == math.floor(above) == tail(m, 64, 10, 1.0)


def test_the_table_holds_every_bound() -> None:
    bounds = table(10, 1.0)
    assert bounds[::-1].tolist() == [tail(m, 64, 10, 1.0) for m in range(1, len(bounds) + 1)]
    assert tail(len(bounds) + 1, 64, 10, 1.0) == 0


@pytest.mark.parametrize("m", [1, 5, 40])
@pytest.mark.parametrize("more", [0, 2**128 - 1])
def test_bits_that_do_not_decide_are_followed_by_more(m: int, more: int) -> None:
    bound = tail(m, 64, 10, 1.0)
    blocks = {"seed": f"{bound:016x}" + "0" * 16, "seed\x1f1": f"{more:032x}"}
    assert sample("seed", 10, 1.0, blocks.__getitem__) == (m if more == 0 else m - 1)


def test_undecided_bits_in_a_column_are_looked_at_one_by_one() -> None:
    bound = tail(3, 64, 10, 1.0)
    blocks = {"seed": f"{bound:016x}" + "0" * 15 + "1", "seed\x1f1": "0" * 32}
    row = pl.Series([{"seed": "seed", "bits": blocks["seed"]}, {"seed": None, "bits": None}])
    assert NOISE._noise(row, blocks.__getitem__).to_list() == [-3, None]
