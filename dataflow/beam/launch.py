"""From the command line to a running job."""

import re
from collections.abc import Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions, StandardOptions

from dataflow.beam.load import CloudSink, Load
from dataflow.beam.options import NorenOptions
from dataflow.beam.pipeline import build, read
from dataflow.beam.settings import Settings
from dataflow.errors import NorenError
from dataflow.schemas import tables

RUNNER = "DataflowRunner"


def launch(arguments: Sequence[str]) -> None:
    """Launch the job. Raises NorenError when the options do not fit."""
    pipeline = assemble(PipelineOptions(list(arguments)))
    pipeline.run()


def assemble(options: PipelineOptions) -> beam.Pipeline:
    """The whole pipeline, from Pub/Sub to BigQuery. Asks no service anything.

    Raises NorenError when the options do not fit.
    """
    own = options.view_as(NorenOptions)
    if not own.stream or not own.subscription:
        raise NorenError("--stream and --subscription are needed.")
    if not re.fullmatch(r"projects/[^/]+/subscriptions/[^/]+", own.subscription):
        raise NorenError(f"--subscription {own.subscription}: give the full path projects/PROJECT/subscriptions/NAME.")
    standard = options.view_as(StandardOptions)
    if standard.runner != RUNNER:
        raise NorenError(
            f"--runner {standard.runner or 'is missing'}: Pub/Sub is read by {RUNNER} only, other runners acknowledge "
            "before they have processed and lose events; on one machine use noren run."
        )
    project = options.view_as(GoogleCloudOptions).project
    if not project:
        raise NorenError("--project is needed: it holds the datasets.")
    if own.load_seconds < 1:
        raise NorenError(f"--load_seconds {own.load_seconds}: must be 1 or more.")
    standard.streaming = True
    settings = Settings.of(own)
    try:
        pipeline = beam.Pipeline(options=options)
    except ValueError as error:  # Beam's own check of its options
        raise NorenError(" ".join(str(error).split())) from error
    rows = build(read(pipeline, own.subscription), settings)
    rows | "load" >> Load(tables(settings.contract, settings.policy), own.load_seconds, CloudSink(project))
    return pipeline
