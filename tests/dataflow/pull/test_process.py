"""Large blocks that were freed are given back, whatever was freed before."""

import subprocess
import sys

import pytest

PROBE = """
import ctypes, sys
from pathlib import Path
from dataflow.pull.process import tune
if sys.argv[1] == "tuned":
    tune()
malloc, free = ctypes.CDLL(None).malloc, ctypes.CDLL(None).free
malloc.restype, malloc.argtypes, free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
free(malloc(30 << 20))
before = resident()
blocks, small = zip(*((malloc(8 << 20), malloc(100_000)) for _ in range(8)))
for block in blocks:
    ctypes.memset(block, 1, 8 << 20)
for block in blocks:
    free(block)
print((resident() - before) >> 20)
"""


def left_resident(how: str) -> int:
    """MiB of 64 that stay with the process after all of them were freed."""
    done = subprocess.run([sys.executable, "-c", PROBE, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone has mallopt.")
def test_large_blocks_go_back_whatever_was_freed_before() -> None:
    assert left_resident("as it is") > 32
    assert left_resident("tuned") < 8
