"""How `noren run` ends."""

import signal
import subprocess
import sys

import pytest

WAITING = """
import threading, time
from scripts.cli.run import _stop_on_signals
stop = threading.Event()
_stop_on_signals(stop)
print("running", flush=True)
stop.wait()
print("stopping", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_ends_a_stop_that_has_to_wait(number: signal.Signals) -> None:
    process = subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        process.send_signal(number)
        assert process.stdout.readline() == "stopping\n"
        process.send_signal(number)
        assert process.wait(10) == 128 + number
    finally:
        process.kill()
        process.communicate()
