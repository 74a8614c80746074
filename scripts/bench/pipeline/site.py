"""A stack, a project and data that one run has for itself; all of it goes when the run ends."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from dataflow import names
from dataflow.contract import Contract, load_contracts
from dataflow.policy import load_policy
from dataflow.project import Project
from dataflow.schemas import tables
from scripts.main_job.pipeline import PipelineProcess
from scripts.stack import services
from scripts.stack.endpoints import Endpoints
from scripts.stack.pubsub import statistics
from scripts.stack.streams import LocalTopics
from scripts.stack.supervisor import Stack
from scripts.stack.warehouse.environment import Environment

DECLARED = Path(__file__).parents[1] / "declared"
PROJECT_ID = "noren-bench"
DROPPING = ("scripts.bench.pipeline.dropping",)
"""The program that runs the pipeline with a sink that drops the rows."""


@dataclass(frozen=True)
class Site:
    """project: a directory with the benchmark's contract under several names, one stream a measurement."""

    project: Project
    stack: Endpoints
    topics: LocalTopics

    @property
    def home(self) -> Path:
        return self.stack.home.root

    @property
    def server(self) -> psutil.Process:
        """The Pub/Sub server."""
        return psutil.Process(self.stack["pubsub"].pid)

    @property
    def emulator(self) -> psutil.Process:
        return psutil.Process(self.stack["warehouse"].pid)

    def contract(self, stream: str) -> Contract:
        return load_contracts(self.project.contracts)[stream]

    def unacknowledged(self, stream: str) -> int:
        """Messages of a stream that its pipeline has not acknowledged."""
        path = f"projects/{self.stack.project_id}/subscriptions/{names.subscription(stream)}"
        return int(statistics(self.stack.pubsub)["subscriptions"][path]["unacknowledged"])

    def counted(self, stream: str) -> dict[str, int]:
        """Rows of the two tables, by role."""
        contract, client = self.contract(stream), self.stack.warehouse_client()
        ids = {role: tables(contract, load_policy(self.project.policy))[role].id for role in ("raw", "anonymized")}
        return {
            role: int(next(iter(client.query_and_wait(f"SELECT COUNT(*) FROM {table}")))[0])  # noqa: S608  (our own)
            for role, table in ids.items()
        }

    @contextmanager
    def pipeline(self, stream: str, *options: str, dropping: bool = False) -> Iterator[PipelineProcess]:
        """The stream's pipeline as a process, stopped when the block ends."""
        program: dict[str, Any] = {"program": DROPPING} if dropping else {}
        process = PipelineProcess(stream, self.home, self.project.root, *options, **program)
        try:
            yield process
        finally:
            process.stop()


@contextmanager
def site(environment: Environment, streams: Sequence[str], lines: Sequence[str], cores: int) -> Iterator[Site]:
    """streams: their messages hold one event each. lines: streams whose messages hold many.

    cores: how many of this machine's the run may use, children included.
    Raises NorenError when the stack does not start.
    """
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # of the children: as `noren run` has it
    directory = Path(tempfile.mkdtemp(prefix="noren-bench-"))
    before = limit(cores)
    try:
        project = make_project(directory, streams, lines)
        wanted = [service for service in services.SERVICES if service.name in ("warehouse", "pubsub")]
        stack = Stack(directory / "home", PROJECT_ID, wanted, free_ports=True, environment=environment)
        with stack.running() as endpoints, LocalTopics(PROJECT_ID, endpoints.pubsub) as topics:
            contracts = load_contracts(project.contracts)
            topics.ensure(contracts.values())
            client, policy = endpoints.warehouse_client(), load_policy(project.policy)
            for dataset in sorted({table.dataset for c in contracts.values() for table in tables(c, policy).values()}):
                client.create_dataset(dataset, exists_ok=True)
            yield Site(project, endpoints, topics)
    finally:
        if before:
            os.sched_setaffinity(0, before)
        shutil.rmtree(directory)


def limit(cores: int) -> set[int]:
    """Keep this process, and those that it starts from now on, on so many cores; those that it had, none where the
    system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        return set()
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[:cores]))
    return before


def make_project(directory: Path, streams: Sequence[str], lines: Sequence[str]) -> Project:
    """The benchmark's contract and rules under these names."""
    project = Project(directory, PROJECT_ID)
    project.contracts.mkdir(parents=True)
    contract = yaml.safe_load((DECLARED / "contracts" / "bench_event.yaml").read_text("utf-8"))
    policy = yaml.safe_load((DECLARED / "policy.yaml").read_text("utf-8"))
    rules = policy["streams"]["bench_event"]
    policy["streams"] = dict.fromkeys([*streams, *lines], rules)
    for name in [*streams, *lines]:
        schema = dict(contract["schema"][0])
        if name in lines:
            schema["customProperties"] = [*schema["customProperties"], {"property": "format", "value": "ndjson"}]
        made = contract | {"id": f"urn:noren:contract:{name}", "name": name, "schema": [schema]}
        (project.contracts / f"{name}.yaml").write_text(yaml.safe_dump(made, sort_keys=False), "utf-8")
    project.policy.write_text(yaml.safe_dump(policy, sort_keys=False), "utf-8")
    return project
