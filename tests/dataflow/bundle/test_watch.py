"""What a pipeline starts under, takes and refuses, without a stack."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from dataflow.bundle import Bundle, BundleStore, Texts, Watcher
from dataflow.bundle.bundle import seal
from dataflow.bundle.publish import Approval, publish
from dataflow.bundle.start import Starter, production
from dataflow.bundle.transition import check_transition
from dataflow.core import Anonymizer
from dataflow.errors import NorenError
from dataflow.keys import KeyRing
from dataflow.keys.signing import Signer, Verifier, development_signer, public_file
from dataflow.objects import LocalObjects
from dataflow.project import Project
from dataflow.schemas import Table

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Signer, Verifier, KeyRing]:
    directory = tmp_path_factory.mktemp("keys")
    signer = development_signer(directory)
    return signer, Verifier.load(public_file(directory)), KeyRing.local(directory)


@pytest.fixture(scope="module")
def texts() -> Texts:
    return Texts.of(Project(ROOT))


@pytest.fixture(scope="module")
def good(texts: Texts, keys: tuple[Signer, Verifier, KeyRing], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    store = BundleStore(LocalObjects(tmp_path_factory.mktemp("good")))
    return publish(texts, store, keys[0], keys[1], Approval((), unreviewed=True))[0]


class World:
    def __init__(self, store: BundleStore, keys: tuple[Signer, Verifier, KeyRing], good: Bundle) -> None:
        self.store, self.good = store, good
        self.signer, self.verifier, ring = keys
        self.ensured: list[str] = []
        self.starter = Starter(Project(ROOT), "checkin", ring, None, self.ensure)
        self.watcher: Watcher[Anonymizer] = Watcher(store, self.verifier, self.starter.prepare)

    def ensure(self, table: Table) -> None:
        self.ensured.append(table.id)

    def put(self, number: int, *changes: tuple[str, str], contract: tuple[tuple[str, str], ...] = ()) -> None:
        """A signed bundle with an edited policy and check-in contract, around the checks of publication."""
        texts = self.good.texts
        policy, checkin = texts.policy, texts.contracts["checkin"]
        for old, new in changes:
            assert old in policy
            policy = policy.replace(old, new)
        for old, new in contract:
            assert old in checkin
            checkin = checkin.replace(old, new)
        texts = Texts(policy, {**texts.contracts, "checkin": checkin})
        self.store.create(number, seal(msgspec.structs.replace(self.good, number=number, texts=texts), self.signer))

    def start(self, bundles_only: bool = False) -> tuple[Anonymizer, str]:
        return self.starter.start(self.watcher, "PLACE", self.verifier, bundles_only)


@pytest.fixture
def world(tmp_path: Path, keys: tuple[Signer, Verifier, KeyRing], good: Bundle) -> World:
    return World(BundleStore(LocalObjects(tmp_path)), keys, good)


def test_the_newest_acceptable_bundle_is_what_it_starts_under(world: World) -> None:
    world.put(1)
    world.put(2, ("version: 1.0.0", "version: 1.1.0"))
    world.store.create(3, b"{}")
    anonymizer, said = world.start()
    assert anonymizer.policy.version == "1.1.0"
    assert said == "checkin runs under policy 1.1.0, contract 1.0.0: bundle 2 of PLACE"
    assert world.watcher.refused == {3: "it is no signed bundle."}
    assert world.ensured == [
        "raw__places.checkin",
        "anonymized__places.checkin",
        "dead_letter.events",
        "operations.unknown_fields",
    ]


def test_published_bundles_of_which_none_is_acceptable_are_no_reason_to_run_under_the_files(world: World) -> None:
    world.store.create(1, b"{}")
    with pytest.raises(NorenError) as raised:
        world.start()
    assert str(raised.value) == (
        "checkin: none of the bundles in PLACE is acceptable (newest: 1, it is no signed bundle.); publish one that is."
    )


def test_production_runs_under_bundles_of_its_own_key_only(world: World) -> None:
    with pytest.raises(NorenError, match=r"^checkin: a development key is not trusted here; name the public key"):
        world.start(bundles_only=True)
    world.verifier.environment = "production"
    try:
        with pytest.raises(
            NorenError, match=r"^checkin: no bundle is published in PLACE; publish one with noren policy"
        ):
            world.start(bundles_only=True)
    finally:
        world.verifier.environment = "development"


@pytest.mark.parametrize(
    ("value", "expected"), [(None, False), ("development", False), ("production", True), ("x", True)]
)
def test_what_is_not_development_is_production(
    value: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOREN_ENVIRONMENT", raising=False)
    if value is not None:
        monkeypatch.setenv("NOREN_ENVIRONMENT", value)
    assert production() is expected


NEXT = ("version: 1.0.0", "version: 1.1.0")
NEXT_CONTRACT = ("version: 1.0.0", "version: 1.1.0")


@pytest.mark.parametrize(
    ("policy", "contract", "reason"),
    [
        (
            (NEXT, ("  checkin:\n", "  checkin:\n    purpose: shops\n")),
            (),
            "checkin: the purpose of its keys changes from places to shops.",
        ),
        (
            (("decimals: 2}", "decimals: 1}"),),
            (),
            "checkin: policy 1.0.0 stands for other rules already.",
        ),
        (
            (NEXT,),
            (NEXT_CONTRACT, ("domain: places", "domain: shops")),
            "checkin: its tables move from domain places to shops; "
            "the purpose of its keys changes from places to shops.",
        ),
    ],
)
def test_what_a_running_pipeline_cannot_change_to_is_refused_once_and_loudly(
    policy: tuple[tuple[str, str], ...],
    contract: tuple[tuple[str, str], ...],
    reason: str,
    world: World,
    caplog: pytest.LogCaptureFixture,
) -> None:
    world.put(1)
    world.start()
    world.put(2, *policy, contract=contract)
    for _ in range(3):
        world.watcher.look()
    assert (world.watcher.take(), world.watcher.running, world.watcher.refused) == (None, 1, {2: reason})
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, f"bundle 2 is refused, bundle 1 stays: {reason}")
    ]


def test_a_bundle_is_taken_once(world: World) -> None:
    world.put(1)
    world.start()
    world.put(2, NEXT, ("decimals: 2}", "decimals: 1}"))
    world.watcher.look()
    world.watcher.look()
    taken = world.watcher.take()
    assert taken is not None
    assert (taken.policy.version, world.watcher.running, world.watcher.take()) == ("1.1.0", 2, None)


def test_a_newer_bundle_replaces_one_that_waits(world: World) -> None:
    world.put(1)
    world.start()
    world.put(2, NEXT)
    world.watcher.look()
    world.put(3, ("version: 1.0.0", "version: 1.2.0"))
    world.watcher.look()
    taken = world.watcher.take()
    assert taken is not None
    assert (taken.policy.version, world.watcher.running) == ("1.2.0", 3)


def test_a_bundle_without_the_stream_is_refused(world: World, good: Bundle) -> None:
    rules = good.rules()
    without = msgspec.structs.replace(good.texts, contracts={"app_event": good.texts.contracts["app_event"]})
    policy = (
        without.policy[: without.policy.index("  checkin:")] + without.policy[without.policy.index("dead_letters") :]
    )
    fewer = Texts(policy, without.contracts).rules()
    with pytest.raises(NorenError, match=r"^checkin: it has no contract for this stream.$"):
        check_transition("checkin", rules, fewer)


def test_a_store_that_is_away_is_told_of_once_and_looked_at_again(
    keys: tuple[Signer, Verifier, KeyRing], caplog: pytest.LogCaptureFixture
) -> None:
    class Away(LocalObjects):
        asked = 0

        def names(self, prefix: str) -> Iterator[str]:
            self.asked += 1
            raise ConnectionError(f"no route to {prefix}")

    objects = Away(Path("/nowhere"))
    watcher: Watcher[Bundle] = Watcher(BundleStore(objects), keys[1], lambda bundle: bundle, running=4, seconds=0.01)
    watcher.start()
    while objects.asked < 5:
        time.sleep(0.01)
    watcher.stop()
    assert [record.getMessage() for record in caplog.records] == [
        "bundles cannot be looked for, bundle 4 stays: ConnectionError: no route to bundles"
    ]
