"""Where a running stack answers: read from its home, for everybody who is not its supervisor."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataflow.clients import bigquery_client
from dataflow.errors import NorenError
from scripts.stack.home import Home

if TYPE_CHECKING:
    from google.cloud import bigquery


@dataclass(frozen=True)
class Endpoint:
    """One service.

    address: `http://127.0.0.1:PORT`, or `127.0.0.1:PORT` of a gRPC service.
    pid, started: its process and when that was created (seconds since the epoch).
    ready: everything that the service said in its READY line, e.g. `grpc_port` of the warehouse.
    """

    name: str
    address: str
    scheme: str
    port: int
    pid: int
    started: float
    ready: dict[str, Any]


@dataclass(frozen=True)
class Endpoints:
    """A running stack as its state file describes it."""

    home: Home
    project_id: str
    services: dict[str, Endpoint]

    def __getitem__(self, service: str) -> Endpoint:
        if service not in self.services:
            raise NorenError(
                f"the stack of {self.home.root} has no service {service}: it has {', '.join(self.services)}."
            )
        return self.services[service]

    @property
    def warehouse(self) -> str:
        """Base URL of the emulator's REST API. It answers only who carries the secret."""
        return self["warehouse"].address

    @property
    def warehouse_grpc(self) -> str:
        """`host:port` of the emulator's Storage API; the secret goes into the metadata key `x-noren-stack`."""
        return f"127.0.0.1:{self['warehouse'].ready['grpc_port']}"

    @property
    def pubsub(self) -> str:
        """`host:port`, as PUBSUB_EMULATOR_HOST has it."""
        return self["pubsub"].address

    @property
    def gateway(self) -> str:
        """Base URL of the BigQuery API that people's and dbt's clients use."""
        return self["gateway"].address

    @property
    def secret(self) -> str:
        """What the emulator wants to see in `x-noren-stack`: for gateway, worker and applier alone."""
        return self.home.secret_file.read_text().strip()

    def warehouse_client(self) -> "bigquery.Client":
        """A client that goes directly to the emulator, around the gateway: for the worker and the applier."""
        return bigquery_client(self.project_id, self.warehouse, self.secret)


def from_state(home: Home, state: dict[str, Any]) -> Endpoints:
    services = {name: Endpoint(name=name, **entry) for name, entry in state["services"].items()}
    return Endpoints(home, state["project_id"], services)


def load(home: Path) -> Endpoints:
    """The stack that runs in `home`. Raises NorenError when none does, or when it is not ready yet."""
    place = Home(home)
    state = place.state()
    if place.supervisor() is None or state is None:
        raise NorenError(f"no stack runs in {home}: start one with `noren up`.")
    if "services" not in state:
        raise NorenError(f"the stack of {home} is still starting: try again in a few seconds.")
    return from_state(place, state)


def warehouse_client(home: Path) -> "bigquery.Client":
    """`load(home).warehouse_client()`."""
    return load(home).warehouse_client()
