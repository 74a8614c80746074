"""One stand-in for Cloud KMS, emptied for each test."""

from collections.abc import Iterator

import pytest

from tests.dataflow.keys.kms_server import KmsServer


@pytest.fixture(scope="module")
def kms_server() -> Iterator[KmsServer]:
    server = KmsServer()
    yield server
    server.stop()


@pytest.fixture
def kms(kms_server: KmsServer, monkeypatch: pytest.MonkeyPatch) -> KmsServer:
    """The stand-in, without keys, faults and calls; clients of this process go to it."""
    kms_server.keys.clear()
    kms_server.faults.clear()
    kms_server.calls.clear()
    kms_server.denied.clear()
    monkeypatch.setenv("NOREN_KMS_EMULATOR", kms_server.address)
    monkeypatch.delenv("NOREN_KMS_KEY", raising=False)
    return kms_server
