"""The test stand: a stack with data of its own, and servers before its warehouse that fail as they are told."""

import json
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from google.cloud import bigquery
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from dataflow import names
from dataflow.bundle import BundleStore, Texts
from dataflow.bundle.publish import Approval, publish
from dataflow.channels import UNLIMITED, plain
from dataflow.contract import Contract, load_contracts
from dataflow.errors import NorenError
from dataflow.keys.signing import Verifier, development_signer, public_file
from dataflow.objects import LocalObjects
from dataflow.objects.places import open_objects
from dataflow.policy import Policy, load_policy
from dataflow.project import Project
from dataflow.schemas import Table, tables
from scripts.faults.faults import Faults
from scripts.faults.grpc import GrpcFaults
from scripts.faults.http import HttpFaults
from scripts.main_job.pipeline import PipelineProcess
from scripts.soak.clock import set_clock
from scripts.stack import services
from scripts.stack.endpoints import Endpoints
from scripts.stack.pubsub import statistics
from scripts.stack.streams import LocalTopics
from scripts.stack.supervisor import Stack, free_port

STREAM = "app_event"

ANSWER_SECONDS = 30.0
"""A server that was started again is reached within."""

_VERSION = re.compile(r"^version: (\S+)$", re.MULTILINE)


@dataclass
class Stand:
    """What is up.

    direct: the servers themselves, for who checks. sink_faults: what happens to the pipeline's calls of the warehouse.
    clock: file of `scripts.soak.clock`. bundle: number of the newest published policy, 0 for none.
    """

    project: Project
    home: Path
    stack: Stack
    direct: Endpoints
    contract: Contract
    policy: Policy
    sink_faults: Faults
    clock: Path
    client: bigquery.Client
    topics: LocalTopics
    subscriber: SubscriberClient
    bundle: int = 0
    _texts: Texts = field(init=False)

    def __post_init__(self) -> None:
        self._texts = Texts.of(self.project)

    @property
    def tables(self) -> dict[str, Table]:
        """By role."""
        return tables(self.contract, self.policy)

    @property
    def journal(self) -> LocalObjects:
        """Where the pipeline's journal is."""
        return LocalObjects(self.home / "journal")

    @property
    def shard(self) -> str:
        """The journal's shard, which is named as the subscription."""
        return names.subscription(STREAM)

    @property
    def subscription(self) -> str:
        """Full name of the pipeline's subscription."""
        return f"projects/{self.project.id}/subscriptions/{self.shard}"

    def published(self) -> int:
        """Messages that the broker accepted. Raises NorenError when it does not answer."""
        end = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                counted: int = statistics(self.direct.pubsub)["topics"][self.topics.topic(STREAM)]["published"]
            except NorenError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)  # it was killed, and gRPC makes a pause before it tries again
                continue
            return counted

    def start_pipeline(self, sink: str) -> PipelineProcess:
        """`noren run` as it is, but for its clock."""
        return PipelineProcess(
            STREAM,
            self.home,
            self.project.root,
            "--sink",
            sink,
            program=("scripts.soak.clock", str(self.clock), "run"),
            log=self.home / "logs" / "pipeline.log",
        )

    def publish_policy(self) -> None:
        """Publish the policy under a version of its own; it changes nothing else."""
        version = f"{self.policy.version}.{self.bundle + 1}"
        texts = Texts(
            _VERSION.sub(f"version: {version}", self._texts.policy, 1), self._texts.contracts, self._texts.files
        )
        bundle, _ = publish(
            texts,
            BundleStore(open_objects(str(self.home / "bundles"))),
            development_signer(self.home / "keys"),
            Verifier.load(public_file(self.home / "keys")),
            Approval(unreviewed=True),
        )
        self.bundle = bundle.number


@contextmanager
def stand(project: Project, home: Path, seed: int) -> Iterator[Stand]:
    """Everything up but the pipeline, in an empty `home`; all of it is stopped when the block ends.

    Raises NorenError when a server does not start.
    """
    stack = Stack(home, project.id, _services(), free_ports=True)
    contract, policy = load_contracts(project.contracts)[STREAM], load_policy(project.policy)
    faults = Faults(seed=seed)
    with (
        stack.running() as direct,
        HttpFaults(direct.warehouse, faults) as rest,
        GrpcFaults(direct.warehouse_grpc, faults) as storage,
        LocalTopics(project.id, direct.pubsub) as topics,
        SubscriberClient(transport=SubscriberGrpcTransport(channel=plain(direct.pubsub, UNLIMITED))) as subscriber,
    ):
        _lead_through(direct, rest.url, int(storage.address.rpartition(":")[2]))
        clock = home / "clock"
        set_clock(clock, 0.0)
        client = direct.warehouse_client()
        up = Stand(project, home, stack, direct, contract, policy, faults, clock, client, topics, subscriber)
        for dataset in {table.dataset for table in up.tables.values()}:
            client.create_dataset(dataset)
        topics.ensure([contract])
        up.publish_policy()
        yield up
        client.close()


def _services() -> list[services.Service]:
    """Warehouse and Pub/Sub; the warehouse's second port is fixed too, for it is to be found again after a restart."""
    grpc_port = free_port()

    def warehouse(plan: services.Plan) -> list[str]:
        return [*services.warehouse(plan), "--grpc-port", str(grpc_port)]

    return [
        replace(service, command=warehouse) if service.name == "warehouse" else service
        for service in services.SERVICES
        if service.name in ("warehouse", "pubsub")
    ]


def _lead_through(direct: Endpoints, url: str, grpc_port: int) -> None:
    """Whoever reads the home's state file reaches the warehouse through the servers that fail."""
    state = direct.home.state() or {}
    warehouse = state["services"]["warehouse"]
    warehouse["address"] = url
    warehouse["ready"]["grpc_port"] = grpc_port
    direct.home.write(direct.home.state_file, json.dumps(state, indent=2))


def drawn_sink(rng: random.Random) -> str:
    """One of the sinks that a pipeline may start with."""
    return rng.choice(["load", "storage-write"])
