"""One warehouse, and a table of a test's own in it."""

import uuid

import pytest
from google.cloud import bigquery

from dataflow.schemas import Table
from dataflow.sinks.load import LoadSink
from scripts.stack.endpoints import Endpoints
from tests.dataflow.sinks.cases import COLUMNS


@pytest.fixture(scope="module")
def client(servers: Endpoints) -> bigquery.Client:
    return servers.warehouse_client()


@pytest.fixture(scope="module")
def sink(client: bigquery.Client) -> LoadSink:
    return LoadSink(client)


@pytest.fixture(scope="module")
def dataset(client: bigquery.Client) -> str:
    return client.create_dataset(f"raw__{uuid.uuid4().hex[:8]}").dataset_id


@pytest.fixture
def table(dataset: str) -> Table:
    """One that does not exist yet."""
    return Table(dataset, f"t_{uuid.uuid4().hex[:8]}", COLUMNS, "at", "A table.", {"stream": "visit"})


@pytest.fixture
def batch() -> str:
    return f"{uuid.uuid4().hex[:12]}-00000007"
