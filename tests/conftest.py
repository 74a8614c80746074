"""What tests of several folders share: one warehouse emulator and one Pub/Sub server for the whole run.

A start costs four seconds of CPU. Tests keep out of each other's way by streams and datasets of their own.
"""

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # as the pipeline runs it; read when polars is imported
os.environ.pop("CI", None)  # `noren acl apply` is a dry run there: tests of CI say so themselves

import pytest
import yaml
from google.cloud import bigquery

from dataflow.contract import Contract, load_contracts
from dataflow.policy import Policy, load_policy
from dataflow.project import Project
from dataflow.schemas import tables
from scripts.stack import services
from scripts.stack.endpoints import Endpoints
from scripts.stack.streams import LocalTopics
from scripts.stack.supervisor import Stack

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """The emulator and the Pub/Sub server; no gateway, no datasets."""
    wanted = [service for service in services.SERVICES if service.name in ("warehouse", "pubsub")]
    with Stack(tmp_path_factory.mktemp("servers"), "noren-test", wanted, free_ports=True).running() as endpoints:
        yield endpoints


@dataclass(frozen=True)
class Stream:
    """A stream of a test's own: the app events of the repository under another name, with its datasets and topic."""

    project: Project
    contract: Contract
    policy: Policy
    servers: Endpoints
    client: bigquery.Client
    topics: LocalTopics

    @property
    def name(self) -> str:
        return self.contract.stream

    def publish(self, *payloads: bytes) -> list[str]:
        return self.topics.publish(self.name, payloads)

    def rows(self, role: str, columns: str = "*") -> list[dict[str, Any]]:
        """Rows of one of its tables: raw, anonymized, dead or unknown."""
        table = tables(self.contract, self.policy)[role].id
        only = "" if role in ("raw", "anonymized") else f" WHERE stream = '{self.name}'"
        return [dict(row) for row in self.client.query_and_wait(f"SELECT {columns} FROM {table}{only}")]


@pytest.fixture
def stream(servers: Endpoints, tmp_path: Path) -> Iterator[Stream]:
    yield from made_stream(servers, tmp_path)


def made_stream(servers: Endpoints, directory: Path) -> Iterator[Stream]:
    """A new stream in a project of its own in `directory`."""
    name = f"app_{uuid.uuid4().hex[:8]}"
    contract = yaml.safe_load((ROOT / "dataflow" / "contracts" / "app_event.yaml").read_text())
    contract |= {"name": name, "domain": name}
    policy = yaml.safe_load((ROOT / "dataflow" / "policy.yaml").read_text())
    policy["streams"] = {name: policy["streams"]["app_event"]}
    (directory / "dataflow" / "contracts").mkdir(parents=True)
    (directory / "dataflow" / "contracts" / f"{name}.yaml").write_text(json.dumps(contract))
    (directory / "dataflow" / "policy.yaml").write_text(json.dumps(policy))
    project = Project(directory, servers.project_id)
    read = load_contracts(project.contracts)[name], load_policy(project.policy)
    client = servers.warehouse_client()
    for table in tables(*read).values():
        client.create_dataset(table.dataset, exists_ok=True)
    with LocalTopics(servers.project_id, servers.pubsub) as topics:
        topics.ensure([read[0]])
        yield Stream(project, *read, servers, client, topics)
    shutil.rmtree(directory / "dataflow")
