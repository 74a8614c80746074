"""What may be published, what it takes, and what a store then holds."""

import json
import shutil
from pathlib import Path

import pytest

from dataflow.bundle import BundleStore, Texts
from dataflow.bundle.bundle import Bundle, seal, unseal
from dataflow.bundle.publish import Approval, publish
from dataflow.errors import NorenError
from dataflow.keys.signing import (
    DEVELOPMENT,
    Signer,
    Verifier,
    create_signing_key,
    development_signer,
    open_signer,
    public_file,
)
from dataflow.keys.wrapping import local_key
from dataflow.objects import LocalObjects
from dataflow.policy import PolicyError
from dataflow.project import Project

ROOT = Path(__file__).parents[3]
UNREVIEWED = Approval((), unreviewed=True)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Signer, Verifier]:
    directory = tmp_path_factory.mktemp("keys")
    signer = development_signer(directory)
    return signer, Verifier.load(public_file(directory))


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> tuple[Signer, Verifier]:
    directory = tmp_path_factory.mktemp("production")
    assert create_signing_key(directory, local_key(directory / "kek"), "production")
    return open_signer(directory), Verifier.load(public_file(directory))


@pytest.fixture(scope="module")
def texts() -> Texts:
    return Texts.of(Project(ROOT))


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    return BundleStore(LocalObjects(tmp_path))


def changed(texts: Texts, *changes: tuple[str, str]) -> Texts:
    policy = texts.policy
    for old, new in changes:
        assert old in policy
        policy = policy.replace(old, new)
    return Texts(policy, texts.contracts, texts.files)


FINER = (("version: 1.0.0", "version: 1.1.0"), ("decimals: 2}", "decimals: 3}"))
COARSER = (("version: 1.0.0", "version: 1.1.0"), ("decimals: 2}", "decimals: 1}"))


def test_a_bundle_holds_rules_verdicts_and_changes(
    store: BundleStore, keys: tuple[Signer, Verifier], texts: Texts
) -> None:
    bundle, changes = publish(texts, store, *keys, UNREVIEWED)
    again = store.read(1, keys[1])
    assert again == bundle
    assert (again.number, again.environment, again.texts) == (1, DEVELOPMENT, texts)
    assert [(check.check, check.verdict) for check in again.checks] == [
        ("the policy fits the contracts", "passed"),
        ("every stream's anonymizer runs", "passed"),
        ("no output column changes its type", "passed"),
        ("what is weaker is approved", "not reviewed: development key"),
    ]
    assert [(told.direction, told.where) for told in again.changes] == [
        (change.direction.value, change.where) for change in changes
    ]
    assert sorted(again.rules().contracts) == ["app_event", "checkin"]


def test_what_is_not_weaker_needs_nobody(store: BundleStore, production: tuple[Signer, Verifier], texts: Texts) -> None:
    publish(texts, store, *production, Approval(("ana", "bo")))
    bundle, _ = publish(changed(texts, *COARSER), store, *production, Approval())
    assert (bundle.number, bundle.checks[-1].verdict) == (2, "passed: nothing is weaker")


@pytest.mark.parametrize("people", [(), ("ana",), ("ana", "ana")])
def test_weakening_needs_two_people_and_the_local_flag_is_nothing_to_a_production_key(
    people: tuple[str, ...], store: BundleStore, production: tuple[Signer, Verifier], texts: Texts
) -> None:
    publish(texts, store, *production, Approval(("ana", "bo")))
    with pytest.raises(NorenError) as raised:
        publish(changed(texts, *FINER), store, *production, Approval(people, unreviewed=True))
    assert str(raised.value) == (
        f"4 changes let more through or cannot be compared, which takes 2 approvals and has {len(set(people))}; "
        "ask for reviews of the pull request and give them with --reviews:\n"
        "  app_event.location.latitude: coarsen_location 2 -> 3 decimals: a grid of 110 m instead of 1.1 km\n"
        "  app_event.location.longitude: coarsen_location 2 -> 3 decimals: a grid of 110 m instead of 1.1 km\n"
        "  checkin.venue.latitude: coarsen_location 2 -> 3 decimals: a grid of 110 m instead of 1.1 km\n"
        "  checkin.venue.longitude: coarsen_location 2 -> 3 decimals: a grid of 110 m instead of 1.1 km"
    )
    assert store.numbers() == [1]
    bundle, _ = publish(changed(texts, *FINER), store, *production, Approval(("ana", "bo")))
    assert (bundle.number, bundle.approvals) == (2, ["ana", "bo"])


def test_a_version_names_one_text_for_ever(store: BundleStore, keys: tuple[Signer, Verifier], texts: Texts) -> None:
    publish(texts, store, *keys, UNREVIEWED)
    publish(changed(texts, *COARSER), store, *keys, UNREVIEWED)
    other = Texts(
        texts.policy + "# other\n", {**texts.contracts, "checkin": texts.contracts["checkin"] + "# other\n"}, {}
    )
    with pytest.raises(NorenError) as raised:
        publish(other, store, *keys, UNREVIEWED)
    assert str(raised.value) == (
        "policy.yaml: version: 1.0.0 is published with another text; raise it.\n"
        "checkin.yaml: version: 1.0.0 is published with another text; raise it."
    )
    assert publish(texts, store, *keys, UNREVIEWED)[0].number == 3  # back to what 1.0.0 stands for


def test_nothing_new_is_not_published(store: BundleStore, keys: tuple[Signer, Verifier], texts: Texts) -> None:
    publish(texts, store, *keys, UNREVIEWED)
    with pytest.raises(
        NorenError, match=r"^nothing to publish: bundle 1 has this policy and these contracts already.$"
    ):
        publish(texts, store, *keys, UNREVIEWED)


def test_a_policy_with_findings_is_not_published(
    store: BundleStore, keys: tuple[Signer, Verifier], texts: Texts
) -> None:
    wrong = changed(
        texts, ("identifier: {method: token}", "identifier: {method: keep}"), ("  sensitive: {method: drop}\n", "")
    )
    with pytest.raises(PolicyError, match="may not be kept"):
        publish(wrong, store, *keys, UNREVIEWED)
    assert store.numbers() == []


def test_an_output_type_that_changes_is_not_published(
    store: BundleStore, keys: tuple[Signer, Verifier], texts: Texts
) -> None:
    publish(texts, store, *keys, UNREVIEWED)
    contract = texts.contracts["app_event"]
    old = "- name: page_name\n            logicalType: string\n            logicalTypeOptions: {maxLength: 128}"
    assert old in contract
    contract = contract.replace(old, "- name: page_name\n            logicalType: integer")
    contract = contract.replace("version: 1.0.0", "version: 2.0.0")
    with pytest.raises(NorenError) as raised:
        publish(Texts(texts.policy, {**texts.contracts, "app_event": contract}), store, *keys, UNREVIEWED)
    assert str(raised.value) == (
        "app_event: raw__app.app_event.properties.page_name: STRING becomes INT64; "
        "anonymized__app.app_event.properties.page_name: STRING becomes INT64."
    )


def test_untrusted_objects_are_passed_over_and_their_numbers_stay_taken(
    store: BundleStore, keys: tuple[Signer, Verifier], production: tuple[Signer, Verifier], texts: Texts
) -> None:
    good, _ = publish(texts, store, *keys, UNREVIEWED)
    store.create(2, b"nonsense")
    store.create(3, seal(good, production[0]))
    assert store.newest(keys[1]) == good
    assert publish(changed(texts, *COARSER), store, *keys, UNREVIEWED)[0].number == 4


@pytest.fixture(scope="module")
def sealed(
    keys: tuple[Signer, Verifier], texts: Texts, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Bundle, bytes]:
    objects = LocalObjects(tmp_path_factory.mktemp("sealed"))
    bundle, _ = publish(texts, BundleStore(objects), *keys, UNREVIEWED)
    return bundle, objects.read("bundles/000000000001")


def test_one_changed_character_is_not_trusted(sealed: tuple[Bundle, bytes], keys: tuple[Signer, Verifier]) -> None:
    document = json.loads(sealed[1])
    document["payload"] = document["payload"].replace("decimals: 2", "decimals: 4")
    with pytest.raises(NorenError, match=r"^the signature is not of the key that development trusts.$"):
        unseal(json.dumps(document).encode(), 1, keys[1])


def test_a_development_signature_is_none_in_production_whatever_the_public_file_says(
    sealed: tuple[Bundle, bytes], tmp_path: Path
) -> None:
    directory = tmp_path / "keys"
    signer = development_signer(directory)
    data = seal(sealed[0], signer)
    assert unseal(data, 1, Verifier.load(public_file(directory))) == sealed[0]
    document = json.loads(public_file(directory).read_text())
    (tmp_path / "claimed.json").write_text(json.dumps({**document, "environment": "production"}))
    with pytest.raises(NorenError, match=r"^the signature is not of the key that production trusts.$"):
        unseal(data, 1, Verifier.load(tmp_path / "claimed.json"))


def test_an_old_bundle_does_not_come_back_under_a_new_number(
    sealed: tuple[Bundle, bytes], keys: tuple[Signer, Verifier]
) -> None:
    with pytest.raises(NorenError, match=r"^it was signed as bundle 1.$"):
        unseal(sealed[1], 2, keys[1])


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b'{"payload": "x", "signature": "%"}', b"{}"])
def test_bytes_that_are_no_bundle(data: bytes, keys: tuple[Signer, Verifier]) -> None:
    with pytest.raises(NorenError, match=r"^it is no signed bundle.$"):
        unseal(data, 1, keys[1])


def test_a_signed_bundle_of_a_later_format_is_refused(
    keys: tuple[Signer, Verifier], sealed: tuple[Bundle, bytes]
) -> None:
    import msgspec

    later = msgspec.structs.replace(sealed[0], format=2)
    with pytest.raises(NorenError, match=r"^its format is 2, this pipeline reads 1; update it.$"):
        unseal(seal(later, keys[0]), 1, keys[1])


def test_a_name_that_leads_out_of_the_bundle_is_refused(texts: Texts, tmp_path: Path) -> None:
    for bad in (
        Texts(texts.policy, {"../../x": ""}),
        Texts(texts.policy, {}, {"../../x": ""}),
        Texts(texts.policy, {}, {"/x": ""}),
    ):
        with pytest.raises(NorenError, match="leads out of the bundle"):
            bad.rules()


def test_files_that_rules_read_travel_with_them(tmp_path: Path, texts: Texts) -> None:
    shutil.copytree(ROOT / "dataflow" / "contracts", tmp_path / "dataflow" / "contracts")
    (tmp_path / "dataflow" / "types.csv").write_text("page_view,screen\nbutton_click,tap\n")
    rule = "      event_type: {method: hierarchy, file: types.csv, level: 1}\n"
    at = "      device.os_version: {method: reduce_version, parts: 1}\n"
    assert at in texts.policy
    (tmp_path / "dataflow" / "policy.yaml").write_text(texts.policy.replace(at, rule + at))
    taken = Texts.of(Project(tmp_path))
    assert taken.files == {"types.csv": "page_view,screen\nbutton_click,tap\n"}
    assert taken.rules().policy.streams["app_event"].fields["event_type"].files() == ("types.csv",)
    assert taken.digest() != Texts(taken.policy, taken.contracts, {"types.csv": "a,b\n"}).digest()


def test_the_private_half_does_not_leave(tmp_path: Path) -> None:
    import pickle

    signer = development_signer(tmp_path)
    assert repr(signer) == "KeysetSigner(development)"
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(signer)
    assert (tmp_path / "policy-signing.keyset").stat().st_mode & 0o777 == 0o600
    assert json.loads(public_file(tmp_path).read_text()).keys() == {"environment", "keyset"}
    again = development_signer(tmp_path)
    Verifier.load(public_file(tmp_path)).verify(b"data", again.sign(b"data"))


def test_a_signing_key_under_another_key_encryption_key_does_not_open(tmp_path: Path) -> None:
    development_signer(tmp_path / "a")
    development_signer(tmp_path / "b")
    shutil.copy(tmp_path / "a" / "kek", tmp_path / "b" / "kek")
    with pytest.raises(NorenError, match=r"^policy-signing.keyset: does not open with its key-encryption key.$"):
        open_signer(tmp_path / "b")


@pytest.mark.parametrize("text", ["{}", "no json", '{"environment": "production", "keyset": {}}'])
def test_a_public_file_that_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "k.json").write_text(text)
    with pytest.raises(NorenError, match=r"^k.json: is no public signing key.$"):
        Verifier.load(tmp_path / "k.json")


def test_missing_keys_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NorenError, match=r"there is no signing key; make one with noren policy key.$"):
        open_signer(tmp_path)
    with pytest.raises(NorenError, match=r"^k.json: there is no such public key"):
        Verifier.load(tmp_path / "k.json")
