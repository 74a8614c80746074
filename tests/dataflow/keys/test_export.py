"""Exported keysets: what KEYS.KEYSET_CHAIN wants, and it opens what `encrypt` made."""

import ast
import re
from pathlib import Path

import pytest
from sqlglot import exp, parse_one
from tink import TinkError, daead, proto_keyset_format, secret_key_access

from dataflow.errors import NorenError
from dataflow.keys import Export, KeyRing, KmsKey
from tests.dataflow.keys.kms_server import KmsServer

EPOCHS = (20, 21, 22)


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.local(tmp_path)


@pytest.fixture
def reader(kms: KmsServer) -> KmsKey:
    return KmsKey(kms.create("reader"))


def bigquery(expression: str, reader: KmsKey, ciphertext: bytes) -> str:
    """What DETERMINISTIC_DECRYPT_STRING(KEYS.KEYSET_CHAIN(kms, keyset), ciphertext, '') gives.

    Its three steps (https://cloud.google.com/bigquery/docs/aead-encryption-concepts): the literals, Cloud KMS with
    empty additional data, Tink.
    """
    match = re.fullmatch(
        r"DETERMINISTIC_DECRYPT_STRING\(KEYS\.KEYSET_CHAIN\('(gcp-kms://[^']+)', (b'(?:\\x[0-9a-f]{2})+')\), id, ''\)",
        expression,
    )
    assert match is not None
    assert match[1] == reader.name
    keyset = reader.decrypt(ast.literal_eval(match[2]), b"")
    handle = proto_keyset_format.parse(keyset, secret_key_access.TOKEN)
    plain: bytes = handle.primitive(daead.DeterministicAead).decrypt_deterministically(ciphertext, b"")
    return plain.decode()


def test_bigquery_reverses_every_epoch_with_one_keyset(ring: KeyRing, reader: KmsKey) -> None:
    made = [ring.deterministic_key("app", epoch).ciphertext(f"山田 {epoch}") for epoch in EPOCHS]
    export = ring.export("app", reader)
    assert export.epochs == EPOCHS
    assert export.location == "asia-northeast1"
    assert [bigquery(export.expression("id"), reader, sealed) for sealed in made] == [f"山田 {n}" for n in EPOCHS]


def test_an_export_of_one_epoch_opens_no_other(ring: KeyRing, reader: KmsKey) -> None:
    made = {epoch: ring.deterministic_key("app", epoch).ciphertext("ana") for epoch in EPOCHS}
    export = ring.export("app", reader, [21])
    assert bigquery(export.expression("id"), reader, made[21]) == "ana"
    with pytest.raises(TinkError, match="Decryption failed"):
        bigquery(export.expression("id"), reader, made[22])


def test_an_export_opens_nothing_of_another_purpose(ring: KeyRing, reader: KmsKey) -> None:
    ring.deterministic_key("app", 22)
    other = ring.deterministic_key("web", 22).ciphertext("ana")
    with pytest.raises(TinkError, match="Decryption failed"):
        bigquery(ring.export("app", reader).expression("id"), reader, other)


def test_who_exports_needs_no_right_to_reverse(ring: KeyRing, reader: KmsKey, kms: KmsServer) -> None:
    ring.deterministic_key("app", 22)
    kms.denied.add("Decrypt")
    assert ring.export("app", reader).epochs == (22,)


def test_a_key_that_wraps_the_ring_is_refused(tmp_path: Path, kms: KmsServer) -> None:
    wrapping = kms.create("wrapping")
    ring = KeyRing.open(tmp_path / "kms", f"local,{wrapping}")
    ring.deterministic_key("app", 22)
    with pytest.raises(NorenError, match="who may open the export could open all; take a key of its own"):
        ring.export("app", KmsKey(wrapping))


def test_nothing_is_made_by_an_export(ring: KeyRing, reader: KmsKey) -> None:
    ring.token_key("app", 22)
    with pytest.raises(NorenError, match=r"^app has no key to reverse with: nothing was encrypted for it\.$"):
        ring.export("app", reader)
    ring.deterministic_key("app", 22)
    with pytest.raises(NorenError, match=r"^app has no key to reverse with in epoch 19, 20\.$"):
        ring.export("app", reader, [22, 20, 19])
    assert [str(info.name) for info in ring.listing()] == ["deterministic.app.22", "token.app.22"]


def test_the_query_is_googlesql_over_the_epochs_of_the_export(reader: KmsKey) -> None:
    export = Export(reader.name, reader.location, b"\x00'\xff", (21, 22))
    statement = parse_one(export.query("noren-local.anonymized__app.visit", ["user_id", "device.serial"]), "bigquery")
    assert isinstance(statement, exp.Select)
    assert statement.named_selects == ["event_token", "event_time", "user_id", "device_serial"]
    assert [table.sql("bigquery") for table in statement.find_all(exp.Table)] == ["`noren-local.anonymized__app.visit`"]
    where = statement.args["where"]
    assert where.this.sql("bigquery") == "key_epoch IN (21, 22)"
