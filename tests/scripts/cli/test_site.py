"""Where a pipeline finds its services, when these are away at its start."""

import dataclasses
import socket
import threading
from pathlib import Path

import pytest

from dataflow.errors import NorenError
from scripts.cli.site import Site, local
from scripts.stack.pubsub import statistics
from tests.conftest import Stream
from tests.dataflow.sinks.network import Network


def moved(stream: Stream, port: int) -> Site:
    """The stack, with a broker on another port."""
    pubsub = dataclasses.replace(stream.servers["pubsub"], address=f"127.0.0.1:{port}", port=port)
    services = stream.servers.services | {"pubsub": pubsub}
    return Site(
        stream.servers.project_id, stream.servers.home.root, dataclasses.replace(stream.servers, services=services)
    )


def test_a_broker_that_is_away_at_the_start_is_waited_for_and_said_once(stream: Stream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    said: list[str] = []
    stores: list[str] = []
    away = threading.Event()

    def waiting(sentence: str) -> None:
        said.append(sentence)
        away.set()

    where = moved(stream, port)
    thread = threading.Thread(target=lambda: stores.append(where.prepare(stream.contract, waiting)))
    thread.start()
    assert away.wait(20)
    network = Network(f"http://{stream.servers.pubsub}", port=port)
    thread.join(30)
    network.close()
    assert stores == [statistics(stream.servers.pubsub)["store_id"]]
    assert said == [f"{stream.name}: the Pub/Sub server at 127.0.0.1:{port} does not answer; waiting for it"]


def test_what_does_not_pass_is_not_waited_for(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise NorenError("no Pub/Sub server of Noren answers (UNIMPLEMENTED)")

    monkeypatch.setattr("scripts.stack.pubsub.statistics", refused)
    with pytest.raises(NorenError, match="UNIMPLEMENTED"):
        moved(stream, 1).prepare(stream.contract, lambda _: None)


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(NorenError, match="start one with `noren up`"):
        local(tmp_path)
