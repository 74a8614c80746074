"""Quix Streams: the engine below a StreamingDataFrame, without Kafka."""

import json

from quixstreams.core.stream import Stream

from scripts.bench.loops import tuned
from scripts.bench.peers.programs.timing import answer, arguments, differing


def main() -> None:
    _, events, _ = arguments()
    out: list[object] = []
    stream = Stream().add_apply(tuned)
    engine = stream.compose_single(sink=lambda value, *_: out.append(value))

    def run() -> None:
        out.clear()
        for event in events:
            engine(event, None, 0, [])

    run()
    answer(len(events), run, differing(events, (json.loads(row[1]) for row in out)))


main()
