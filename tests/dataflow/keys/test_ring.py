"""The key ring: purposes and epochs, rotation, re-wrapping, and keysets that are gone."""

import json
import pickle
import threading
from pathlib import Path

import pytest

from dataflow.errors import NorenError
from dataflow.keys import KeyRing, KeysetName, Kind, TokenKey, seal
from dataflow.keys.wrapping import local_key
from dataflow.objects import LocalObjects
from tests.dataflow.keys.kms_server import KmsServer

TOKEN = KeysetName(Kind.TOKEN, "app", 22)


def objects(directory: Path, pattern: str) -> list[Path]:
    return sorted((directory / "keysets").glob(pattern))


@pytest.fixture(autouse=True)
def _local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOREN_KMS_KEY", raising=False)


def test_keys_are_the_same_in_every_process_that_opens_the_directory(tmp_path: Path) -> None:
    one, other = KeyRing.local(tmp_path), KeyRing.local(tmp_path)
    assert one.token_key("app", 22).token("ana") == other.token_key("app", 22).token("ana")
    assert one.deterministic_key("app", 22).ciphertext("ana") == other.deterministic_key("app", 22).ciphertext("ana")
    assert other.sealer("journal").open(one.sealer("journal").seal(b"data", b"context"), b"context") == b"data"


@pytest.mark.parametrize(("purpose", "epoch"), [("web", 22), ("app", 23), ("app", -1)])
def test_another_purpose_or_epoch_has_other_pseudonyms(tmp_path: Path, purpose: str, epoch: int) -> None:
    ring = KeyRing.local(tmp_path)
    assert ring.token_key("app", 22).token("ana") != ring.token_key(purpose, epoch).token("ana")
    ours, theirs = ring.deterministic_key("app", 22), ring.deterministic_key(purpose, epoch)
    assert ours.ciphertext("ana") != theirs.ciphertext("ana")
    with pytest.raises(NorenError, match="not made with the key of this purpose and epoch"):
        theirs.value(ours.ciphertext("ana"))


def test_old_epochs_stay_reversible(tmp_path: Path) -> None:
    made = {epoch: KeyRing.local(tmp_path).deterministic_key("app", epoch).ciphertext("ana") for epoch in (20, 21, 22)}
    later = KeyRing.local(tmp_path)
    assert {later.deterministic_key("app", epoch).value(sealed) for epoch, sealed in made.items()} == {"ana"}


def test_two_that_make_a_key_at_once_have_the_same(tmp_path: Path) -> None:
    rings = [KeyRing.local(tmp_path) for _ in range(8)]
    barrier = threading.Barrier(len(rings))
    tokens: list[str] = []

    def make(ring: KeyRing) -> None:
        barrier.wait()
        tokens.append(ring.token_key("app", 22).token("ana"))

    threads = [threading.Thread(target=make, args=(ring,)) for ring in rings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == len(rings)
    assert len(set(tokens)) == 1
    assert [path.name for path in objects(tmp_path, "*")] == ["token.app.22.000001"]


@pytest.mark.parametrize("purpose", ["", "App", "a.b", "../app", "1app", "app/x", "a" * 64])
def test_a_purpose_that_is_none_is_refused(tmp_path: Path, purpose: str) -> None:
    with pytest.raises(NorenError, match="is no purpose of a key: use lower-case letters"):
        KeyRing.local(tmp_path).token_key(purpose, 22)


def test_a_keyset_renamed_to_another_purpose_does_not_open(tmp_path: Path) -> None:
    KeyRing.local(tmp_path).token_key("app", 22)
    (source,) = objects(tmp_path, "token.app.22.*")
    source.rename(source.with_name("token.web.22.000001"))
    with pytest.raises(
        NorenError, match=r"^The keyset token\.web\.22 does not open with the key-encryption key local;"
    ):
        KeyRing.local(tmp_path).token_key("web", 22)


def test_a_damaged_keyset_is_named(tmp_path: Path) -> None:
    KeyRing.local(tmp_path).token_key("app", 22)
    (path,) = objects(tmp_path, "token.app.22.*")
    path.chmod(0o600)
    path.write_text("{}")
    with pytest.raises(NorenError, match=r"^keysets/token\.app\.22\.000001: is damaged; restore it\.$"):
        KeyRing.local(tmp_path).token_key("app", 22)


def test_a_foreign_file_among_the_keysets_is_named(tmp_path: Path) -> None:
    ring = KeyRing.local(tmp_path)
    ring.token_key("app", 22)
    (tmp_path / "keysets" / "notes.txt").write_text("mine")
    with pytest.raises(NorenError, match=r"^keysets/notes\.txt: is no keyset's object"):
        ring.listing()


# Lost keysets


def test_a_keyset_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    before = KeyRing.local(tmp_path).token_key("app", 22).token("ana")
    (path,) = objects(tmp_path, "token.app.22.*")
    kept = path.read_bytes()
    path.unlink()
    with pytest.raises(
        NorenError, match=r"^The keyset token\.app\.22 was made on \d{4}-\d\d-\d\d and is gone: restore"
    ):
        KeyRing.local(tmp_path).token_key("app", 22)
    assert objects(tmp_path, "*") == []
    path.write_bytes(kept)
    assert KeyRing.local(tmp_path).token_key("app", 22).token("ana") == before


def test_an_earlier_epoch_that_was_never_used_is_made(tmp_path: Path) -> None:
    """Late events and imports of old data must not stop a pipeline."""
    ring = KeyRing.local(tmp_path)
    ring.token_key("app", 22)
    assert isinstance(ring.token_key("app", 3), TokenKey)


def test_another_keyset_in_the_place_of_the_first_is_noticed(tmp_path: Path) -> None:
    KeyRing.local(tmp_path).token_key("app", 22)
    (path,) = objects(tmp_path, "token.app.22.*")
    path.unlink()
    register = tmp_path / "register" / "token.app.22"
    entry = register.read_bytes()
    register.unlink()
    KeyRing.local(tmp_path).token_key("app", 22)
    register.write_bytes(entry)
    with pytest.raises(
        NorenError, match=r"^The keyset token\.app\.22 is not the one that was made on .*: restore that"
    ):
        KeyRing.local(tmp_path).token_key("app", 22)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"created": "2026-01-01", "key_id": "x"}'])
def test_a_damaged_register_is_named(tmp_path: Path, text: str) -> None:
    KeyRing.local(tmp_path).token_key("app", 22)
    (tmp_path / "register" / "token.app.22").write_text(text)
    with pytest.raises(NorenError, match=r"^register/token\.app\.22: is damaged; restore it\.$"):
        KeyRing.local(tmp_path).token_key("app", 22)


def test_a_keyset_that_is_replaced_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    writer = KeyRing.local(tmp_path)
    token = writer.token_key("app", 22).token("ana")

    class Slow(LocalObjects):
        """Another process wraps everything anew between a listing and the read that follows it."""

        replaced = False

        def read(self, name: str) -> bytes:
            if name.startswith("keysets/") and not self.replaced:
                self.replaced = True
                writer.rewrap()
            return super().read(name)

    objects = Slow(tmp_path)
    assert KeyRing(objects, [local_key(tmp_path / "kek")]).token_key("app", 22).token("ana") == token
    assert objects.replaced


def test_a_crash_between_keyset_and_register_is_made_good(tmp_path: Path) -> None:
    token = KeyRing.local(tmp_path).token_key("app", 22).token("ana")
    (tmp_path / "register" / "token.app.22").unlink()
    assert KeyRing.local(tmp_path).token_key("app", 22).token("ana") == token
    assert (tmp_path / "register" / "token.app.22").exists()


def test_a_lost_keyset_is_made_anew_when_told_so(tmp_path: Path) -> None:
    ring = KeyRing.local(tmp_path)
    before = ring.token_key("app", 22).token("ana")
    objects(tmp_path, "token.app.22.*")[0].unlink()
    ring.remake(TOKEN)
    assert KeyRing.local(tmp_path).token_key("app", 22).token("ana") != before


def test_only_a_lost_keyset_is_remade(tmp_path: Path) -> None:
    ring = KeyRing.local(tmp_path)
    with pytest.raises(NorenError, match="was never made, so it is not lost"):
        ring.remake(TOKEN)
    token = ring.token_key("app", 22).token("ana")
    with pytest.raises(NorenError, match="is there, so it is not lost"):
        ring.remake(TOKEN)
    assert KeyRing.local(tmp_path).token_key("app", 22).token("ana") == token


def test_a_local_key_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    KeyRing.local(tmp_path).token_key("app", 22)
    (tmp_path / "kek").unlink()
    with pytest.raises(NorenError, match=r"^kek: the key-encryption key is gone; restore it"):
        KeyRing.local(tmp_path)
    assert not (tmp_path / "kek").exists()


def test_a_local_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    KeyRing.local(tmp_path)
    (tmp_path / "kek").chmod(0o640)
    with pytest.raises(NorenError, match=r"^kek: others may read the key-encryption key; run chmod 600"):
        KeyRing.local(tmp_path)


def test_a_damaged_local_key_is_told(tmp_path: Path) -> None:
    (tmp_path / "kek").touch(mode=0o600)
    with pytest.raises(NorenError, match=r"^kek: is no key-encryption key; restore it"):
        KeyRing.local(tmp_path)


def test_what_is_written_only_its_owner_may_read(tmp_path: Path) -> None:
    ring = KeyRing.local(tmp_path / "keys")
    ring.token_key("app", 22)
    ring.rewrap()
    files = [path for path in (tmp_path / "keys").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.name for path in files} == {"kek", "token.app.22.000002", "token.app.22"}


# Rotation


def test_what_was_sealed_before_a_rotation_still_opens(tmp_path: Path) -> None:
    ring = KeyRing.local(tmp_path)
    before = ring.sealer("journal").seal(b"before")
    assert ring.rotate("journal") == 2
    later = KeyRing.local(tmp_path).sealer("journal")
    after = later.seal(b"after")
    assert (later.open(before), later.open(after)) == (b"before", b"after")
    assert before[:5] != after[:5]  # Tink's prefix: the id of the key


def test_a_running_process_opens_at_once_what_a_rotated_key_sealed(tmp_path: Path) -> None:
    running = KeyRing.local(tmp_path).sealer("journal")
    assert running.open(running.seal(b"before")) == b"before"
    other = KeyRing.local(tmp_path)
    other.rotate("journal")
    assert running.open(KeyRing.local(tmp_path).sealer("journal").seal(b"after")) == b"after"


def test_a_running_process_seals_with_the_rotated_key_within_the_bound(tmp_path: Path) -> None:
    now = [0.0]
    ring = KeyRing.local(tmp_path)
    ring.clock = lambda: now[0]
    running = ring.sealer("journal")
    first = running.seal(b"x")[:5]
    KeyRing.local(tmp_path).rotate("journal")
    now[0] = seal.REFRESH - 1
    assert running.seal(b"x")[:5] == first
    now[0] = seal.REFRESH
    assert running.seal(b"x")[:5] != first


def test_a_keyset_that_cannot_be_loaded_again_goes_on_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    ring = KeyRing.local(tmp_path)
    ring.clock = lambda: now[0]
    running = ring.sealer("journal")
    KeyRing.local(tmp_path).rotate("journal")
    (path,) = objects(tmp_path, "seal.journal.*")
    path.write_text("{}")
    now[0] = seal.REFRESH
    assert running.open(running.seal(b"x")) == b"x"
    assert "used as it was: keysets/seal.journal.000002: is damaged; restore it." in caplog.text


def test_what_no_key_opens_is_refused_after_a_look_for_a_newer_one(tmp_path: Path) -> None:
    sealer = KeyRing.local(tmp_path / "one").sealer("journal")
    foreign = KeyRing.local(tmp_path / "other").sealer("journal").seal(b"x")
    with pytest.raises(NorenError, match=r"^What was sealed for journal cannot be opened with this key ring\.$"):
        sealer.open(foreign)


def test_tokens_do_not_rotate_within_an_epoch(tmp_path: Path) -> None:
    ring = KeyRing.local(tmp_path)
    ring.token_key("app", 22)
    with pytest.raises(NorenError, match="token and deterministic keys change with the epoch of the event"):
        ring.rotate("app")


def test_of_two_rotations_at_once_one_is_told(tmp_path: Path) -> None:
    ring = KeyRing.local(tmp_path)
    ring.sealer("journal")
    stale = ring._store.open(KeysetName(Kind.SEAL, "journal"))
    ring.rotate("journal")
    with pytest.raises(NorenError, match="was replaced by somebody else at this moment"):
        # as if it had been opened before the other one wrote
        ring._store.replace(type(stale)(stale.name, 1, stale.created, stale.handle), stale.handle)


# Wrapping


def test_rewrapping_keeps_the_keys_and_changes_what_is_written(tmp_path: Path) -> None:
    ring = KeyRing.local(tmp_path)
    token, sealed = ring.token_key("app", 22).token("ana"), ring.sealer("journal").seal(b"x")
    before = {path.name: path.read_bytes() for path in objects(tmp_path, "*")}
    assert [str(name) for name in ring.rewrap()] == ["seal.journal", "token.app.22"]
    after = {path.name: path.read_bytes() for path in objects(tmp_path, "*")}
    assert sorted(after) == ["seal.journal.000002", "token.app.22.000002"]
    assert not set(before.values()) & set(after.values())
    again = KeyRing.local(tmp_path)
    assert again.token_key("app", 22).token("ana") == token
    assert again.sealer("journal").open(sealed) == b"x"


def test_the_local_key_is_rotated_before_it_wraps_anew(tmp_path: Path) -> None:
    ring = KeyRing.local(tmp_path)
    ring.token_key("app", 22)
    before = local_key(tmp_path / "kek").encrypt(b"", b"")[:5]
    sealed = local_key(tmp_path / "kek").encrypt(b"other", b"")
    ring.rewrap()
    assert local_key(tmp_path / "kek").encrypt(b"", b"")[:5] != before
    assert local_key(tmp_path / "kek").decrypt(sealed, b"") == b"other"


def test_a_ring_in_cloud_kms(tmp_path: Path, kms: KmsServer) -> None:
    key = kms.create("wrapping")
    ring = KeyRing.open(tmp_path, key)
    token, sealed = ring.token_key("app", 22).token("ana"), ring.sealer("journal").seal(b"x")
    again = KeyRing.open(tmp_path, key)
    assert again.token_key("app", 22).token("ana") == token
    assert again.sealer("journal").open(sealed) == b"x"
    assert {info.wrapping for info in again.listing()} == {key}
    assert not (tmp_path / "kek").exists()
    contexts = {asked.additional_authenticated_data for method, asked in kms.calls if method == "Encrypt"}
    assert contexts == {b"token.app.22.1", b"seal.journal.1"}


def test_the_environment_says_which_key_wraps(tmp_path: Path, kms: KmsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    key = kms.create("wrapping")
    monkeypatch.setenv("NOREN_KMS_KEY", key)
    KeyRing.open(tmp_path).token_key("app", 22)
    assert [info.wrapping for info in KeyRing.open(tmp_path).listing()] == [key]


def test_a_local_ring_is_local_whatever_the_environment_says(
    tmp_path: Path, kms: KmsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOREN_KMS_KEY", kms.create("wrapping"))
    KeyRing.local(tmp_path).token_key("app", 22)
    assert kms.calls == []


def test_a_name_that_is_no_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NorenError, match=r"^NOREN_KMS_KEY: aws-kms://k is no key: use gcp-kms://"):
        KeyRing.open(tmp_path, "aws-kms://k")


def test_keys_move_from_the_laptop_to_cloud_kms_while_a_process_runs(tmp_path: Path, kms: KmsServer) -> None:
    key = kms.create("wrapping")
    running = KeyRing.open(tmp_path, f"local,{key}")
    token, sealed = running.token_key("app", 22).token("ana"), running.sealer("journal").seal(b"x")
    KeyRing.open(tmp_path, f"{key},local").rewrap()
    assert running.token_key("app", 22).token("ana") == token
    assert running.sealer("journal").open(sealed) == b"x"
    moved = KeyRing.open(tmp_path, key)
    assert moved.token_key("app", 22).token("ana") == token
    assert moved.sealer("journal").open(sealed) == b"x"


def test_a_new_version_of_a_cloud_kms_key_wraps_anew_and_the_old_one_may_go(tmp_path: Path, kms: KmsServer) -> None:
    key = kms.create("wrapping")
    ring = KeyRing.open(tmp_path, key)
    token = ring.token_key("app", 22).token("ana")
    kms.add_version(key)
    ring.rewrap()
    kms.key(key).versions[0] = bytes(32)  # destroyed
    assert KeyRing.open(tmp_path, key).token_key("app", 22).token("ana") == token


def test_a_keyset_wrapped_by_a_key_that_is_not_configured_is_not_opened(tmp_path: Path, kms: KmsServer) -> None:
    """Whoever can write objects would otherwise choose the key that opens them."""
    ours, theirs = kms.create("ours"), kms.create("theirs")
    KeyRing.open(tmp_path, theirs).token_key("app", 22)
    with pytest.raises(NorenError, match=r"is wrapped by gcp-kms://.*/theirs, which NOREN_KMS_KEY does not name"):
        KeyRing.open(tmp_path, ours).token_key("app", 22)


def test_no_key_is_made_while_cloud_kms_refuses(tmp_path: Path, kms: KmsServer) -> None:
    kms.denied.add("Encrypt")
    key = kms.create("wrapping")
    with pytest.raises(NorenError, match="may not encrypt with the key"):
        KeyRing.open(tmp_path, key).token_key("app", 22)
    assert list(tmp_path.rglob("*")) == []


def test_cached_keys_go_on_while_cloud_kms_is_away(tmp_path: Path, kms: KmsServer) -> None:
    ring = KeyRing.open(tmp_path, kms.create("wrapping"))
    token = ring.token_key("app", 22).token("ana")
    kms.denied.update(("Encrypt", "Decrypt"))
    assert ring.token_key("app", 22).token("ana") == token


# What is told


def test_listing_tells_everything_but_keys(tmp_path: Path) -> None:
    ring = KeyRing.local(tmp_path)
    for epoch in (3, 22, -1):
        ring.token_key("app", epoch)
    ring.deterministic_key("app", 22)
    ring.sealer("journal")
    ring.rotate("journal")
    objects(tmp_path, "token.app.3.*")[0].unlink()
    told = [(str(info.name), info.generation, info.wrapping, len(info.key_ids)) for info in ring.listing()]
    assert told == [
        ("deterministic.app.22", 1, "local", 1),
        ("seal.journal", 2, "local", 2),
        ("token.app.-1", 1, "local", 1),
        ("token.app.3", 0, "", 1),
        ("token.app.22", 1, "local", 1),
    ]


def test_creation_survives_rotation_and_rewrapping(tmp_path: Path) -> None:
    ring = KeyRing.local(tmp_path)
    ring.sealer("journal")
    (path,) = objects(tmp_path, "seal.*")
    document = json.loads(path.read_bytes()) | {"created": "2020-01-01T00:00:00+00:00"}
    path.write_text(json.dumps(document))
    ring.rotate("journal")
    ring.rewrap()
    (info,) = ring.listing()
    assert (info.created, info.generation) == ("2020-01-01T00:00:00+00:00", 3)


@pytest.mark.parametrize("name", ["token.app.22", "deterministic.app.-3", "seal.dead_letter"])
def test_names_are_read_as_they_are_written(name: str) -> None:
    assert str(KeysetName.parse(name)) == name


@pytest.mark.parametrize("name", ["app", "token.app", "seal.app.3", "token.app.x", "other.app.3"])
def test_a_name_that_is_no_keysets_is_refused(name: str) -> None:
    with pytest.raises(NorenError, match="is no keyset: names are like"):
        KeysetName.parse(name)


def test_any_store_of_objects_will_do(tmp_path: Path) -> None:
    ring = KeyRing(LocalObjects(tmp_path / "bucket"), [local_key(tmp_path / "kek")])
    assert ring.token_key("app", 22).token("ana") == ring.token_key("app", 22).token("ana")


def test_neither_repr_nor_pickle(tmp_path: Path) -> None:
    ring = KeyRing.local(tmp_path)
    things = [ring, ring.token_key("app", 22), ring.sealer("journal"), local_key(tmp_path / "kek")]
    assert list(map(repr, things)) == ["KeyRing(...)", "TokenKey(...)", "Sealer(journal)", "LocalKey(...)"]
    for thing in things:
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(thing)
