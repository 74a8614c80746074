"""Instructions that numba has no word for: unaligned words, copies, and a look at 32 characters at once.

Each is written in LLVM's vector types, so that a processor without AVX gets the same answer in more steps.
A caller makes sure that `PADDING` bytes follow whatever it reads.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from dataflow.compiled.loop import instruction

PADDING = 64
"""Bytes behind a buffer's content that may be read (never looked at) by these loads."""

_WINDOW = 32


def _pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any, to: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), to.as_pointer())


@instruction
def special(typing_context: Any, buffer: Any, index: Any) -> Any:
    """A bit for each of 32 bytes that ends a run of plain text: quote, backslash, control character, no ASCII."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = ir.VectorType(ir.IntType(8), _WINDOW)
        loaded = builder.load(_pointer(context, builder, signature.args[0], *arguments, vector))
        loaded.align = 1

        def all_of(value: int) -> Any:
            return ir.Constant(vector, [value] * _WINDOW)

        quote = builder.icmp_unsigned("==", loaded, all_of(ord('"')))
        backslash = builder.icmp_unsigned("==", loaded, all_of(ord("\\")))
        # signed: what is not ASCII is negative
        low = builder.icmp_signed("<", loaded, all_of(0x20))
        return builder.bitcast(builder.or_(builder.or_(quote, backslash), low), ir.IntType(_WINDOW))

    return types.uint32(buffer, types.intp), generate


@instruction
def load8(typing_context: Any, buffer: Any, index: Any) -> Any:
    """Eight bytes from anywhere, the first in the lowest place."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        loaded = builder.load(_pointer(context, builder, signature.args[0], *arguments, ir.IntType(64)))
        loaded.align = 1
        return loaded

    return types.uint64(buffer, types.intp), generate


@instruction
def store8(typing_context: Any, buffer: Any, index: Any, word: Any) -> Any:
    """Eight bytes to anywhere."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index, word = arguments
        stored = builder.store(word, _pointer(context, builder, signature.args[0], array, index, ir.IntType(64)))
        stored.align = 1
        return context.get_dummy_value()

    return types.void(buffer, types.intp, types.uint64), generate


@instruction
def copied(typing_context: Any, source: Any, start: Any, length: Any, target: Any, at: Any) -> Any:
    """Copies bytes that do not overlap; where the copy ends. Many times faster than a loop over them: an index that may
    be negative, as Python's may, keeps LLVM from copying more than one at once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        from_array, start, length, to_array, at = arguments
        byte = ir.IntType(8)
        to_place = _pointer(context, builder, signature.args[3], to_array, at, byte)
        from_place = _pointer(context, builder, signature.args[0], from_array, start, byte)
        cgutils.raw_memcpy(builder, to_place, from_place, length, context.get_constant(types.intp, 1))
        return builder.add(at, length)

    return types.intp(source, types.intp, types.intp, target, types.intp), generate


@instruction
def zeros_below(typing_context: Any, mask: Any) -> Any:
    """Place of the lowest set bit; the mask is not 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        count = builder.cttz(arguments[0], cgutils.true_bit)
        return builder.zext(count, ir.IntType(64))

    return types.intp(types.uint32), generate
