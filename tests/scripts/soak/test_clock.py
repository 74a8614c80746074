"""A program under a clock that jumps."""

import subprocess
import sys
from pathlib import Path

from scripts.soak.clock import set_clock

PROGRAM = """
import sys, time
from pathlib import Path
real, monotonic = time.time(), time.monotonic()
from scripts.soak.clock import set_clock, shift
file = Path(sys.argv[1])
shift(file)
print(round(time.time() - real), round((time.time_ns() / 1e9) - real))
set_clock(file, -3600.0)
print(round(time.time() - real), round(time.monotonic() - monotonic) < 60)
from grpc import _channel
print(abs(_channel.time.time() - real) < 60)
"""


def test_it_jumps_while_the_program_runs_and_grpc_and_the_monotonic_clock_do_not(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    set_clock(file, 86_400.0)
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(file)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    ahead, behind, grpc = said
    assert all(abs(int(seconds) - 86_400) < 60 for seconds in ahead.split())
    assert abs(int(behind.split()[0]) + 3_600) < 60
    assert (behind.split()[1], grpc) == ("True", "True")
