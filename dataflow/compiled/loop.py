"""How inner loops are compiled.

Kept on disk beside their source, so that a machine compiles them once; without Python's lock. `compiled` functions
allocate nothing: numba then leaves out the counting of references to every array that is handed on, which cost more
than the work (12 us an event, against 0.5). `allocating` ones may.
"""

from collections.abc import Callable
from typing import Any

import numba
from numba import extending

type Function = Callable[..., Any]


def compiled(function: Function) -> Function:
    loop: Function = numba.njit(cache=True, nogil=True, _nrt=False)(function)
    return loop


def inlined(function: Function) -> Function:
    """For what is called for every character or field."""
    loop: Function = numba.njit(cache=True, nogil=True, _nrt=False, inline="always")(function)
    return loop


def allocating(function: Function) -> Function:
    loop: Function = numba.njit(cache=True, nogil=True)(function)
    return loop


def instruction(function: Function) -> Any:
    """A function that writes LLVM's code itself: (typing context, types of its arguments) -> (signature, generator)."""
    return extending.intrinsic(function)
