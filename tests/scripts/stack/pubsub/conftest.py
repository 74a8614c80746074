"""Two Pub/Sub servers for the same tests: ours, and Google's emulator where it is installed."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.cloud import pubsub_v1
from google.pubsub_v1 import PublisherClient, SchemaServiceClient, types

PROJECT = "projects/noren-local"


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "google_differs(reason, run=True): Google's emulator does not do what the real service does"
    )


class Process:
    """A server of ours as the stack runs it."""

    def __init__(self, directory: Path, *options: str) -> None:
        command = [
            sys.executable,
            "-m",
            "scripts.stack.pubsub",
            "--data-dir",
            str(directory),
            "--watch-stdin",
            *options,
        ]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("READY "), line
        self.ready = json.loads(line.removeprefix("READY "))
        self.endpoint = f"127.0.0.1:{self.ready['port']}"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def stop(self) -> int:
        self.process.terminate()
        self.process.communicate(timeout=20)
        return self.process.returncode


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Process]]:
    """start(*options, directory=...) runs a server of ours over one data directory, again and again if wanted."""
    started: list[Process] = []

    def run(*options: str, directory: Path = tmp_path / "data") -> Process:
        started.append(Process(directory, *options))
        return started[-1]

    yield run
    for server in started:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture(scope="session")
def ours(tmp_path_factory) -> Iterator[str]:
    server = Process(tmp_path_factory.mktemp("pubsub"))
    yield server.endpoint
    assert server.stop() == 0


def emulator_jar() -> Path | None:
    gcloud = shutil.which("gcloud")
    if gcloud is None or shutil.which("java") is None:
        return None
    library = Path(gcloud).resolve().parent.parent / "platform" / "pubsub-emulator" / "lib"
    return next(iter(sorted(library.glob("cloud-pubsub-emulator-*-all.jar"))), None)


@pytest.fixture(scope="session")
def google(tmp_path_factory) -> Iterator[str]:
    """Google's emulator. Skips where it or java is not installed."""
    jar = emulator_jar()
    if jar is None:
        pytest.skip("Google's Pub/Sub emulator is not installed (gcloud components install pubsub-emulator, and java).")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = f"127.0.0.1:{port}"
    log = (tmp_path_factory.mktemp("google") / "log").open("w")
    command = ["java", "-Xmx512m", "-jar", str(jar), "--host=127.0.0.1", f"--port={port}"]
    server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with grpc.insecure_channel(endpoint) as channel:
            grpc.channel_ready_future(channel).result(timeout=60)
        yield endpoint
    finally:
        server.terminate()
        server.wait(timeout=20)
        log.close()


@dataclass
class Cloud:
    """Unmodified clients of one server, and short forms of what every test does."""

    endpoint: str
    publisher: PublisherClient
    batching: pubsub_v1.PublisherClient
    subscriber: pubsub_v1.SubscriberClient
    schemas: SchemaServiceClient

    def topic(self, **fields: Any) -> str:
        name = f"{PROJECT}/topics/topic-{uuid.uuid4().hex[:12]}"
        return self.publisher.create_topic(request={"name": name, **fields}).name

    def subscription(self, topic: str, **fields: Any) -> str:
        name = f"{PROJECT}/subscriptions/subscription-{uuid.uuid4().hex[:12]}"
        return self.subscriber.create_subscription(request={"name": name, "topic": topic, **fields}).name

    def both(self, **fields: Any) -> tuple[str, str]:
        """A topic and a subscription with these settings."""
        topic = self.topic()
        return topic, self.subscription(topic, **fields)

    def publish(self, topic: str, *data: bytes, key: str = "", **attributes: str) -> list[str]:
        messages = [types.PubsubMessage(data=each, ordering_key=key, attributes=attributes) for each in data]
        return list(self.publisher.publish(topic=topic, messages=messages).message_ids)

    def pull(self, subscription: str, count: int = 1, seconds: float = 5.0) -> list[types.ReceivedMessage]:
        """`count` messages, or what came within the time."""
        received: list[types.ReceivedMessage] = []
        until = time.monotonic() + seconds
        while len(received) < count and time.monotonic() < until:
            request = {"subscription": subscription, "max_messages": count - len(received), "return_immediately": True}
            received += self.subscriber.pull(request=request, retry=None).received_messages
            if len(received) < count:
                time.sleep(0.02)
        return received

    def pull_data(self, subscription: str, count: int = 1, seconds: float = 5.0) -> list[bytes]:
        return [received.message.data for received in self.pull(subscription, count, seconds)]

    def ack(self, subscription: str, received: list[types.ReceivedMessage]) -> None:
        self.subscriber.acknowledge(subscription=subscription, ack_ids=[each.ack_id for each in received])

    def modack(self, subscription: str, received: list[types.ReceivedMessage], seconds: int) -> None:
        ids = [each.ack_id for each in received]
        self.subscriber.modify_ack_deadline(subscription=subscription, ack_ids=ids, ack_deadline_seconds=seconds)


@contextlib.contextmanager
def connected(endpoint: str) -> Iterator[Cloud]:
    before = os.environ.get("PUBSUB_EMULATOR_HOST")
    os.environ["PUBSUB_EMULATOR_HOST"] = endpoint
    try:
        cloud = Cloud(
            endpoint,
            PublisherClient(),
            pubsub_v1.PublisherClient(publisher_options=pubsub_v1.types.PublisherOptions(enable_message_ordering=True)),
            pubsub_v1.SubscriberClient(),
            SchemaServiceClient(),
        )
    finally:
        del os.environ["PUBSUB_EMULATOR_HOST"]
        if before is not None:
            os.environ["PUBSUB_EMULATOR_HOST"] = before
    yield cloud
    cloud.batching.stop()
    for client in (cloud.publisher, cloud.subscriber, cloud.schemas):
        client.transport.close()


@pytest.fixture
def connect() -> Iterator[Callable[[str], Cloud]]:
    """connect(endpoint): clients of a server that the test started itself."""
    with contextlib.ExitStack() as stack:
        yield lambda endpoint: stack.enter_context(connected(endpoint))


@pytest.fixture(scope="session")
def clouds(request) -> Iterator[Callable[[str], Cloud]]:
    with contextlib.ExitStack() as stack:
        made: dict[str, Cloud] = {}

        def get(server: str) -> Cloud:
            if server not in made:
                made[server] = stack.enter_context(connected(request.getfixturevalue(server)))
            return made[server]

        yield get


@pytest.fixture(params=["ours", "google"])
def cloud(request, clouds) -> Cloud:
    """The clients of either server."""
    if request.param == "google":
        for mark in request.node.iter_markers("google_differs"):
            if not mark.kwargs.get("run", True):
                pytest.xfail(mark.args[0])
            known = "0.8.20" in str(emulator_jar())  # a newer one may have learned it
            request.applymarker(pytest.mark.xfail(reason=mark.args[0], strict=known))
    return clouds(request.param)


@pytest.fixture
def own(clouds) -> Cloud:
    """The clients of our server, for what only it has."""
    return clouds("ours")


@pytest.fixture(scope="session")
def project() -> str:
    return PROJECT
