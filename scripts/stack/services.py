"""The services of the stack: a table. Each is a process that speaks the protocol of `process.py`."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from scripts.stack.home import Home
from scripts.stack.warehouse.environment import Environment
from scripts.stack.warehouse.install import install

HOST = "127.0.0.1"

type Say = Callable[[str], None]
"""Is given one sentence of progress."""


@dataclass(frozen=True)
class Plan:
    """What the services are told before any of them runs.

    ports: service -> the TCP port that it will serve on.
    """

    home: Home
    project_id: str
    environment: Environment
    ports: dict[str, int] = field(default_factory=dict)

    def url(self, service: str) -> str:
        return f"http://{HOST}:{self.ports[service]}"


@dataclass(frozen=True)
class Service:
    """One line of the table.

    port: the port that is tried first.
    prepare: called before the start, e.g. to install what the command needs; gets a function that tells of progress.
    command: the command line, without `--port`, `--data-dir` and `--watch-stdin`, which every service gets.
    scheme: `http`, or `grpc` for a plain HTTP/2 server: how `noren status` asks whether it answers, and how its address
        is written (google's clients take `host:port` for gRPC).
    """

    name: str
    port: int
    command: Callable[[Plan], list[str]]
    scheme: str = "http"
    prepare: Callable[[Plan, Say], None] | None = None

    def address(self, port: int) -> str:
        return f"{HOST}:{port}" if self.scheme == "grpc" else f"{self.scheme}://{HOST}:{port}"


def warehouse(plan: Plan) -> list[str]:
    return plan.environment.command("--project", plan.project_id, "--secret-file", str(plan.home.secret_file))


def install_warehouse(plan: Plan, say: Say) -> None:
    install(plan.environment, say)


def pubsub(_: Plan) -> list[str]:
    return [sys.executable, "-m", "scripts.stack.pubsub"]


def gateway(plan: Plan) -> list[str]:
    upstream = ["--warehouse", plan.url("warehouse"), "--secret-file", str(plan.home.secret_file)]
    return [sys.executable, "-m", "scripts.stack.gateway", *upstream, "--project", plan.project_id]


SERVICES = (
    Service("warehouse", 9050, warehouse, prepare=install_warehouse),
    Service("pubsub", 8085, pubsub, scheme="grpc"),
    Service("gateway", 9060, gateway),
)
"""In the order in which they are shown; they start at once and stop in the opposite order."""
