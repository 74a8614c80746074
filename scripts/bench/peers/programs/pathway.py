"""Pathway: a static file of lines through a UDF, one worker."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pathway as pw

from scripts.bench.loops import tuned
from scripts.bench.peers.programs.timing import answer, arguments


class Lines(pw.Schema):
    data: bytes


def work(line: str) -> tuple:
    return tuned(line.encode())


def main() -> None:
    _, events, _ = arguments()
    with TemporaryDirectory() as directory:
        part = Path(directory) / "events.ndjson"
        part.write_bytes(b"\n".join(events) + b"\n")

        def run() -> None:
            pw.internals.parse_graph.G.clear()
            lines = pw.io.plaintext.read(str(part), mode="static")
            rows = lines.select(row=pw.apply_with_type(work, tuple[bytes, bytes], pw.this.data))
            pw.io.null.write(rows)
            pw.run(monitoring_level=pw.MonitoringLevel.NONE)

        answer(len(events), run)


main()
