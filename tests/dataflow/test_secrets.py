"""Secrets: read from Secret Manager or a file, and shown by nothing."""

import copy
import json
import logging
import pickle
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from dataflow import secrets
from dataflow.errors import NorenError
from dataflow.secrets import Secret, read_secret
from tests.dataflow.secret_server import SecretServer

VALUE = "correct horse battery staple"
NAME = "projects/noren-test/secrets/database/versions/3"


@pytest.fixture(scope="module")
def server_of_all() -> Iterator[SecretServer]:
    server = SecretServer()
    yield server
    server.stop()


@pytest.fixture
def server(server_of_all: SecretServer, monkeypatch: pytest.MonkeyPatch) -> SecretServer:
    """It has one secret, and clients of this process go to it."""
    server_of_all.versions = {NAME: VALUE.encode()}
    server_of_all.faults.clear()
    server_of_all.calls = 0
    monkeypatch.setenv(secrets.EMULATOR, server_of_all.address)
    return server_of_all


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(VALUE + "\n")
    path.chmod(0o600)
    return path


def test_a_version_is_read(server: SecretServer) -> None:
    secret = read_secret(NAME)
    assert (secret.reveal(), secret.name) == (VALUE, NAME)


def test_a_regional_secret_and_the_latest_version_have_names_too(server: SecretServer) -> None:
    name = "projects/noren-test/locations/asia-northeast1/secrets/database/versions/latest"
    server.versions[name] = b"other"
    assert read_secret(name).reveal() == "other"


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, "this identity may not read the secret; grant it roles/secretmanager.secr"),
        (grpc.StatusCode.NOT_FOUND, "there is no such secret or version; add one, or mend the name."),
        (grpc.StatusCode.FAILED_PRECONDITION, "the version is disabled or destroyed; enable it in Secret Manager, or"),
        (grpc.StatusCode.INTERNAL, "Secret Manager answers INTERNAL."),
    ],
)
def test_every_refusal_is_one_sentence(server: SecretServer, status: grpc.StatusCode, sentence: str) -> None:
    server.versions[NAME] = status
    with pytest.raises(NorenError) as refused:
        read_secret(NAME)
    assert str(refused.value).startswith(f"{NAME}: {sentence}")


def test_what_is_unavailable_or_over_its_quota_is_asked_again(server: SecretServer) -> None:
    server.faults += [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED]
    assert read_secret(NAME).reveal() == VALUE
    assert server.calls == 3


def test_it_is_not_waited_for_without_end(server: SecretServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "TIMEOUT", 0.5)
    server.faults += [grpc.StatusCode.UNAVAILABLE] * 1_000
    with pytest.raises(NorenError, match=f"^{NAME}: Secret Manager was out of reach for 0 s; try again"):
        read_secret(NAME)


def damage(answer: object) -> None:
    answer.payload.data = b"correct horse battery stable"  # type: ignore[attr-defined]


def test_a_damaged_answer_is_asked_for_again(server: SecretServer) -> None:
    server.faults += [damage]
    assert read_secret(NAME).reveal() == VALUE


def test_damaged_answers_are_no_secret(server: SecretServer) -> None:
    server.faults += [damage] * secrets.ATTEMPTS
    with pytest.raises(NorenError, match=r"damaged on the way, 3 times \(CRC32C\)") as refused:
        read_secret(NAME)
    assert "stable" not in str(refused.value)


def test_a_stand_in_on_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(secrets.EMULATOR, "10.0.0.1:80")
    with pytest.raises(NorenError, match=r"^NOREN_SECRET_MANAGER_EMULATOR: 10\.0\.0\.1:80 is not on this machine"):
        read_secret(NAME)


def test_without_credentials_it_says_what_to_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (secrets.EMULATOR, "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(NorenError, match=r"there are no valid credentials; run gcloud auth application-default login"):
        read_secret(NAME)


def test_a_file_is_read_without_its_line_end(kept: Path) -> None:
    assert read_secret(f"file:{kept}").reveal() == VALUE


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o666])
def test_a_file_that_everybody_may_read_or_change_is_refused(kept: Path, mode: int) -> None:
    kept.chmod(mode)
    with pytest.raises(NorenError, match=rf"everybody on this machine may read or change it; run chmod 600 {kept}\.$"):
        read_secret(f"file:{kept}")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"\n", "is empty."), (b"\xff\xfe", "is no text in UTF-8."), (b"x" * 65_537, "is larger than 65536 bytes")],
    ids=["empty", "bytes", "large"],
)
def test_a_file_that_holds_no_secret_is_one_sentence(kept: Path, content: bytes, sentence: str) -> None:
    kept.write_bytes(content)
    with pytest.raises(NorenError, match=sentence) as refused:
        read_secret(f"file:{kept}")
    assert str(refused.value).startswith(f"file:{kept}: ")


def test_a_file_that_is_missing_or_none_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NorenError, match=r"none: cannot be read: No such file or directory\.$"):
        read_secret(f"file:{tmp_path}/none")
    with pytest.raises(NorenError, match=r"is no file\.$"):
        read_secret(f"file:{tmp_path}")


@pytest.mark.parametrize("given", [VALUE, "", "projects/p/secrets/s", "https://hooks.example.com/T0/B0/secret"])
def test_a_secret_that_is_given_in_the_place_of_its_name_is_not_repeated(given: str) -> None:
    with pytest.raises(NorenError) as refused:
        read_secret(given)
    assert str(refused.value) == (
        "a secret is named projects/P/secrets/S/versions/V or file:PATH, and what was given is neither."
    )


def test_nothing_shows_it(kept: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret = read_secret(f"file:{kept}")
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").warning("opened with %s and %r", secret, [secret])
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>99}", f"{[secret]!r}", caplog.text]
    assert all(VALUE not in text for text in shown)
    assert repr(secret) == f"Secret(file:{kept})"
    assert not hasattr(secret, "__dict__")


def test_it_is_neither_pickled_nor_copied_nor_made_json(kept: Path) -> None:
    secret = read_secret(f"file:{kept}")
    for keep in (pickle.dumps, copy.copy, json.dumps):
        with pytest.raises(TypeError):
            keep(secret)


def test_the_client_logs_no_answer(server: SecretServer) -> None:
    text: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text.append(repr(vars(record)))

    handler, log = Kept(logging.NOTSET), logging.getLogger("google")
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        assert isinstance(read_secret(NAME), Secret)
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
    assert all(VALUE not in line for line in text)
