import json
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dataflow.clients import bigquery_client
from tests.http_server import Answering, serving


class Recorder(Answering):
    """Answers every request with an empty list and keeps its headers."""

    seen: list[dict[str, str]]

    def do_GET(self) -> None:
        self.seen.append({name.lower(): value for name, value in self.headers.items()})
        self.answer(200, {})


@pytest.fixture
def server() -> Iterator[tuple[str, list[dict[str, str]]]]:
    seen: list[dict[str, str]] = []
    handler = type("Handler", (Recorder,), {"seen": seen})
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as url:
        yield url, seen


def test_a_local_client_carries_the_secret_and_no_credentials(server: tuple[str, list[dict[str, str]]]) -> None:
    url, seen = server
    assert list(bigquery_client("noren-test", url, "hush").list_datasets()) == []
    assert seen[0]["x-noren-stack"] == "hush"
    assert "authorization" not in seen[0]


def test_a_local_client_does_not_use_the_machines_proxy(
    server: tuple[str, list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    list(bigquery_client("noren-test", server[0]).list_datasets())
    assert len(server[1]) == 1


def test_without_an_endpoint_it_is_the_ordinary_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(*pem).decode()
    account = {
        "type": "service_account",
        "client_email": "worker@noren-test.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
        "private_key": key,
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    client = bigquery_client("noren-test")
    assert (client.project, client._connection.API_BASE_URL) == ("noren-test", "https://bigquery.googleapis.com")
    assert client._credentials.service_account_email == account["client_email"]


def test_a_secret_is_never_sent_to_google() -> None:
    with pytest.raises(ValueError, match="endpoint of the local stack only"):
        bigquery_client("noren-test", None, "hush")
