"""Rows that reach BigQuery: the whole graph but for its source, into the emulator."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import polars as pl
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from google.cloud import bigquery

from dataflow.beam.load import Load, LoadFn
from dataflow.beam.pipeline import ROLES, build
from dataflow.beam.settings import Settings
from dataflow.project import Project
from dataflow.schemas import Table, tables
from dataflow.sinks.load import LoadSink
from scripts.stack import endpoints, services
from scripts.stack.services import Service
from scripts.stack.supervisor import Stack, free_port
from scripts.stack.warehouse.environment import Environment
from tests.dataflow.beam.running import on_fn_api, pubsub_message
from tests.dataflow.deliveries import EVERY_CASE


@dataclass(frozen=True)
class StackSink:
    """Opens the sink for the stack that runs in `home`."""

    home: Path

    def __call__(self) -> LoadSink:
        return LoadSink(endpoints.warehouse_client(self.home))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of a running emulator."""
    emulator = Service("warehouse", free_port(), services.warehouse, prepare=services.install_warehouse)
    environment = Environment.of(Project.find(Path(__file__)).state)
    stack = Stack(tmp_path_factory.mktemp("stack"), "noren-test", (emulator,), environment=environment)
    with stack.running() as running:
        yield running.home.root


@pytest.fixture
def written_to(home: Path, settings: Settings) -> Iterator[dict[str, Table]]:
    """The tables of the stream, in fresh datasets."""
    wanted = tables(settings.contract, settings.policy)
    client = endpoints.warehouse_client(home)
    datasets = {table.dataset for table in wanted.values()}
    for dataset in datasets:
        client.create_dataset(dataset)
    yield wanted
    for dataset in datasets:
        client.delete_dataset(dataset, delete_contents=True)


def rows_of(client: bigquery.Client, table: Table) -> pl.DataFrame:
    rows = [dict(row) for row in client.query_and_wait(f"SELECT * FROM `{table.id}`")]
    return pl.DataFrame(rows, schema=table.polars(), orient="row")


def test_the_tables_get_the_rows_of_the_graph_in_one_load_each(
    home: Path, written_to: dict[str, Table], settings: Settings, tmp_path: Path
) -> None:
    pipeline = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))
    source = beam.Create([pubsub_message(message) for message in EVERY_CASE.messages], reshuffle=False)
    build(pipeline | source, settings) | Load(written_to, 1, StackSink(home))
    pipeline.run().wait_until_finish()
    client = endpoints.warehouse_client(home)
    expected = on_fn_api(EVERY_CASE.messages, settings, tmp_path).rows
    for role, by in zip(ROLES, ("event_token", "event_token", "dead_token", "field"), strict=True):
        found = rows_of(client, written_to[role])
        assert found["batch_id"].n_unique() == 1
        wanted = expected[role].drop("sealed", strict=False).sort(by)
        assert found.drop("batch_id").select(wanted.columns).sort(by).equals(wanted)


def test_a_group_that_is_tried_again_is_written_once(
    home: Path, written_to: dict[str, Table], settings: Settings, tmp_path: Path
) -> None:
    raw = on_fn_api(EVERY_CASE.messages, settings, tmp_path).rows["raw"]
    function = LoadFn(written_to, StackSink(home))
    function.setup()
    for _ in range(2):
        function.process(("raw", ("group", raw.to_arrow().to_batches())))
    client = endpoints.warehouse_client(home)
    assert rows_of(client, written_to["raw"]).height == EVERY_CASE.raw
