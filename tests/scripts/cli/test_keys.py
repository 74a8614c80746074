"""`noren keys`: list, rotate, rewrap, remake and export, on a project of its own."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from dataflow.errors import NorenError
from dataflow.keys import KeyRing, KmsKey
from scripts.cli import noren
from tests.dataflow.keys.kms_server import KmsServer

ROOT = Path(__file__).parents[3]
ENCRYPTING = (
    "  app_event:\n    fields:\n      user_id: {method: encrypt}\n      device.device_model: {method: encrypt}\n"
)


@pytest.fixture(scope="module")
def kms_server() -> Iterator[KmsServer]:
    server = KmsServer()
    yield server
    server.stop()


@pytest.fixture
def kms(kms_server: KmsServer, monkeypatch: pytest.MonkeyPatch) -> KmsServer:
    kms_server.keys.clear()
    monkeypatch.setenv("NOREN_KMS_EMULATOR", kms_server.address)
    return kms_server


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The key directory of a project that is the current directory."""
    shutil.copytree(ROOT / "dataflow" / "contracts", tmp_path / "dataflow" / "contracts")
    text = (ROOT / "dataflow" / "policy.yaml").read_text()
    (tmp_path / "dataflow" / "policy.yaml").write_text(text.replace("  app_event:\n    fields:\n", ENCRYPTING))
    monkeypatch.chdir(tmp_path)
    for setting in ("NOREN_KMS_KEY", "NOREN_KMS_READER_KEY", "NOREN_PROJECT"):
        monkeypatch.delenv(setting, raising=False)
    keys = tmp_path / ".noren" / "local" / "keys"
    keys.mkdir(parents=True)
    return keys


def run(*arguments: str) -> str:
    result = CliRunner().invoke(noren, ["keys", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_without_a_key_directory_the_way_out_is_told(directory: Path) -> None:
    directory.rmdir()
    with pytest.raises(NorenError, match=r"keys holds no keys: start a pipeline, or name the home of its stack"):
        run("list")
    assert not directory.exists()


def test_list_shows_purposes_epochs_creation_and_wrapping(directory: Path) -> None:
    assert run("list") == "no keyset yet: they are made when they are needed\n"
    ring = KeyRing.local(directory)
    ring.token_key("app", 22)
    ring.sealer("journal")
    ring.rotate("journal")
    day = ring.listing()[0].created[:10]
    assert run("list").splitlines() == [
        f"seal.journal                 made {day}  wrapped {day} by local, 2 keys",
        f"token.app.22                 made {day}  wrapped {day} by local",
    ]


def test_list_shows_what_is_lost(directory: Path) -> None:
    KeyRing.local(directory).token_key("app", 22)
    shutil.rmtree(directory / "keysets")
    assert "LOST: restore it, or noren keys remake token.app.22" in run("list")
    (entry,) = json.loads(run("list", "--json"))
    assert (entry["name"], entry["lost"], entry["wrapping"]) == ("token.app.22", True, None)


def test_list_as_json(directory: Path) -> None:
    ring = KeyRing.local(directory)
    ring.deterministic_key("app", 22)
    (info,) = ring.listing()
    assert json.loads(run("list", "--json")) == [
        {
            "name": "deterministic.app.22",
            "kind": "deterministic",
            "purpose": "app",
            "epoch": 22,
            "lost": False,
            "generation": 1,
            "created": info.created,
            "wrapped": info.wrapped,
            "wrapping": "local",
            "keys": 1,
        }
    ]


def test_list_asks_cloud_kms_for_the_state_of_its_key(
    directory: Path, kms: KmsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = kms.create("wrapping")
    monkeypatch.setenv("NOREN_KMS_KEY", key)
    KeyRing.open(directory).token_key("app", 22)
    assert run("list", "--state").splitlines()[-1] == f"{key}: ENABLED, version 1"


def test_rotate_gives_a_new_key_and_keeps_the_old(directory: Path) -> None:
    sealed = KeyRing.local(directory).sealer("journal").seal(b"before")
    assert run("rotate", "journal") == "seal.journal: generation 2\n"
    assert KeyRing.local(directory).sealer("journal").open(sealed) == b"before"


def test_rotate_of_nothing_that_is_sealed_names_what_is(directory: Path) -> None:
    KeyRing.local(directory).sealer("journal")
    with pytest.raises(NorenError, match=r"^app is no purpose that something is sealed for \(there are: journal\)"):
        run("rotate", "app")


def test_rewrap_moves_every_keyset_to_cloud_kms(
    directory: Path, kms: KmsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = KeyRing.local(directory)
    token = ring.token_key("app", 22).token("ana")
    ring.sealer("journal")
    key = kms.create("wrapping")
    monkeypatch.setenv("NOREN_KMS_KEY", f"{key},local")
    assert run("rewrap") == "wrapped anew: seal.journal, token.app.22\n"
    monkeypatch.setenv("NOREN_KMS_KEY", key)
    assert KeyRing.open(directory).token_key("app", 22).token("ana") == token
    assert {entry["wrapping"] for entry in json.loads(run("list", "--json"))} == {key}


def test_remake_asks_first(directory: Path) -> None:
    KeyRing.local(directory).token_key("app", 22)
    shutil.rmtree(directory / "keysets")
    refused = CliRunner().invoke(noren, ["keys", "remake", "token.app.22"], input="n\n")
    assert refused.exit_code == 1
    assert not (directory / "keysets").exists()
    assert run("remake", "token.app.22", "--yes") == "made anew: token.app.22\n"
    assert "LOST" not in run("list")


def test_export_prints_sql_for_the_encrypted_columns(directory: Path, kms: KmsServer) -> None:
    KeyRing.local(directory).deterministic_key("app", 22)
    reader = kms.create("reader")
    told = run("export", "app", "--reader", reader)
    assert told.startswith(f"-- Runs in asia-northeast1, by somebody who may decrypt with {reader};\n")
    assert told.count(f"DETERMINISTIC_DECRYPT_STRING(KEYS.KEYSET_CHAIN('{reader}', b'\\x") == 2
    assert ", user_id, '') AS user_id,\n" in told
    assert ", device.device_model, '') AS device_device_model\n" in told
    assert told.endswith("FROM `noren-local.anonymized__app.app_event`\nWHERE key_epoch IN (22);\n")


def test_export_as_json_has_the_keyset_as_cloud_kms_made_it(
    directory: Path, kms: KmsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from base64 import b64decode

    ring = KeyRing.local(directory)
    for epoch in (21, 22):
        ring.deterministic_key("app", epoch)
    monkeypatch.setenv("NOREN_KMS_READER_KEY", kms.create("reader"))
    document = json.loads(run("export", "app", "--epoch", "21", "--json"))
    assert document["epochs"] == [21]
    assert list(document["queries"]) == ["anonymized__app.app_event"]
    assert KmsKey(document["kms_key"]).decrypt(b64decode(document["keyset"]), b"")


def test_export_of_a_purpose_that_encrypts_nothing_any_more_still_opens_the_past(
    directory: Path, kms: KmsServer
) -> None:
    KeyRing.local(directory).deterministic_key("old", 20)
    told = run("export", "old", "--reader", kms.create("reader"))
    assert told.startswith("-- The policy encrypts no column for old now; for a column of earlier:\n")
    assert "FROM `noren-local.DATASET.TABLE`" in told


def test_export_needs_a_reader(directory: Path) -> None:
    result = CliRunner().invoke(noren, ["keys", "export", "app"])
    assert result.exit_code == 2
    assert "Missing option '--reader'" in result.output
