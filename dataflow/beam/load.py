"""RecordBatches to BigQuery: what a few minutes bring becomes one load job a table.

Beam's own WriteToBigQuery takes rows as dicts, one element each, which costs more than all of the core (streaming
inserts and file loads), or needs Java (Storage Write API). Load jobs are the house's sink already, but a table may have
1,500 of them a day: hence the minutes.
"""

import uuid
from collections.abc import Callable, Iterable
from typing import Any

import apache_beam as beam
import polars as pl
import pyarrow as pa
from apache_beam.pvalue import PCollection

from dataflow.clients import bigquery_client
from dataflow.errors import NorenError
from dataflow.schemas import Table
from dataflow.sinks.load import LoadSink

MOST_BATCHES = 2_000
"""RecordBatches of one load job: bounds memory. A million rows when batches are full and shards are 16."""


class LoadFn(beam.DoFn):
    """(role, (group id, RecordBatches)) -> one write to the role's table, which is made where it is missing.

    A group keeps its id and its rows when the runner keeps what a shuffle brought, as Dataflow does: then a second try
    finds the job of the first.
    """

    def __init__(self, tables: dict[str, Table], sink: Callable[[], LoadSink]) -> None:
        self._tables = tables
        self._open = sink

    def setup(self) -> None:
        self._sink = self._open()
        for table in self._tables.values():
            self._sink.ensure(table)

    def process(self, element: tuple[str, tuple[str, list[pa.RecordBatch]]]) -> None:
        role, (group, batches) = element
        rows = pl.from_arrow(pa.Table.from_batches(batches))
        assert isinstance(rows, pl.DataFrame)
        try:
            self._sink.write(self._tables[role], rows, group)
        except NorenError as error:
            raise NorenError(str(error)) from None  # its cause is BigQuery's text, which may quote a row, and is logged


class Load(beam.PTransform[Any, Any]):
    """Writes the rows of every role: {role: RecordBatches}.

    seconds: how long rows are gathered at most.
    sink: opens the sink on a worker; the datasets exist.
    """

    def __init__(self, tables: dict[str, Table], seconds: int, sink: Callable[[], LoadSink]) -> None:
        super().__init__()
        self._tables = tables
        self._seconds = seconds
        self._sink = sink

    def expand(self, rows: dict[str, PCollection[pa.RecordBatch]]) -> Any:
        keyed = [
            batches | f"of {role}" >> beam.WithKeys(role).with_output_types(tuple[str, pa.RecordBatch])
            for role, batches in rows.items()
        ]
        return (
            keyed
            | beam.Flatten()
            | "gather" >> beam.GroupIntoBatches(MOST_BATCHES, self._seconds)
            | "name" >> beam.Map(_named)
            | "keep the name" >> beam.Reshuffle()
            | "write" >> beam.ParDo(LoadFn(self._tables, self._sink))
        )


def _named(gathered: tuple[str, Iterable[pa.RecordBatch]]) -> tuple[str, tuple[str, list[pa.RecordBatch]]]:
    role, batches = gathered
    return role, (uuid.uuid4().hex, list(batches))


class CloudSink:
    """Opens the sink for BigQuery itself. Pickled to workers: holds the project's id only."""

    def __init__(self, project: str) -> None:
        self._project = project

    def __call__(self) -> LoadSink:
        return LoadSink(bigquery_client(self._project))
