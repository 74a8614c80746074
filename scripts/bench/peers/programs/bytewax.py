"""Bytewax: one worker, batches of the source as given."""

import json

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource, run_main

from scripts.bench.loops import tuned
from scripts.bench.peers.programs.timing import answer, arguments, differing


def main() -> None:
    _, events, batch = arguments()
    out: list[tuple[bytes, bytes]] = []

    def run() -> None:
        out.clear()
        flow = Dataflow("bench")
        stream = op.input("in", flow, TestingSource(events, batch_size=batch))
        op.output(
            "out", op.flat_map_batch("work", stream, lambda part: [tuned(event) for event in part]), TestingSink(out)
        )
        run_main(flow)

    run()
    answer(len(events), run, differing(events, (json.loads(row[1]) for row in out)))


main()
