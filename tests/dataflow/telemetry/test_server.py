"""Metrics and health over HTTP, on loopback."""

import json
from collections.abc import Iterator

import httpx
import pytest

from dataflow.errors import NorenError
from dataflow.telemetry.health import Health
from dataflow.telemetry.server import TelemetryServer


@pytest.fixture
def health() -> Health:
    return Health(live={"committer": lambda: None}, ready={"sink": lambda: None})


@pytest.fixture
def server(health: Health) -> Iterator[TelemetryServer]:
    server = TelemetryServer(0, lambda: b"noren_raw_total 1\n", health)
    yield server
    server.close()


def asked(server: TelemetryServer, path: str) -> tuple[int, dict[str, object]]:
    response = httpx.get(f"{server.url}{path}")
    return response.status_code, json.loads(response.text)


def test_it_is_reached_on_loopback_only(server: TelemetryServer) -> None:
    assert server.url == f"http://127.0.0.1:{server.port}"
    assert server._server.server_address[0] == "127.0.0.1"


def test_metrics_are_text(server: TelemetryServer) -> None:
    response = httpx.get(f"{server.url}/metrics")
    assert (response.status_code, response.text) == (200, "noren_raw_total 1\n")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_all_is_well(server: TelemetryServer) -> None:
    assert asked(server, "/healthz") == (200, {"status": "ok", "checks": {"committer": "ok"}})
    assert asked(server, "/readyz") == (200, {"status": "ok", "checks": {"committer": "ok", "sink": "ok"}})


def test_what_passes_by_itself_makes_it_unready_and_not_dead(server: TelemetryServer, health: Health) -> None:
    health.ready["sink"] = lambda: "BigQuery does not answer"
    assert asked(server, "/healthz")[0] == 200
    assert asked(server, "/readyz") == (
        503,
        {"status": "failing", "checks": {"committer": "ok", "sink": "BigQuery does not answer"}},
    )


def test_what_is_dead_is_not_ready_either(server: TelemetryServer, health: Health) -> None:
    health.live["committer"] = lambda: "has failed"
    assert (asked(server, "/healthz")[0], asked(server, "/readyz")[0]) == (503, 503)


def test_a_check_that_fails_tells_its_type_and_nothing_of_its_text(server: TelemetryServer, health: Health) -> None:
    def quoting() -> str | None:
        raise ValueError("user_1234567")

    health.live["committer"] = quoting
    assert asked(server, "/healthz")[1]["checks"] == {"committer": "failed with ValueError"}


def test_other_paths_say_what_there_is(server: TelemetryServer) -> None:
    response = httpx.get(f"{server.url}/")
    assert (response.status_code, response.text) == (404, "There are /metrics, /healthz and /readyz.\n")


def test_a_port_that_is_taken_is_one_sentence(server: TelemetryServer, health: Health) -> None:
    with pytest.raises(NorenError, match=rf"^127.0.0.1:{server.port}: cannot serve metrics there \(Address already"):
        TelemetryServer(server.port, bytes, health)
