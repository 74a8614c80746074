"""Apache Beam's FnApiRunner, one worker, element by element."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from scripts.bench.loops import tuned
from scripts.bench.peers.programs.timing import answer, arguments


def main() -> None:
    path, events, _ = arguments()
    count = len(events)

    def lines(name: str) -> Iterator[bytes]:
        with Path(name).open("rb") as file:
            yield from itertools.islice(file, count)

    def run() -> None:
        with beam.Pipeline(FnApiRunner(), options=PipelineOptions(["--direct_num_workers=1"])) as pipeline:
            _ = pipeline | beam.Create([str(path)], reshuffle=False) | beam.FlatMap(lines) | beam.Map(tuned)

    answer(count, run)


main()
