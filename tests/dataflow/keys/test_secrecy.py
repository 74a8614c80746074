"""No key in what is logged, raised, shown or written.

Each test knows the keys: it opens the keysets beside the house's code, and greps in every form a key is printed in.
"""

import base64
import json
import logging
import traceback
from collections.abc import Callable
from pathlib import Path

import grpc
import polars as pl
import pytest
from tink import aead, proto_keyset_format, secret_key_access
from tink.proto import aes_gcm_pb2, aes_siv_pb2, hmac_prf_pb2, tink_pb2

from dataflow.errors import NorenError
from dataflow.keys import KeyRing, KmsKey
from tests.dataflow.keys.kms_server import KmsServer

Run = Callable[[], object]


def secrets(keyset: tink_pb2.Keyset) -> list[bytes]:
    """The bytes of every key of a keyset."""
    kinds = {
        "AesGcmKey": aes_gcm_pb2.AesGcmKey,
        "AesSivKey": aes_siv_pb2.AesSivKey,
        "HmacPrfKey": hmac_prf_pb2.HmacPrfKey,
    }
    return [
        kinds[key.key_data.type_url.rpartition(".")[2]].FromString(key.key_data.value).key_value for key in keyset.key
    ]


def forms(secret: bytes) -> set[str]:
    """How a key may stand in a text: any six bytes of it are enough."""
    parts = [secret[start : start + 12] for start in range(0, len(secret) - 12, 4)]
    texts = set()
    for part in parts:
        texts |= {part.hex(), part.hex().upper(), repr(part)[2:-1], ", ".join(map(str, part))}
        texts.add("".join(f"\\{byte:03o}" for byte in part))
        # a run of base64 of it, whatever stands before
        texts |= {base64.b64encode(bytes(shift) + part)[4 * shift // 3 + 2 : -4].decode() for shift in range(3)}
    return {text for text in texts if len(text) >= 8}


def assert_silent(text: str, known: list[bytes]) -> None:
    assert known
    for secret in known:
        found = [form for form in forms(secret) if form in text]
        assert not found, "a key is in what was told"


def told(call: Run) -> str:
    """Everything that the error of `call` gives away: texts, causes and the local variables of all its frames."""
    try:
        call()
    except Exception as error:  # noqa: BLE001  (whatever it is)
        here = traceback.TracebackException.from_exception(error, capture_locals=True)
        return "".join(here.format()) + repr(error.__cause__) + repr(error.__context__)
    raise AssertionError("nothing was raised")


def opened(directory: Path) -> list[bytes]:
    """Every key below a local key directory, and the key-encryption key."""
    kek = proto_keyset_format.parse((directory / "kek").read_bytes(), secret_key_access.TOKEN)
    known = secrets(tink_pb2.Keyset.FromString((directory / "kek").read_bytes()))
    for path in (directory / "keysets").iterdir():
        stem, _, generation = path.name.rpartition(".")
        sealed = base64.b64decode(json.loads(path.read_bytes())["keyset"])
        context = f"{stem}.{int(generation)}".encode()
        handle = proto_keyset_format.parse_encrypted(sealed, kek.primitive(aead.Aead), context)
        keyset = tink_pb2.Keyset.FromString(proto_keyset_format.serialize(handle, secret_key_access.TOKEN))
        known += secrets(keyset)
    return known


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    ring = KeyRing.local(tmp_path)
    ring.token_key("app", 22)
    ring.deterministic_key("app", 22)
    ring.sealer("journal")
    return ring


def test_the_grep_finds_a_key_that_is_shown(tmp_path: Path, ring: KeyRing) -> None:
    """The tests below can fail."""
    known = opened(tmp_path)
    assert len(known) == 4
    for secret in known:
        for shown in (repr(secret), secret.hex(), str(list(secret)), base64.b64encode(b"x" + secret).decode()):
            with pytest.raises(AssertionError, match="a key is in what was told"):
                assert_silent(shown, known)

    def fails() -> None:
        held = known[0]
        raise ValueError(len(held))

    with pytest.raises(AssertionError, match="a key is in what was told"):
        assert_silent(told(fails), known)


def test_nothing_that_is_shown_or_written_has_a_key(
    tmp_path: Path, ring: KeyRing, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    again = KeyRing.local(tmp_path)
    key, siv, sealer = again.token_key("app", 22), again.deterministic_key("app", 22), again.sealer("journal")
    again.rotate("journal")
    again.rewrap()
    frame = pl.LazyFrame({"id": ["ana"]}).select(t=key.expression(pl.col("id")), e=siv.expression(pl.col("id")))
    shown = [repr(key), repr(siv), repr(sealer), repr(again), repr(again.listing()), str(key.expression(pl.col("id")))]
    shown += [str(siv.expression(pl.col("id"))), frame.explain(), repr(frame.collect()), caplog.text]
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "kek"]
    known = opened(tmp_path)
    assert_silent("\n".join(shown), known)
    for data in written:
        assert_silent(repr(data), known)
        assert not any(secret in data for secret in known)


def test_errors_of_using_a_key_have_none(tmp_path: Path, ring: KeyRing) -> None:
    key, siv, sealer = ring.token_key("app", 22), ring.deterministic_key("app", 22), ring.sealer("journal")
    numbers = pl.DataFrame({"id": [1]})
    calls: list[Run] = [
        lambda: numbers.select(key.expression(pl.col("id"))),
        lambda: numbers.select(key.expression(pl.col("other"))),
        lambda: numbers.select(siv.expression(pl.col("id"))),
        lambda: siv.encrypt(pl.Series([1])),
        lambda: siv.value(b"nonsense"),
        lambda: siv.ciphertext(None),  # type: ignore[arg-type]
        lambda: key.token(None),  # type: ignore[arg-type]
        lambda: sealer.open(b"nonsense"),
    ]
    for call in calls:
        assert_silent(told(call), opened(tmp_path))


def test_errors_of_opening_a_keyset_have_no_key(tmp_path: Path, ring: KeyRing) -> None:
    known = opened(tmp_path)
    (path,) = (tmp_path / "keysets").glob("token.app.22.*")
    path.rename(path.with_name("token.web.22.000001"))
    assert_silent(told(lambda: KeyRing.local(tmp_path).token_key("web", 22)), known)
    assert_silent(told(lambda: KeyRing.local(tmp_path).token_key("app", 22)), known)


@pytest.fixture
def caught(kms: KmsServer) -> Callable[[], list[bytes]]:
    """The keys of every keyset that was sent to be encrypted: the server has seen them in clear."""

    def known() -> list[bytes]:
        sent = [asked.plaintext for method, asked in kms.calls if method == "Encrypt"]
        return [secret for plaintext in sent for secret in secrets(tink_pb2.Keyset.FromString(plaintext))]

    return known


@pytest.mark.parametrize("fault", ["denied", "unavailable", "damaged", "strange"])
def test_errors_of_wrapping_have_no_key(
    tmp_path: Path, kms: KmsServer, caught: Callable[[], list[bytes]], fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """While Cloud KMS is asked, frames of Tink and gRPC hold the keyset in clear."""
    caplog.set_level(logging.DEBUG)

    def damaged(answer: object) -> None:
        answer.ciphertext_crc32c = 1  # type: ignore[attr-defined]

    kms.faults[:] = {
        "denied": [grpc.StatusCode.PERMISSION_DENIED],
        "unavailable": [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.PERMISSION_DENIED],
        "damaged": [damaged] * 3,
        "strange": [grpc.StatusCode.DATA_LOSS],
    }[fault]
    ring = KeyRing.open(tmp_path, kms.create("wrapping"))
    for call in (
        lambda: ring.token_key("app", 22),
        lambda: ring.deterministic_key("app", 22),
        lambda: ring.sealer("journal"),
    ):
        faults = list(kms.faults)
        text = told(call)
        assert "cryptoKeys/wrapping" in text
        assert_silent(text + caplog.text, caught())
        kms.faults[:] = faults or [grpc.StatusCode.PERMISSION_DENIED]


def test_errors_of_rotating_rewrapping_and_exporting_have_no_key(
    tmp_path: Path, kms: KmsServer, caught: Callable[[], list[bytes]]
) -> None:
    ring = KeyRing.open(tmp_path, kms.create("wrapping"))
    ring.sealer("journal")
    ring.deterministic_key("app", 22)
    reader = KmsKey(kms.create("reader"))
    kms.denied.add("Encrypt")
    calls: list[Run] = [lambda: ring.rotate("journal"), ring.rewrap, lambda: ring.export("app", reader)]
    for call in calls:
        text = told(call)
        assert "may not encrypt with the key" in text
        assert_silent(text, caught())


def test_an_error_of_the_guard_stands_alone(tmp_path: Path, kms: KmsServer) -> None:
    kms.denied.add("Encrypt")
    with pytest.raises(NorenError) as raised:
        KeyRing.open(tmp_path, kms.create("wrapping")).token_key("app", 22)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    assert {"tink", "grpc", "google"}.isdisjoint(
        frame.filename.split("site-packages/")[-1].split("/")[0]
        for frame in traceback.extract_tb(raised.value.__traceback__)
    )
