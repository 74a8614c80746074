"""`noren run --cloud` as a process that knows Google's hosts only: over TLS, with a service account's credentials."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from click.testing import CliRunner
from google.pubsub_v1 import types

from dataflow import names
from dataflow.channels import plain
from dataflow.errors import NorenError
from dataflow.keys.signing import development_key
from scripts.cli.run import run
from scripts.main_job.pipeline import PipelineProcess
from tests.conftest import Stream, made_stream
from tests.dataflow.cases import ACCEPTED, CASES, DEAD, DUPLICATES, encoded, payloads
from tests.dataflow.keys.kms_server import KmsServer
from tests.gcs_server import GcsServer
from tests.google_front import BIGQUERY, KMS, PUBSUB, STORAGE, STORAGE_WRITE, GoogleFront

pytestmark = pytest.mark.timeout(180)


class Cloud(NamedTuple):
    stream: Stream
    home: Path
    front: GoogleFront
    kms: KmsServer
    storage: GcsServer
    trust: Path

    def start(self, *options: str) -> PipelineProcess:
        options = ("--cloud", "--trust", str(self.trust), "--archive", "gs://b/archive", *options)
        return PipelineProcess(self.stream.name, self.home, self.stream.project.root, *options)


@pytest.fixture(scope="module")
def cloud(servers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    kms, storage = KmsServer(), GcsServer()
    behind = {
        PUBSUB: servers.pubsub,
        STORAGE_WRITE: servers.warehouse_grpc,
        KMS: kms.address,
        BIGQUERY: servers.warehouse,
        STORAGE: storage.url,
    }
    secret = {"x-noren-stack": servers.secret}
    front = GoogleFront(tmp_path_factory.mktemp("front"), behind, {STORAGE_WRITE: secret, BIGQUERY: secret})
    with pytest.MonkeyPatch.context() as patch:
        for name, value in front.environment.items():
            patch.setenv(name, value)
        for name in ("PUBSUB_EMULATOR_HOST", "NOREN_KMS_EMULATOR", "BIGQUERY_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT"):
            patch.delenv(name, raising=False)
        patch.setenv("NOREN_PROJECT", servers.project_id)
        patch.setenv("NOREN_KMS_KEY", kms.create("wrapping"))
        for stream in made_stream(servers, tmp_path_factory.mktemp("project")):
            trust = development_key(tmp_path_factory.mktemp("signing"))
            yield Cloud(stream, tmp_path_factory.mktemp("cloud"), front, kms, storage, trust)
    front.close()
    kms.stop()
    storage.stop()


def sentence(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, *options: str) -> str:
    monkeypatch.chdir(cloud.stream.project.root)
    error = CliRunner().invoke(run, [cloud.stream.name, "--cloud", *options]).exception
    assert isinstance(error, NorenError)
    return str(error)


def test_without_a_key_ring_it_makes_none_by_itself(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    said = sentence(cloud, monkeypatch, "--home", str(cloud.home))
    assert said == (
        f"{cloud.home}/keys: holds no key ring; mount the one of the deployment there, or make the first with "
        "--new-keys."
    )
    assert not (cloud.home / "keys").exists()


def test_a_key_in_a_file_is_not_enough(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOREN_KMS_KEY", "local")
    said = sentence(cloud, monkeypatch, "--home", str(cloud.home), "--new-keys")
    assert said == "NOREN_KMS_KEY: name the Cloud KMS key that wraps the keys; in the cloud no file does."


def test_who_publishes_policies_has_to_be_named(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = sentence(cloud, monkeypatch, "--home", str(tmp_path), "--new-keys")
    assert said == "--cloud: whose policies run? Name the public key of those who publish with --trust."


def test_a_project_has_to_be_named(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOREN_PROJECT")
    assert sentence(cloud, monkeypatch) == "--cloud: which project? Set NOREN_PROJECT."


def test_without_credentials_it_says_how_to_get_some(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    said = sentence(cloud, monkeypatch)
    assert said == "--cloud: there are no application default credentials: `gcloud auth application-default login`."


def test_a_host_with_a_certificate_of_nobody_known_is_told_nothing(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(GoogleFront(tmp_path, {}, {}).environment["REQUESTS_CA_BUNDLE"]))
    process = cloud.start("--new-keys")
    with pytest.raises(NorenError, match=r"preparing the table is refused \(TransportError\)\.$"):
        process.wait_for(1)
    process.stop()
    assert "Traceback" not in process.said


def test_every_event_is_counted_once_across_a_kill_and_both_sinks(cloud: Cloud) -> None:
    stream = cloud.stream
    first = cloud.start("--new-keys")  # the Storage Write API
    try:
        stream.publish(*payloads(), *DUPLICATES)
        first.wait_for(len(CASES) + len(DUPLICATES))
        stream.publish(*(encoded(number) for number in range(1_000, 1_500)))
    finally:
        first.kill()
    second = cloud.start("--sink", "load")
    try:
        progress = second.wait_for(len(CASES) + len(DUPLICATES) + 500)
    finally:
        second.stop()
    assert [progress[name] for name in ("raw", "dead", "duplicates")] == [
        len(ACCEPTED) + 500,
        len(DEAD),
        len(DUPLICATES),
    ]
    for role in ("raw", "anonymized"):
        tokens = [row["event_token"] for row in stream.rows(role, "event_token")]
        assert (len(tokens), len(set(tokens))) == (len(ACCEPTED) + 500, len(ACCEPTED) + 500)
    assert cloud.front.credentials == {host: {"Bearer"} for host in (PUBSUB, STORAGE_WRITE, BIGQUERY, KMS, STORAGE)}
    files = [data for name, data in cloud.storage.objects.items() if name.startswith(f"archive/{stream.name}/date=")]
    archived = sorted(token for data in files for token in pl.read_parquet(io.BytesIO(data))["event_token"])
    assert archived == sorted(row["event_token"] for row in stream.rows("anonymized", "event_token"))


def test_the_keys_are_wrapped_by_cloud_kms(cloud: Cloud) -> None:
    assert sorted(path.name for path in (cloud.home / "keys").iterdir()) == ["keysets", "register"]
    assert {method for method, _ in cloud.kms.calls} == {"Encrypt", "Decrypt"}


def test_a_subscription_that_is_missing_is_one_sentence(cloud: Cloud) -> None:
    path = f"projects/noren-test/subscriptions/{names.subscription(cloud.stream.name)}"
    request = types.DeleteSubscriptionRequest.pb()(subscription=path)
    with plain(cloud.stream.servers.pubsub) as channel:
        channel.unary_unary("/google.pubsub.v1.Subscriber/DeleteSubscription")(request.SerializeToString(), timeout=10)
    process = cloud.start()
    with pytest.raises(NorenError, match=rf"noren: {path}: cannot be pulled from: .+\.$"):
        process.wait_for(1 << 30)
    process.stop()
    assert "Traceback" not in process.said
