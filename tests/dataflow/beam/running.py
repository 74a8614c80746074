"""Runs the graph in this process and keeps what comes out as files."""

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import polars as pl
import pyarrow as pa
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_stream import TestStream

from dataflow.beam.deduplicate import NAMESPACE
from dataflow.beam.pipeline import ROLES, build
from dataflow.beam.settings import Settings
from dataflow.schemas import tables
from dataflow.sources.message import Message

UNIX = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Ran:
    """rows: by role. sizes: role -> rows of each RecordBatch. counters: the pipeline's own."""

    rows: dict[str, pl.DataFrame]
    sizes: dict[str, list[int]]
    counters: dict[str, int]


class Keep(beam.DoFn):
    """Writes each RecordBatch to a file: functions are pickled, so a list of the test would stay empty."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def process(self, element: pa.RecordBatch) -> None:
        with pa.ipc.new_file(self._directory / f"{uuid.uuid4().hex}.arrow", element.schema) as file:
            file.write_batch(element)


def pubsub_message(message: Message) -> PubsubMessage:
    """As ReadFromPubSub(with_attributes=True) gives it."""
    published = UNIX + datetime.timedelta(microseconds=message.received)
    return PubsubMessage(message.data, dict(message.attributes), message.message_id, published)


def on_fn_api(messages: Sequence[Message], settings: Settings, directory: Path) -> Ran:
    """One bundle of all messages, in order."""
    source = beam.Create([pubsub_message(message) for message in messages], reshuffle=False)
    return _run(beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])), source, settings, directory)


def on_test_stream(batches: Sequence[Sequence[Message]], settings: Settings, directory: Path) -> Ran:
    """A bundle a batch, in order, with state in between."""
    source = TestStream()
    for batch in batches:
        source = source.add_elements([pubsub_message(message) for message in batch])
    options = PipelineOptions([])
    options.view_as(StandardOptions).streaming = True
    pipeline = beam.Pipeline(runner=BundleBasedDirectRunner(), options=options)
    return _run(pipeline, source.advance_watermark_to_infinity(), settings, directory)


def _run(pipeline: beam.Pipeline, source: Any, settings: Settings, directory: Path) -> Ran:
    for role, batches in build(pipeline | "source" >> source, settings).items():
        (directory / role).mkdir(parents=True)
        batches | f"keep {role}" >> beam.ParDo(Keep(directory / role))
    result = pipeline.run()
    result.wait_until_finish()
    counters = {
        counter.key.metric.name: counter.result
        for counter in result.metrics().query()["counters"]
        if counter.key.metric.namespace == NAMESPACE
    }
    frames = {role: [pl.read_ipc(file) for file in sorted((directory / role).iterdir())] for role in ROLES}
    empty = {
        role: pl.DataFrame(schema={name: kind for name, kind in table.polars().items() if name != "batch_id"})
        for role, table in tables(settings.contract, settings.policy).items()
    }
    return Ran(
        rows={role: pl.concat([empty[role], *frames[role]]) for role in ROLES},
        sizes={role: sorted(frame.height for frame in frames[role]) for role in ROLES},
        counters=counters,
    )
