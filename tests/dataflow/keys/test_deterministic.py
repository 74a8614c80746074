"""Deterministic encryption is AES-SIV in Tink's format, byte for byte, one value or a column."""

import pickle

import polars as pl
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given, settings
from hypothesis import strategies as st
from tink import daead, proto_keyset_format, secret_key_access
from tink.proto import aes_siv_pb2, tink_pb2

from dataflow.errors import NorenError
from dataflow.keys import DeterministicKey
from dataflow.keys.deterministic import LONG

daead.register()

KEY = bytes(range(64))
KEY_ID = 0xC0FFEE42
SIV = AESSIV(KEY)


def tink_primitive(key: bytes = KEY, key_id: int = KEY_ID) -> daead.DeterministicAead:
    """Tink's own, of the same key and id."""
    keyset = tink_pb2.Keyset(primary_key_id=key_id)
    keyset.key.add(
        key_data=tink_pb2.KeyData(
            type_url="type.googleapis.com/google.crypto.tink.AesSivKey",
            value=aes_siv_pb2.AesSivKey(version=0, key_value=key).SerializeToString(),
            key_material_type=tink_pb2.KeyData.SYMMETRIC,
        ),
        status=tink_pb2.ENABLED,
        key_id=key_id,
        output_prefix_type=tink_pb2.TINK,
    )
    handle = proto_keyset_format.parse(keyset.SerializeToString(), secret_key_access.TOKEN)
    return handle.primitive(daead.DeterministicAead)


TINK = tink_primitive()


@pytest.fixture(scope="module")
def key() -> DeterministicKey:
    return DeterministicKey(KEY, KEY_ID)


def encrypted(key: DeterministicKey, values: list[str | None]) -> list[bytes | None]:
    return key.encrypt(pl.Series("value", values, dtype=pl.String)).to_list()


@pytest.mark.parametrize(
    ("value", "ciphertext"),
    [
        ("", "01c0ffee426ff5b8ef53fc365606cd3ea047374885"),
        ("u_0000012345", "01c0ffee42765d7f19f7359c190b6f4ac47c8390feed1386b1f96ce08f8e034985"),
        ("ana@example.com", "01c0ffee42773705a97880cf8fbcb1db0c992002a0fbed91620263e939cdcdcb95c227d1"),
        ("0123456789abcdef", "01c0ffee428ba03311101c886db60895317baa3c19da4ec84035679393050180b7899f3fdd"),
        (
            "山田 太郎 <taro.yamada@example.co.jp>",
            "01c0ffee4264e0a61e15a047d70aa04ab5cd540b737ad9e7679d6d5c9f2bdbef64ee6b34a681985c672438f7178e6794dad8f1d3375bb4ae5a5f928013c6",
        ),
    ],
)
def test_golden_vectors(key: DeterministicKey, value: str, ciphertext: str) -> None:
    """What BigQuery's DETERMINISTIC_DECRYPT_STRING has to open: Tink's own output for a fixed key."""
    assert TINK.encrypt_deterministically(value.encode(), b"").hex() == ciphertext
    assert key.ciphertext(value).hex() == ciphertext
    assert encrypted(key, [value]) == [bytes.fromhex(ciphertext)]


def test_every_length_is_what_tink_and_cryptography_make(key: DeterministicKey) -> None:
    values = [("é" * (length // 2) + "x" * (length % 2)) for length in range(301)]
    assert [len(value.encode()) for value in values] == list(range(301))
    prefix = b"\x01" + KEY_ID.to_bytes(4)
    made = encrypted(key, values)
    assert made == [TINK.encrypt_deterministically(value.encode(), b"") for value in values]
    assert made == [prefix + SIV.encrypt(value.encode(), [b""]) for value in values]


@given(st.lists(st.none() | st.text(max_size=100), max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_column_is_what_tink_makes_of_each_value(values: list[str | None]) -> None:
    expected = [None if value is None else TINK.encrypt_deterministically(value.encode(), b"") for value in values]
    assert encrypted(DeterministicKey(KEY, KEY_ID), values) == expected


@given(st.binary(min_size=64, max_size=64), st.integers(0, 2**32 - 1), st.lists(st.text(max_size=40), max_size=5))
@settings(max_examples=50, deadline=None)
def test_any_key_is_used_as_tink_uses_it(secret: bytes, key_id: int, values: list[str]) -> None:
    primitive = tink_primitive(secret, key_id)
    expected = [primitive.encrypt_deterministically(value.encode(), b"") for value in values]
    assert encrypted(DeterministicKey(secret, key_id), values) == expected


def test_values_far_longer_than_the_others_are_the_same(key: DeterministicKey) -> None:
    values = ["short", None, "x" * (LONG - 1), "y" * LONG, "", "z" * 100_000, None, "last"]
    assert encrypted(key, values) == [None if value is None else key.ciphertext(value) for value in values]


def test_a_slice_of_a_column_is_that_slice(key: DeterministicKey) -> None:
    column = pl.Series([f"user {number}" for number in range(100)])
    assert key.encrypt(column[37:52]).to_list() == key.encrypt(column)[37:52].to_list()


def test_columns_of_nothing(key: DeterministicKey) -> None:
    assert encrypted(key, []) == []
    assert encrypted(key, [None, None]) == [None, None]
    assert key.encrypt(pl.Series(dtype=pl.String)).dtype == pl.Binary


def test_another_type_is_refused(key: DeterministicKey) -> None:
    with pytest.raises(TypeError, match="takes text, not Int64"):
        key.encrypt(pl.Series([1, 2]))


def test_the_expression_is_the_column_in_a_frame_and_in_lists(key: DeterministicKey) -> None:
    frame = pl.DataFrame({"id": ["a", None, "b"], "ids": [["a", "b"], [], None]})
    made = frame.select(key.expression(pl.col("id")), pl.col("ids").list.eval(key.expression(pl.element())))
    a, b = key.ciphertext("a"), key.ciphertext("b")
    assert made.schema == {"id": pl.Binary(), "ids": pl.List(pl.Binary())}
    assert made["id"].to_list() == [a, None, b]
    assert made["ids"].to_list() == [[a, b], [], None]


@given(st.text(max_size=80))
@settings(deadline=None)
def test_what_was_encrypted_comes_back(value: str) -> None:
    key = DeterministicKey(KEY, KEY_ID)
    assert key.value(key.ciphertext(value)) == value
    assert TINK.decrypt_deterministically(key.ciphertext(value), b"").decode() == value


def test_what_another_key_made_does_not_come_back(key: DeterministicKey) -> None:
    made = key.ciphertext("ana")
    for wrong in (
        DeterministicKey(KEY, 7).ciphertext("ana"),
        DeterministicKey(KEY[::-1], KEY_ID).ciphertext("ana"),
        made[:-1],
        made[:-1] + bytes([made[-1] ^ 1]),
        b"",
    ):
        with pytest.raises(NorenError, match="not made with the key of this purpose and epoch"):
            key.value(wrong)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        DeterministicKey(KEY[:32], KEY_ID)


def test_neither_repr_nor_pickle_nor_a_pickled_plan(key: DeterministicKey) -> None:
    assert repr(key) == "DeterministicKey(...)"
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(key)
    with pytest.raises((TypeError, RuntimeError)):
        pickle.dumps(key.expression(pl.col("id")))
