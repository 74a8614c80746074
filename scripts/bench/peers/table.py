"""The peers: how each is run and what its figure means."""

from dataclasses import dataclass

LINES = "one line at a time: the tuned loop's checks and HMAC"
COERCES = "not exact: mistyped values are coerced or become null; "
FAILS = "one malformed line fails its batch"


@dataclass(frozen=True)
class Peer:
    """program: of programs/, without its suffix. python: version of its environment; None for this environment.
    exact: it does the same work: raw and anonymized row, HMAC-SHA256, each bad row rejected by itself.
    events: how many it is timed on at most. batch: events at once, where it takes batches.
    caveat: what its figure leaves out.
    repeats: the events are repeated up to that number, so that starting a job weighs little.
    """

    name: str
    program: str
    exact: bool
    caveat: str
    events: int
    python: str | None = "3.13"
    batch: int = 8_192
    needs: str | None = None
    repeats: bool = False

    @property
    def requirements(self) -> str | None:
        """File of requirements/ with its pins; None when it needs no environment of its own."""
        return f"{self.program}.txt" if self.python and self.program not in ("node", "miller", "beam") else None


PEERS: tuple[Peer, ...] = (
    Peer("chdb", "chdb", False, COERCES + "a missing field is an empty one; a flag of validity a row", 100_000),
    Peer("chdb_bulk", "chdb", False, "as chdb, all events in one batch: no stream has that", 100_000, batch=1_000_000),
    Peer("quixstreams", "quixstreams", True, LINES + "; the engine alone, no broker", 50_000),
    Peer("bytewax", "bytewax", True, LINES, 50_000, python="3.12", batch=1_000),
    Peer("node", "node", True, "JSON.parse and createHmac, one line at a time", 50_000, python=None, needs="node"),
    Peer("pathway", "pathway", True, LINES, 30_000),
    Peer(
        "pyspark", "pyspark", False, COERCES + "local[1], warm; into the noop sink", 200_000, needs="java", repeats=True
    ),
    Peer(
        "pyflink",
        "pyflink",
        False,
        "nested keyed SHA-256 for HMAC; bad rows are skipped, not told; into blackhole tables, warm",
        150_000,
        python="3.12",
        needs="java",
        repeats=True,
    ),
    Peer(
        "beam",
        "beam",
        True,
        LINES + "; FnApiRunner, set-up of the pipeline included, its rows go nowhere",
        100_000,
        python=None,
    ),
    Peer("polars", "polars", False, COERCES + FAILS, 100_000),
    Peer("pyarrow", "pyarrow", False, "not exact: a missing field is null; " + FAILS, 100_000),
    Peer("duckdb", "duckdb", False, COERCES + FAILS + "; reads a file a batch", 100_000),
    Peer("scrubadub", "scrubadub", True, "the tuned loop with scrubadub's e-mail and telephone detectors", 3_000),
    Peer(
        "presidio",
        "presidio",
        True,
        "the tuned loop with Presidio's recognizers called directly: no engine, no language model",
        3_000,
    ),
    Peer(
        "miller",
        "miller",
        False,
        "nested keyed SHA-256 for HMAC; a malformed line ends it; one process a run",
        20_000,
        python=None,
        needs="mlr",
    ),
)
