"""SHA-256 of a whole column: sixteen values side by side, a value in each lane of the processor's vectors.

FIPS 180-4. The schedule and the rounds are LLVM's vector types: what a processor has no wide vectors for it does in
more steps.
"""

from typing import Any

import numpy as np
import polars as pl
from llvmlite import ir
from numba import types
from numba.core import cgutils

from dataflow.compiled.loop import compiled, instruction
from dataflow.compiled.simd import load8
from dataflow.compiled.views import FIRST_BYTES, Numbers, to_bytes

LANES = 16
BLOCK = 64
WORDS = 2
"""Of 64 bits: what is kept of a digest that only names something."""


def _primes(count: int) -> list[int]:
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def _fraction(number: int, root: int) -> int:
    """The first 32 bits of the fraction of a root, exactly."""
    scaled, low, high = number << (32 * root), 0, 1 << 40
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**root <= scaled else (low, middle)
    return low & 0xFFFFFFFF


_ROUND = [_fraction(prime, 3) for prime in _primes(64)]
START = np.array([_fraction(prime, 2) for prime in _primes(8)], np.uint32)

_END = np.array([0, *(0x80 << (8 * count) for count in range(8)), 0], np.uint64)
"""The bit behind a message's last byte, by how many bytes of it are left at a word: -1 or fewer, 0 to 7, 8 or more."""


def names(values: pl.Series) -> Numbers:
    """The first half of each value's digest as [row, WORDS] numbers of 64 bits, the first bytes in the highest place.

    values: texts, none of them null.
    """
    offsets, data, _ = to_bytes(values)
    found = np.empty((len(values), WORDS), np.uint64)
    _names(data, offsets, START, np.empty((3, 16, LANES), np.uint32), found)
    return found


@instruction
def compress(typing_context: Any, state: Any, block: Any) -> Any:
    """One block of SHA-256 in every lane. state: [8, LANES], changed in place. block: [16, LANES], big-endian words."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = ir.VectorType(ir.IntType(32), LANES)
        turn = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fshr.v{LANES}i32"
        )

        def all_of(value: int) -> Any:
            return ir.Constant(vector, [value] * LANES)

        def right(value: Any, bits: int) -> Any:
            return builder.call(turn, [value, value, all_of(bits)])

        def either(*values: Any) -> Any:
            total = values[0]
            for value in values[1:]:
                total = builder.xor(total, value)
            return total

        def plus(*values: Any) -> Any:
            total = values[0]
            for value in values[1:]:
                total = builder.add(total, value)
            return total

        def rows(kind: Any, array: Any, count: int) -> list[Any]:
            data = context.make_array(kind)(context, builder, array).data
            first = builder.bitcast(data, vector.as_pointer())
            return [builder.gep(first, [ir.Constant(ir.IntType(64), row)]) for row in range(count)]

        def load(pointer: Any) -> Any:
            loaded = builder.load(pointer)
            loaded.align = 4
            return loaded

        held = rows(signature.args[0], arguments[0], 8)
        words = [load(pointer) for pointer in rows(signature.args[1], arguments[1], 16)]
        before = [load(pointer) for pointer in held]
        a, b, c, d, e, f, g, h = before
        for number in range(64):
            if number >= 16:
                near, far = words[number % 16 - 2], words[number % 16 - 15]
                small = either(right(far, 7), right(far, 18), builder.lshr(far, all_of(3)))
                large = either(right(near, 17), right(near, 19), builder.lshr(near, all_of(10)))
                words[number % 16] = plus(words[number % 16], small, words[number % 16 - 7], large)
            turned = either(right(e, 6), right(e, 11), right(e, 25))
            choice = builder.xor(g, builder.and_(e, builder.xor(f, g)))
            one = plus(h, turned, choice, all_of(_ROUND[number]), words[number % 16])
            turned = either(right(a, 2), right(a, 13), right(a, 22))
            most = builder.or_(builder.and_(a, b), builder.and_(c, builder.or_(a, b)))
            a, b, c, d, e, f, g, h = plus(one, turned, most), a, b, c, builder.add(d, one), e, f, g
        for pointer, old, new in zip(held, before, (a, b, c, d, e, f, g, h), strict=True):
            builder.store(builder.add(old, new), pointer).align = 4
        return context.get_dummy_value()

    return types.void(state, block), generate


@instruction
def _swapped(typing_context: Any, word: Any) -> Any:
    """Eight bytes in the other order."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bswap(arguments[0])

    return types.uint64(word), generate


@compiled
def _names(data: Numbers, offsets: Numbers, begin: Numbers, room: Numbers, found: Numbers) -> None:
    """room: [block, state, state before; 16; LANES]."""
    block, state, before = room[0], room[1], room[2]
    count = len(offsets) - 1
    for first in range(0, count, LANES):
        lanes = min(LANES, count - first)
        absorb(data, offsets, first, lanes, begin, 0, block, state, before)
        for lane in range(lanes):
            for half in range(WORDS):
                high, low = np.uint64(state[2 * half, lane]), np.uint64(state[2 * half + 1, lane])
                found[first + lane, half] = (high << np.uint64(32)) | low


@compiled
def absorb(
    data: Numbers,
    offsets: Numbers,
    first: int,
    lanes: int,
    begin: Numbers,
    hashed: int,
    block: Numbers,
    state: Numbers,
    before: Numbers,
) -> None:
    """The state behind the values from `first` on, one a lane, and their padding.

    begin: the state before them, the same in every lane. hashed: bytes that this state has hashed. block, before: room.
    """
    longest = 0
    for lane in range(lanes):
        longest = max(longest, offsets[first + lane + 1] - offsets[first + lane])
    for word in range(8):
        for lane in range(LANES):
            state[word, lane] = begin[word]
    most = (longest + 9 + BLOCK - 1) // BLOCK
    for number in range(most):
        for lane in range(lanes):
            start = offsets[first + lane]
            _fill(data, start, offsets[first + lane + 1] - start, hashed, number, block, lane)
        if number:
            copy(state, before)
        compress(state, block)
        if number:
            for lane in range(lanes):
                length = offsets[first + lane + 1] - offsets[first + lane]
                if number >= (length + 9 + BLOCK - 1) // BLOCK:
                    for word in range(8):
                        state[word, lane] = before[word, lane]


@compiled
def copy(source: Numbers, to: Numbers) -> None:
    """A state into the first half of a block."""
    for word in range(8):
        for lane in range(LANES):
            to[word, lane] = source[word, lane]


@compiled
def _fill(data: Numbers, start: int, length: int, hashed: int, number: int, block: Numbers, lane: int) -> None:
    """Write one block of a message, its padding included, into a lane. hashed: bytes that were hashed before it."""
    for pair in range(8):
        offset = number * BLOCK + pair * 8
        left = length - offset
        word = np.uint64(0)
        if left > 0:
            word = load8(data, start + offset) & FIRST_BYTES[min(left, 8)]
        word = _swapped(word | _END[min(max(left, -1), 8) + 1])
        block[2 * pair, lane] = np.uint32(word >> np.uint64(32))
        block[2 * pair + 1, lane] = np.uint32(word & np.uint64(0xFFFFFFFF))
    if number == (length + 9 + BLOCK - 1) // BLOCK - 1:
        bits = np.uint64(hashed + length) * np.uint64(8)
        block[14, lane] = np.uint32(bits >> np.uint64(32))
        block[15, lane] = np.uint32(bits & np.uint64(0xFFFFFFFF))
