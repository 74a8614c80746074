"""What happens to a call, as it was ordered."""

import threading
import urllib.error
import urllib.request

import pytest

from scripts.faults.faults import Fault, Faults
from scripts.faults.http import HttpFaults

REFUSE = Fault("refuse", 429, "rateLimitExceeded")


def test_faults_begin_and_stop() -> None:
    faults = Faults(seed=7)
    assert faults.next("call") is None
    faults.begin(1.0, [REFUSE])
    assert faults.next("call") == REFUSE
    faults.stop()
    assert faults.next("call") is None
    faults.begin(1.0, [Fault("cut")])
    assert faults.next("call") == Fault("cut")


def test_what_hangs_is_cut_when_the_faults_stop() -> None:
    faults = Faults(Fault("hang"))
    with HttpFaults("http://127.0.0.1:9", faults) as faulty:
        threading.Timer(0.2, faults.stop).start()
        with pytest.raises(ConnectionError):
            urllib.request.urlopen(faulty.url, timeout=60)


def test_a_server_that_is_away_is_a_bad_gateway() -> None:
    with HttpFaults("http://127.0.0.1:9", Faults()) as faulty, pytest.raises(urllib.error.HTTPError, match="502"):
        urllib.request.urlopen(faulty.url, timeout=60)
