"""A real pipeline process on a real stack takes what is published while it runs."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.cloud import bigquery

from dataflow.bundle import BundleStore
from dataflow.bundle.bundle import Bundle, Texts, seal
from dataflow.bundle.publish import Approval, publish
from dataflow.contract import load_contracts
from dataflow.keys.signing import Verifier, development_signer, public_file
from dataflow.objects import LocalObjects
from dataflow.policy import load_policy
from dataflow.schemas import tables
from scripts.stack import services
from scripts.stack.endpoints import Endpoints
from scripts.stack.streams import LocalTopics
from scripts.stack.supervisor import Stack

ROOT = Path(__file__).parents[3]
WITHIN_SECONDS = 10
STREAM = "app_event"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """Emulator and Pub/Sub server, with the datasets of every table."""
    wanted = [service for service in services.SERVICES if service.name in ("warehouse", "pubsub")]
    with Stack(tmp_path_factory.mktemp("home"), "noren-test", wanted, free_ports=True).running() as endpoints:
        client = endpoints.warehouse_client()
        policy = load_policy(ROOT / "dataflow" / "policy.yaml")
        for contract in load_contracts(ROOT / "dataflow" / "contracts").values():
            for table in tables(contract, policy).values():
                client.create_dataset(table.dataset, exists_ok=True)
        yield endpoints


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "dataflow" / "contracts", root / "dataflow" / "contracts")
    shutil.copy(ROOT / "dataflow" / "policy.yaml", root / "dataflow")
    return root


class Pipeline:
    """`noren run app_event --json` as a process; what it says is kept."""

    def __init__(self, home: Path, project: Path) -> None:
        command = [sys.executable, "-m", "scripts.cli", "run", STREAM, "--home", str(home), "--json"]
        self.process = subprocess.Popen(
            command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
        )
        self.progress: dict[str, Any] = {}
        self.errors: list[str] = []
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._read, self._listen)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.progress = json.loads(line)

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors.append(line.rstrip())

    def wait(self, seconds: float = 60, **wanted: object) -> float:
        """Wait until the progress has all of `wanted`; how long that took, in seconds."""
        started = time.monotonic()
        while any(self.progress.get(name) != value for name, value in wanted.items()):
            assert self.process.poll() is None, "\n".join(self.errors)
            assert time.monotonic() - started < seconds, (wanted, self.progress, self.errors[-5:])
            time.sleep(0.05)
        return time.monotonic() - started

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(60) == 0, self.errors
        for thread in self._threads:
            thread.join(10)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class World:
    """The stack, a running pipeline, and hands to publish events and policies."""

    def __init__(self, stack: Endpoints, project: Path, pipeline: Pipeline, topics: LocalTopics) -> None:
        self.stack = stack
        self.project = project
        self.pipeline = pipeline
        self.topics = topics
        self.keys = stack.home.root / "keys"
        self.store = BundleStore(LocalObjects(stack.home.root / "bundles"))
        self.published = 0
        self.policy = (project / "dataflow" / "policy.yaml").read_text()
        self.contracts = {path.stem: path.read_text() for path in (project / "dataflow" / "contracts").glob("*.yaml")}

    def events(self, count: int) -> list[bytes]:
        return [
            json.dumps(
                {
                    "event_id": str(uuid.uuid4()),
                    "event_type": "page_view",
                    "timestamp": "2026-01-15T10:30:00Z",
                    "user_id": f"user_{number % 7}",
                    "session_id": "session_1",
                    "device": {
                        "type": "ios",
                        "os_version": "17.0",
                        "app_version": "3.2.1",
                        "device_model": "iPhone 15",
                    },
                    "location": {"latitude": 35.68123, "longitude": 139.76712, "accuracy": 10.5},
                    "properties": {"page_name": "home"},
                }
            ).encode()
            for number in range(count)
        ]

    def send(self, payloads: list[bytes]) -> None:
        self.topics.publish(STREAM, payloads)
        self.published += len(payloads)

    def settle(self) -> None:
        self.pipeline.wait(accounted=self.published, committed=True)

    def publish(self, policy: str) -> Bundle:
        signer, verifier = development_signer(self.keys), Verifier.load(public_file(self.keys))
        bundle, _ = publish(self.texts(policy), self.store, signer, verifier, Approval((), True))
        return bundle

    def texts(self, policy: str) -> Texts:
        return Texts(policy, self.contracts)

    def rows(self, query: str) -> list[dict[str, Any]]:
        client: bigquery.Client = self.stack.warehouse_client()
        return [dict(row) for row in client.query_and_wait(query)]


@pytest.fixture(scope="module")
def world(stack: Endpoints, project: Path) -> Iterator[World]:
    with LocalTopics(stack.project_id, stack.pubsub) as topics:
        world = World(stack, project, Pipeline(stack.home.root, project), topics)
        try:
            world.pipeline.wait(bundle=0, policy_version="1.0.0")
            yield world
        finally:
            world.pipeline.kill()


def test_without_a_bundle_it_runs_under_the_projects_files_and_says_so(world: World) -> None:
    said = [line for line in world.pipeline.errors if line.startswith(f"{STREAM} runs")]
    assert said == [
        "app_event runs under policy 1.0.0, contract 1.0.0: files of the project, "
        f"no bundle in {world.stack.home.root / 'bundles'}"
    ]


def test_a_new_bundle_is_taken_within_ten_seconds_and_every_row_tells_its_version(world: World) -> None:
    world.send(world.events(300))
    world.settle()
    finer = re.sub("decimals: 2.*", "decimals: 3}", world.policy).replace("version: 1.0.0", "version: 1.1.0")
    stopped = threading.Event()

    def stream() -> None:
        while not stopped.is_set():
            world.send(world.events(50))
            time.sleep(0.02)

    sender = threading.Thread(target=stream)
    sender.start()
    try:
        time.sleep(1)
        bundle = world.publish(finer)
        assert bundle.number == 1
        took = world.pipeline.wait(WITHIN_SECONDS, bundle=1, policy_version="1.1.0")
        time.sleep(1)
    finally:
        stopped.set()
        sender.join()
    world.settle()
    world.policy = finer
    assert took < WITHIN_SECONDS
    rows = world.rows(
        "SELECT policy_version, location.latitude AS latitude, batch_id, event_token FROM anonymized__app.app_event"
    )
    assert {(row["policy_version"], row["latitude"]) for row in rows} == {("1.0.0", 35.68), ("1.1.0", 35.681)}
    assert max(Counter(row["event_token"] for row in rows).values()) == 1
    versions = {}
    for row in rows:
        versions.setdefault(row["batch_id"], set()).add(row["policy_version"])
    assert {len(known) for known in versions.values()} == {1}
    raw = world.rows("SELECT event_token, policy_version FROM raw__app.app_event")
    assert {(row["event_token"], row["policy_version"]) for row in raw} == {
        (row["event_token"], row["policy_version"]) for row in rows
    }
    progress = world.pipeline.progress
    assert world.published == progress["raw"] == len(raw) == len(rows)
    assert (progress["dead"], progress["duplicates"], progress["refused_bundles"]) == (0, 0, 0)


def test_a_bundle_that_adds_a_column_and_drops_another_is_taken_and_the_table_gains_a_nullable_column(
    world: World,
) -> None:
    wider = world.policy.replace("version: 1.1.0", "version: 1.2.0").replace(
        "location.accuracy: {method: drop}",
        "location.accuracy: {method: drop}\n      location.longitude: {method: drop}\n"
        "    derive:\n      family: {method: user_agent_family, from: device.device_model}",
    )
    assert world.publish(wider).number == 2
    world.pipeline.wait(WITHIN_SECONDS, bundle=2, policy_version="1.2.0")
    world.policy = wider
    world.send(world.events(10))
    world.settle()
    rows = world.rows(
        "SELECT policy_version, family, location.longitude AS longitude, count(*) AS n "
        "FROM anonymized__app.app_event GROUP BY 1, 2, 3 ORDER BY 1"
    )
    assert [(row["policy_version"], row["family"], row["longitude"]) for row in rows] == [
        ("1.0.0", None, 139.77),
        ("1.1.0", None, 139.767),
        ("1.2.0", "Mobile Safari UI/WKWebView", None),
    ]
    assert (rows[2]["n"], sum(row["n"] for row in rows)) == (10, world.published)


def refusals(world: World, seen: int) -> list[str]:
    """What was logged as refused after `seen` lines."""
    return [line for line in world.pipeline.errors[seen:] if "is refused" in line]


def refused(world: World, number: int, data: bytes, running: dict[str, Any]) -> str:
    """Put an object into the store; the one line that the pipeline logs, while it goes on under what ran."""
    seen, before = len(world.pipeline.errors), world.pipeline.progress["refused_bundles"]
    assert world.store.create(number, data)
    world.pipeline.wait(WITHIN_SECONDS, refused_bundles=before + 1)
    world.send(world.events(5))
    world.settle()
    assert {name: world.pipeline.progress[name] for name in running} == running
    (line,) = refusals(world, seen)
    return line


def test_unsigned_broken_and_type_changing_bundles_are_refused_and_the_old_one_stays(world: World) -> None:
    running = {"bundle": 2, "policy_version": "1.2.0"}
    signer, verifier = development_signer(world.keys), Verifier.load(public_file(world.keys))
    good = world.store.newest(verifier)
    assert good is not None
    prefix = "ERROR dataflow.bundle.watch bundle {} is refused, bundle 2 stays: "

    line = refused(world, 3, b"{}", running)
    assert line == prefix.format(3) + "it is no signed bundle."

    other = development_signer(world.keys.parent / "other-keys")
    line = refused(world, 4, seal(_like(good, number=4), other), running)
    assert line == prefix.format(4) + "the signature is not of the key that development trusts."

    line = refused(world, 5, seal(good, signer), running)
    assert line == prefix.format(5) + "it was signed as bundle 2."

    broken = _like(good, number=6, texts=world.texts(world.policy.replace("{method: token}", "{method: tokens}")))
    line = refused(world, 6, seal(broken, signer), running)
    assert line == prefix.format(6) + (
        "policy.yaml:5: classifications.identifier.method: tokens is no method; did you mean token?"
    )

    retyped = {
        "app_event": world.contracts["app_event"]
        .replace("version: 1.0.0", "version: 2.0.0")
        .replace(
            "- name: page_name\n            logicalType: string\n            logicalTypeOptions: {maxLength: 128}",
            "- name: page_name\n            logicalType: integer",
        )
    }
    changed = _like(good, number=7, texts=Texts(world.policy.replace("1.2.0", "1.3.0"), world.contracts | retyped))
    line = refused(world, 7, seal(changed, signer), running)
    assert line == prefix.format(7) + (
        "app_event: raw__app.app_event.properties.page_name: STRING becomes INT64; "
        "anonymized__app.app_event.properties.page_name: STRING becomes INT64."
    )
    rows = world.rows("SELECT count(*) AS n, count(DISTINCT event_token) AS tokens FROM anonymized__app.app_event")
    assert rows == [{"n": world.published, "tokens": world.published}]


def test_a_bundle_that_adds_a_part_to_a_struct_is_taken_and_the_table_has_it(world: World) -> None:
    good = world.store.newest(Verifier.load(public_file(world.keys)))
    assert good is not None
    nested = world.policy.replace("1.2.0", "1.4.0").replace(
        "      location.accuracy: {method: drop}", "      location.accuracy: {method: coarsen_location}"
    )
    sealed = seal(_like(good, number=8, texts=world.texts(nested)), development_signer(world.keys))
    assert world.store.create(8, sealed)
    world.pipeline.wait(WITHIN_SECONDS, bundle=8, policy_version="1.4.0")
    world.send(world.events(5))
    world.settle()
    rows = world.rows(
        "SELECT count(*) AS n, countif(location.accuracy IS NOT NULL) > 0 AS accurate FROM anonymized__app.app_event "
        "GROUP BY policy_version HAVING policy_version = '1.4.0'"
    )
    assert rows == [{"n": 5, "accurate": True}]


def test_after_refused_ones_the_next_good_bundle_is_taken_and_a_restart_finds_it(world: World) -> None:
    back = world.policy.replace("version: 1.2.0", "version: 1.5.0")
    assert world.publish(back).number == 9
    world.pipeline.wait(WITHIN_SECONDS, bundle=9, policy_version="1.5.0")
    assert len(refusals(world, 0)) == 5  # each once, however often it was looked at
    world.pipeline.stop()
    world.pipeline = Pipeline(world.stack.home.root, world.project)
    world.pipeline.wait(bundle=9, policy_version="1.5.0")
    assert world.pipeline.errors[0] == (
        f"app_event runs under policy 1.5.0, contract 1.0.0: bundle 9 of {world.stack.home.root / 'bundles'}"
    )
    world.pipeline.wait(accounted=world.published)


def _like(bundle: Bundle, **changes: Any) -> Bundle:
    return msgspec.structs.replace(bundle, **changes)
