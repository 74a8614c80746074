"""What the process that runs the loop is set to: when threads give way, when garbage is looked for, which memory goes
back to the system."""

import ctypes
import gc
import sys

SWITCH_SECONDS = 0.0005
"""A batch goes through six threads: with Python's own 5 ms each of them waits that long for one that computes."""

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of mallopt(3)."""

LARGE = 4 << 20
"""Bytes of a block that has pages of its own and gives them back. By itself glibc raises this to the largest block that
was ever freed, up to 32 MiB: then blocks of folds and batches lie in the arenas of six threads, between small ones
that stay, and the process grows for hours without holding more (mallopt(3), M_MMAP_THRESHOLD)."""

KEPT = 32 << 20
"""Bytes at the end of an arena that it keeps for the next blocks. Who sets the one has to set the other, for that stays
at 128 KiB then, and batches pay for new pages: 2 ms of a message's way at 5,000 events a second."""


def tune() -> None:
    """Call once, when what is there by then stays."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's alone
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, LARGE)
        mallopt(TRIM_THRESHOLD, KEPT)
