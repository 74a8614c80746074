"""Cloud KMS as a key-encryption key, over gRPC against a server of the official messages."""

import logging
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import google_crc32c
import grpc
import pytest
from google.cloud import kms_v1

from dataflow.errors import NorenError
from dataflow.keys import kms as module
from dataflow.keys.kms import KmsKey
from tests.dataflow.keys.kms_server import KmsServer, Version

SECRET = b"a keyset in clear"


@pytest.fixture
def key(kms: KmsServer) -> KmsKey:
    return KmsKey(kms.create("wrapping"))


def test_what_is_encrypted_opens_again(key: KmsKey) -> None:
    assert key.decrypt(key.encrypt(SECRET, b"token.app.22"), b"token.app.22") == SECRET


def test_requests_carry_checksums_of_data_and_context(key: KmsKey, kms: KmsServer) -> None:
    sealed = key.encrypt(SECRET, b"context")
    key.decrypt(sealed, b"context")
    (_, encrypt), (_, decrypt) = kms.calls
    assert encrypt.plaintext_crc32c == google_crc32c.value(SECRET)
    assert encrypt.additional_authenticated_data_crc32c == google_crc32c.value(b"context")
    assert decrypt.ciphertext_crc32c == google_crc32c.value(sealed)
    assert decrypt.additional_authenticated_data_crc32c == google_crc32c.value(b"context")


def unverified_plaintext(answer: Any) -> None:
    answer.verified_plaintext_crc32c = False


def unverified_context(answer: Any) -> None:
    answer.verified_additional_authenticated_data_crc32c = False


def damaged_ciphertext(answer: Any) -> None:
    answer.ciphertext += b"x"


def other_key(answer: Any) -> None:
    answer.name = "projects/p/locations/l/keyRings/r/cryptoKeys/other/cryptoKeyVersions/1"


ENCRYPT_FAULTS = [unverified_plaintext, unverified_context, damaged_ciphertext, other_key]


@pytest.mark.parametrize("fault", ENCRYPT_FAULTS)
def test_an_encryption_damaged_on_the_way_is_asked_for_again(key: KmsKey, kms: KmsServer, fault: Any) -> None:
    kms.faults[:] = [fault, fault]
    sealed = key.encrypt(SECRET, b"")
    assert len(kms.calls) == 3
    assert key.decrypt(sealed, b"") == SECRET


@pytest.mark.parametrize("fault", ENCRYPT_FAULTS)
def test_an_encryption_that_stays_damaged_is_refused(key: KmsKey, kms: KmsServer, fault: Any) -> None:
    kms.faults[:] = [fault] * 3
    with pytest.raises(NorenError, match=r"/wrapping: answers of Cloud KMS were damaged on the way, 3 times"):
        key.encrypt(SECRET, b"")


def test_a_plaintext_damaged_on_the_way_is_asked_for_again_and_then_refused(key: KmsKey, kms: KmsServer) -> None:
    def damaged(answer: Any) -> None:
        answer.plaintext = b"another keyset"

    sealed = key.encrypt(SECRET, b"")
    kms.faults[:] = [damaged]
    assert key.decrypt(sealed, b"") == SECRET
    kms.faults[:] = [damaged] * 3
    with pytest.raises(NorenError, match="damaged on the way"):
        key.decrypt(sealed, b"")


def test_a_service_that_is_unavailable_once_is_asked_again(key: KmsKey, kms: KmsServer) -> None:
    kms.faults[:] = [grpc.StatusCode.UNAVAILABLE]
    sealed = key.encrypt(SECRET, b"")
    kms.faults[:] = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED]
    assert key.decrypt(sealed, b"") == SECRET


def test_a_service_that_stays_away_is_told_in_one_sentence(
    key: KmsKey, kms: KmsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.3)
    kms.faults[:] = [grpc.StatusCode.UNAVAILABLE] * 50
    with pytest.raises(NorenError, match=r"/wrapping: Cloud KMS was out of reach for 0 s; try again\.$"):
        key.encrypt(SECRET, b"")


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ("Encrypt", r"may not encrypt with the key; grant it roles/cloudkms.cryptoKeyEncrypter on it\.$"),
        ("Decrypt", r"may not decrypt with the key; grant it roles/cloudkms.cryptoKeyDecrypter on it\.$"),
        ("GetCryptoKey", r"may not look at the key; grant it roles/cloudkms.viewer on it\.$"),
    ],
)
def test_a_missing_right_is_named(key: KmsKey, kms: KmsServer, method: str, sentence: str) -> None:
    sealed = key.encrypt(SECRET, b"")
    kms.denied.add(method)
    calls = {"Encrypt": lambda: key.encrypt(SECRET, b""), "Decrypt": lambda: key.decrypt(sealed, b"")}
    with pytest.raises(NorenError, match=sentence):
        calls.get(method, key.state)()


@pytest.mark.parametrize("state", [Version.DISABLED, Version.DESTROYED])
def test_a_key_that_is_disabled_is_told(key: KmsKey, kms: KmsServer, state: Version) -> None:
    kms.key(key.name).state = state
    with pytest.raises(NorenError, match="is disabled or destroyed; enable it in Cloud KMS"):
        key.encrypt(SECRET, b"")


def test_a_key_that_does_not_exist_is_told(kms: KmsServer) -> None:
    missing = KmsKey("gcp-kms://projects/p/locations/l/keyRings/r/cryptoKeys/none")
    with pytest.raises(NorenError, match="there is no such key; create it, or mend the name in NOREN_KMS_KEY"):
        missing.encrypt(SECRET, b"")


def test_without_credentials_the_way_to_them_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kms: KmsServer
) -> None:
    monkeypatch.delenv("NOREN_KMS_EMULATOR")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(NorenError, match="there are no valid credentials; run gcloud auth application-default login"):
        KmsKey("gcp-kms://projects/p/locations/l/keyRings/r/cryptoKeys/k").encrypt(SECRET, b"")


def test_another_context_or_key_does_not_open(key: KmsKey, kms: KmsServer) -> None:
    sealed = key.encrypt(SECRET, b"token.app.22")
    with pytest.raises(NorenError, match="not wrapped by this key under this name"):
        key.decrypt(sealed, b"token.app.23")
    with pytest.raises(NorenError, match="not wrapped by this key under this name"):
        KmsKey(kms.create("other")).decrypt(sealed, b"token.app.22")


def test_an_answer_nobody_foresaw_is_told_by_its_code_alone(key: KmsKey, kms: KmsServer) -> None:
    kms.faults[:] = [grpc.StatusCode.RESOURCE_EXHAUSTED]
    with pytest.raises(NorenError, match=r"/wrapping: Cloud KMS answers RESOURCE_EXHAUSTED\.$"):
        key.encrypt(SECRET, b"")


def test_the_state_is_of_the_primary_version(key: KmsKey, kms: KmsServer) -> None:
    assert key.state() == "ENABLED, version 1"
    kms.add_version(key.name)
    kms.key(key.name).state = Version.DISABLED
    assert key.state() == "DISABLED, version 2"


def test_a_signing_key_is_refused(key: KmsKey, kms: KmsServer) -> None:
    kms.key(key.name).purpose = kms_v1.CryptoKey.CryptoKeyPurpose.ASYMMETRIC_SIGN
    with pytest.raises(NorenError, match="is no key for symmetric encryption"):
        key.state()


def test_old_versions_still_open(key: KmsKey, kms: KmsServer) -> None:
    sealed = key.encrypt(SECRET, b"")
    kms.add_version(key.name)
    assert key.decrypt(sealed, b"") == SECRET


@pytest.mark.parametrize(
    "name", ["gcp-kms://projects/p/cryptoKeys/k", "projects/p/locations/l/keyRings/r/cryptoKeys/k", "aws-kms://k", ""]
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(NorenError, match="is no Cloud KMS key; write gcp-kms://"):
        KmsKey(name)


@pytest.mark.parametrize("address", ["kms.example.com:443", "10.0.0.1:80", "localhost:80"])
def test_a_stand_in_on_another_machine_is_refused(address: str) -> None:
    with pytest.raises(NorenError, match="is not on this machine"):
        module.client(address)


class Kept(logging.Handler):
    """Keeps everything that is logged, with the attributes of each record."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += repr(vars(record))


@pytest.fixture
def logged() -> Iterator[Kept]:
    """All logging of the process at its loudest, the Google libraries' own included."""
    kept = Kept()
    loggers = [
        logging.getLogger(name)
        for name in ("", "google", "google.cloud.kms_v1.services.key_management_service.transports.grpc")
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.addHandler(kept)
    yield kept
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
        logger.removeHandler(kept)


def test_the_library_logs_no_keyset_even_at_debug_level(key: KmsKey, logged: Kept) -> None:
    logging.getLogger("google.probe").debug("the handler works")
    assert key.decrypt(key.encrypt(SECRET, b""), b"") == SECRET
    assert "the handler works" in logged.text
    assert "keyset in clear" not in logged.text
    assert "YSBrZXlzZXQgaW4gY2xlYXI" not in logged.text  # base64 of it


def test_neither_repr_nor_pickle(key: KmsKey) -> None:
    assert repr(key) == f"KmsKey({key.name})"
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(key)
