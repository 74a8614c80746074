"""Local noise that needs no memory."""

import decimal
import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from dataflow.contract import Field, FieldType
from dataflow.methods.base import NUMERIC, Context, Method

PURPOSE = "noise"
"""Label of the keys that drive the sampler: no token that is ever published tells of their output."""

MOST_STEPS = 1000
MOST_SCALE = 5000
"""Steps of the range, and steps over epsilon: the sampler's table has 45 entries for each of the latter."""

type Block = Callable[[str], str]

LARGEST = 10**12

_BOUNDS = msgspec.Meta(ge=-LARGEST, le=LARGEST)
_STEP = msgspec.Meta(gt=0, le=LARGEST)

Bound = Annotated[int, _BOUNDS] | Annotated[float, _BOUNDS]


class LocalNoise(Method, frozen=True):
    """The number, clamped and rounded to a step, plus discrete Laplace noise. Integer or number in, the same type out.

    epsilon: the privacy budget, no unit, above 0 to 10: the noise's scale is (maximum - minimum) / epsilon.
    minimum, maximum: bounds in the field's unit, never from the data. step: the field's unit, divides their distance.

    The noise follows from the person's token, the field, these parameters and the value's step under a key of the key
    epoch: every worker and every replay draws the same, so that it does not average out (the way of RAPPOR's permanent
    response, Erlingsson et al. 2014). One value of one person in one key epoch is epsilon-locally-differentially
    private; a person whose value takes d steps in an epoch spends d times epsilon, and a rule with new parameters
    spends anew. The result is not clamped again, so sums stay unbiased. The sampler is exact, see `sample`.
    Not reversible, except by whoever holds the key and knows the person. Leaks how often one value comes back, and
    whether it changed. An event without a person gives null. Lane: pseudonymized, while the key is kept.
    """

    name = "noise"
    accepts = NUMERIC
    leaks = "whether a person's value changed, and the value as far as epsilon allows"
    personal = True
    scales: ClassVar = {"epsilon": "more"}
    epsilon: Annotated[float, msgspec.Meta(gt=0, le=10)]
    minimum: Bound
    maximum: Bound
    step: Annotated[int, _STEP] | Annotated[float, _STEP] = 1

    def __post_init__(self) -> None:
        if self.minimum >= self.maximum:
            raise ValueError("minimum must be below maximum")
        steps = (self.maximum - self.minimum) / self.step
        if abs(steps - round(steps)) > 1e-9 * steps or not 1 <= round(steps) <= MOST_STEPS:
            raise ValueError(f"step must divide maximum - minimum into 1 to {MOST_STEPS} steps, not {steps:.6g}")
        if steps / self.epsilon > MOST_SCALE:
            raise ValueError(f"epsilon must be at least {steps / MOST_SCALE:.3g} for {steps:.0f} steps")

    @property
    def steps(self) -> int:
        """Steps of the range: how far one person's value can move the result."""
        return round((self.maximum - self.minimum) / self.step)

    def effect(self) -> str:
        return f"noise of scale {self.steps * self.step / self.epsilon:.6g}"

    def fault(self, field: Field) -> str:
        if field.type is FieldType.INTEGER and any(value != int(value) for value in (self.minimum, self.step)):
            return "minimum and step must be whole numbers, since the field is an integer."
        return ""

    def _label(self, field: Field) -> str:
        numbers = (self.epsilon, self.minimum, self.maximum, self.step)
        return "\x1f".join([field.path, *(repr(float(number)) for number in numbers)])  # 1 and 1.0 are one policy

    def expression(self, column: pl.Expr, field: Field, context: Context) -> pl.Expr:
        key = context.key.derived(PURPOSE)
        assert context.subject is not None, "noise needs to know the person"
        value = column.cast(pl.Float64).fill_nan(None).clip(float(self.minimum), float(self.maximum))
        bucket = value.map_batches(self._buckets, return_dtype=pl.Int64, is_elementwise=True)
        seed = pl.concat_str([context.subject, pl.lit(self._label(field)), bucket.cast(pl.String)], separator="\x1f")
        noise = pl.struct(seed.alias("seed"), key.expression(seed).alias("bits")).map_batches(
            lambda drawn: self._noise(drawn, key.token), return_dtype=pl.Int64
        )
        if field.type is FieldType.INTEGER:
            return (bucket + noise) * int(self.step) + int(self.minimum)
        return (bucket + noise).cast(pl.Float64) * float(self.step) + float(self.minimum)

    def _buckets(self, values: pl.Series) -> pl.Series:
        """Through numpy, which divides as Python does; polars multiplies by the inverse of a constant."""
        steps = np.rint((values.to_numpy() - float(self.minimum)) / float(self.step))
        return pl.Series(steps).fill_nan(None).cast(pl.Int64)

    def _noise(self, drawn: pl.Series, block: Block) -> pl.Series:
        """Noise in steps for a series of {seed, bits}; null where the seed is."""
        bits = drawn.struct.field("bits")
        good = bits.is_not_null()
        known = bits.filter(good)
        uniform = known.str.head(16).str.to_integer(base=16, dtype=pl.UInt64).to_numpy()
        sign = known.str.tail(1).str.to_integer(base=16, dtype=pl.Int64).to_numpy() & 1
        bounds = table(self.steps, self.epsilon)
        low = np.searchsorted(bounds, uniform, side="left")
        size = (len(bounds) - np.searchsorted(bounds, uniform, side="right")).astype(np.int64)
        noise = np.where(sign == 1, -size, size)
        unsure = np.flatnonzero((len(bounds) - low != size) | (uniform == 0))
        if unsure.size:
            seeds = drawn.struct.field("seed").filter(good)
            for index in unsure.tolist():
                noise[index] = sample(seeds[index], self.steps, self.epsilon, block)
        return (
            pl.Series([None], dtype=pl.Int64).new_from_index(0, len(drawn)).scatter(good.arg_true(), pl.Series(noise))
        )

    def reference(self, value: object, field: Field, context: Context) -> int | float | None:
        assert isinstance(value, int | float)
        if context.person is None or value != value:
            return None
        clamped = min(max(float(value), float(self.minimum)), float(self.maximum))
        bucket = round((clamped - self.minimum) / self.step)
        seed = f"{context.person}\x1f{self._label(field)}\x1f{bucket}"
        moved = bucket + sample(seed, self.steps, self.epsilon, context.key.derived(PURPOSE).token)
        if field.type is FieldType.INTEGER:
            return moved * int(self.step) + int(self.minimum)
        return float(moved) * float(self.step) + float(self.minimum)


def sample(seed: str, steps: int, epsilon: float, block: Block) -> int:
    """An integer x with probability (1-a)/(1+a) a^|x|, a = exp(-epsilon/steps): the discrete Laplace distribution.

    block: text -> 32 hex digits, 128 bits of a keyed pseudo-random function; the first 64 of `seed`'s are the leading
    bits of a uniform number u, the last one the sign. |x| is the largest m with u < P(|x| >= m). The bits so far decide
    that, or else more are drawn: nothing is rounded, so the distribution is exact as far as the bits are uniform.
    """
    first = block(seed)
    bits, length, count = int(first[:16], 16), 64, 0
    while (size := _largest(bits, length, steps, epsilon)) is None:
        count += 1
        bits, length = bits << 128 | int(block(f"{seed}\x1f{count}"), 16), length + 128
    return -size if int(first[-1], 16) & 1 else size


def _largest(bits: int, length: int, steps: int, epsilon: float) -> int | None:
    """The largest m with u < P(|x| >= m), u beginning with these bits; None when they do not decide it."""

    def below(m: int) -> bool | None:
        bound = tail(m, length, steps, epsilon)
        return None if bits == bound else bits < bound

    low, high = 0, 1
    while True:
        answer = below(high)
        if answer is None:
            return None
        if not answer:
            break
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        answer = below(middle)
        if answer is None:
            return None
        low, high = (middle, high) if answer else (low, middle)
    return low


def tail(m: int, length: int, steps: int, epsilon: float) -> int:
    """floor(2^length P(|x| >= m)) for m >= 1, P(|x| >= m) = 2 a^m / (1 + a)."""
    with _precise(length):
        a = _ratio(steps, epsilon)
        return int(2 * a**m / (1 + a) * (1 << length))


@functools.lru_cache(maxsize=32)
def table(steps: int, epsilon: float) -> NDArray[np.uint64]:
    """`tail` of 64 bits for m = 1, 2, ... down to the last one above 0, in ascending order."""
    bounds = []
    with _precise(64):
        a = _ratio(steps, epsilon)
        bound = 2 * a / (1 + a) * (1 << 64)
        while bound >= 1:
            bounds.append(int(bound))
            bound *= a
    return np.array(bounds[::-1], dtype=np.uint64)


def _ratio(steps: int, epsilon: float) -> decimal.Decimal:
    return (-decimal.Decimal(repr(epsilon)) / steps).exp()


def _precise(length: int) -> AbstractContextManager[decimal.Context]:
    """Decimal arithmetic with 40 digits to spare for `length` bits.

    The error is below 10^-30 of one bit: a bound that lies nearer to a whole number is not to be expected in any run.
    """
    return decimal.localcontext(decimal.Context(prec=length * 3 // 10 + 40, rounding=decimal.ROUND_HALF_EVEN))
