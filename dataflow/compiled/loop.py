"""How inner loops are compiled.

Kept on disk beside their source, so that a machine compiles them once; without Python's lock. Numba keeps what it
compiled until that one file changes, but constants and functions of other modules are part of it, and a layout of
memory that only half of the loops know of is no error but a wrong read: so each is kept with a digest of the modules
that its own imports (https://numba.readthedocs.io/en/stable/developer/caching.html). `compiled` functions
allocate nothing: numba then leaves out the counting of references to every array that is handed on, which cost more
than the work (12 us an event, against 0.5). `allocating` ones may.
"""

import functools
import hashlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import extending

type Function = Callable[..., Any]

_IMPORT = re.compile(r"^(?:from|import) ([\w.]+)", re.MULTILINE)


def compiled(function: Function) -> Function:
    return _kept(numba.njit(cache=True, nogil=True, _nrt=False)(function), function)


def inlined(function: Function) -> Function:
    """For what is called for every character or field."""
    return _kept(numba.njit(cache=True, nogil=True, _nrt=False, inline="always")(function), function)


def allocating(function: Function) -> Function:
    return _kept(numba.njit(cache=True, nogil=True)(function), function)


def instruction(function: Function) -> Any:
    """A function that writes LLVM's code itself: (typing context, types of its arguments) -> (signature, generator)."""
    return extending.intrinsic(function)


def _kept(loop: Any, function: Function) -> Function:
    """The loop, compiled anew when a module changed that its own imports."""
    file = loop._cache._cache_file
    file._source_stamp = (file._source_stamp, _digest(function.__module__))
    kept: Function = loop
    return kept


@functools.cache
def _digest(module: str) -> str:
    """Of the sources of a module and of all that it imports of its own package."""
    package, known, todo = module.partition(".")[0], dict[str, str](), [module]
    while todo:
        name = todo.pop()
        file = getattr(sys.modules.get(name), "__file__", None)
        if name in known or file is None or name.partition(".")[0] != package:
            continue
        known[name] = Path(file).read_text(encoding="utf-8")
        todo += _IMPORT.findall(known[name])
    return hashlib.sha256(repr(sorted(known.items())).encode()).hexdigest()
