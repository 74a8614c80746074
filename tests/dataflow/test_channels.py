"""Plain text goes to this machine only; everything to Google goes over TLS with application default credentials."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google.auth
import grpc
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dataflow.channels import plain, require_loopback
from dataflow.clients import bigquery_client
from dataflow.errors import NorenError
from dataflow.keys import kms
from dataflow.secrets import connect
from dataflow.sinks.write_service import WriteService
from dataflow.sources.pubsub import PubSubSubscription
from dataflow.sources.schemas import PubSubSchemas
from scripts.stack.streams import LocalTopics

ELSEWHERE = ("pubsub.example.com:443", "10.0.0.1:8085", "[2001:db8::1]:80", "localhost.example.com:80", "0.0.0.0:1", "")


@pytest.mark.parametrize("address", ELSEWHERE)
@pytest.mark.parametrize(
    "connect_to",
    [
        plain,
        lambda address: PubSubSubscription("noren-test", "s", address),
        lambda address: PubSubSchemas(address).revision("projects/p/schemas/s", "1"),
        lambda address: LocalTopics("noren-test", address),
        lambda address: WriteService(address, "secret"),
        connect,
        kms.client,
    ],
    ids=["plain", "subscription", "schemas", "topics", "write-service", "secrets", "kms"],
)
def test_plain_text_goes_nowhere_else(
    connect_to: Callable[[str], Any], address: str, monkeypatch: pytest.MonkeyPatch, account: Path
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(grpc, "insecure_channel", lambda target, **_: opened.append(target))
    if address:
        with pytest.raises(NorenError, match="is not on this machine"):
            connect_to(address)
    assert opened == []


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1"])
def test_this_machine_is_known_by_its_addresses(address: str) -> None:
    require_loopback(address)


@pytest.mark.parametrize("endpoint", ["http://bigquery.example.com", "http://10.0.0.1:9050", "ftp://127.0.0.2.example"])
def test_a_warehouse_elsewhere_is_not_asked_in_plain_text(endpoint: str) -> None:
    with pytest.raises(NorenError, match=r"is not on this machine; use https, or http://127\.0\.0\.1:PORT\.$"):
        bigquery_client("noren-test", endpoint, "hush")


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service account's key file."""
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key = rsa.generate_private_key(65_537, 2_048).private_bytes(*pem).decode()
    path = tmp_path_factory.mktemp("account") / "account.json"
    account = {
        "type": "service_account",
        "project_id": "noren-test",
        "private_key_id": "1",
        "client_email": "worker@noren-test.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
        "private_key": key,
    }
    path.write_text(json.dumps(account))
    return path


@pytest.mark.parametrize(
    ("connect_to", "host"),
    [
        (lambda: PubSubSubscription("noren-test", "s"), "pubsub.googleapis.com:443"),
        (lambda: PubSubSchemas()._connected(), "pubsub.googleapis.com:443"),
        (WriteService, "bigquerystorage.googleapis.com:443"),
        (connect, "secretmanager.googleapis.com:443"),
        (kms.client, "cloudkms.googleapis.com:443"),
    ],
    ids=["subscription", "schemas", "write-service", "secrets", "kms"],
)
def test_google_is_asked_over_tls_as_the_service_account(
    connect_to: Callable[[], Any], host: str, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, Any]] = []
    secure = grpc.secure_channel

    def watched(target: str, credentials: Any, *arguments: Any, **named: Any) -> Any:
        opened.append((target, credentials))
        return secure(target, credentials, *arguments, **named)

    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("plain text")

    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
    for variable in ("PUBSUB_EMULATOR_HOST", "NOREN_KMS_EMULATOR", "NOREN_SECRET_MANAGER_EMULATOR"):
        monkeypatch.delenv(variable, raising=False)
    accounts: list[str] = []
    default = google.auth.default

    def asked(*arguments: Any, **named: Any) -> Any:
        credentials, project = default(*arguments, **named)
        accounts.append(credentials.service_account_email)
        return credentials, project

    monkeypatch.setattr(google.auth, "default", asked)
    monkeypatch.setattr(grpc, "secure_channel", watched)
    monkeypatch.setattr(grpc, "insecure_channel", refused)
    connect_to()
    assert [target for target, _ in opened] == [host]
    assert accounts == ["worker@noren-test.iam.gserviceaccount.com"]
    assert all(isinstance(credentials, grpc.ChannelCredentials) for _, credentials in opened)


def test_an_emulator_of_the_environment_takes_no_data(account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `PUBSUB_EMULATOR_HOST` says is for the library's own clients; ours take an address from the stack only."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "10.0.0.1:8085")
    opened: list[str] = []
    secure = grpc.secure_channel
    monkeypatch.setattr(
        grpc, "secure_channel", lambda target, *rest, **named: opened.append(target) or secure(target, *rest, **named)
    )
    PubSubSubscription("noren-test", "s").close()
    assert opened == ["pubsub.googleapis.com:443"]
