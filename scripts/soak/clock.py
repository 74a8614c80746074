"""`noren` under a clock that jumps: `python -m scripts.soak.clock FILE run app_event ...`.

FILE holds one double: the seconds by which `time.time` and `time.time_ns` are ahead of the machine's clock. `set_clock`
changes it while the program runs. `time.monotonic` goes on as it is, which is what a jump of a real clock does.
gRPC keeps the machine's clock: it asks Python for a deadline and the machine whether it has passed.
"""

import mmap
import struct
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from grpc import _channel, _common, _server, _utilities

_SECONDS = struct.Struct("<d")


def set_clock(file: Path, seconds: float) -> None:
    """How far the clock of the programs that run under this file is ahead; also makes the file."""
    with file.open("r+b" if file.exists() else "wb") as opened:
        opened.write(_SECONDS.pack(seconds))


def shift(file: Path) -> None:
    """Replace the clock of this process."""
    with file.open("rb") as opened:
        ahead = mmap.mmap(opened.fileno(), _SECONDS.size, access=mmap.ACCESS_READ)
    unshifted = SimpleNamespace(**vars(time))
    for module in (_channel, _common, _server, _utilities):
        module.time = unshifted
    real, real_ns = time.time, time.time_ns

    def seconds() -> float:
        found: float = _SECONDS.unpack_from(ahead)[0]
        return found

    time.time = lambda: real() + seconds()
    time.time_ns = lambda: real_ns() + int(seconds() * 1e9)


if __name__ == "__main__":
    shift(Path(sys.argv.pop(1)))
    from scripts.cli import main

    main()
