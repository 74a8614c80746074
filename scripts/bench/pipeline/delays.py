"""How old an event is where it arrives: as a message of `<stream>-anonymized`, and as a row that a query finds."""

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from google.pubsub_v1.types import PullResponse

from dataflow import names
from dataflow.policy import load_policy
from dataflow.schemas import anonymized_table
from dataflow.sources.pubsub import PubSubSubscription
from scripts.bench.pipeline.publisher import Publisher
from scripts.bench.pipeline.site import Site
from scripts.bench.pipeline.throughput import publish_backlog

WARM_EVENTS = 2_000
"""Worked off before the clock runs: the first look at every table, and what compiles."""

WARM_FROM = 1 << 30
"""Their numbers begin here."""

WAIT_SECONDS = 60
"""For the last event; then the measurement is given up."""

ACKNOWLEDGED_AT_ONCE = 1_000
"""Messages of the listener."""

POLL_SECONDS = 0.2
"""Between two queries for new rows."""


class _Properties(msgspec.Struct):
    amount: float


class _Row(msgspec.Struct):
    properties: _Properties


@dataclass(frozen=True)
class Delays:
    """milliseconds: mean, p50, p95, p99 and the greatest. rate: events a second, as asked for.

    late_ms: p99 of what the publisher itself was behind its schedule; it is part of the delays.
    """

    rate: float
    events: int
    milliseconds: dict[str, float]
    late_ms: float
    problems: list[str]

    def to_dict(self) -> dict[str, Any]:
        return {
            "rate": self.rate,
            "events": self.events,
            **self.milliseconds,
            "publisher_late_p99": self.late_ms,
            "problems": self.problems,
        }


def summary(seconds: "np.ndarray[Any, np.dtype[np.float64]]") -> dict[str, float]:
    """Mean, percentiles and the greatest in milliseconds; nothing for none."""
    if not len(seconds):
        return {}
    p50, p95, p99 = np.percentile(seconds, (50, 95, 99))
    figures = {"mean": seconds.mean(), "p50": p50, "p95": p95, "p99": p99, "max": seconds.max()}
    return {name: round(float(value) * 1e3, 2) for name, value in figures.items()}


class Arrivals:
    """When each numbered event was first seen, of the monotonic clock."""

    def __init__(self) -> None:
        self._at: dict[int, float] = {}

    def saw(self, numbers: list[int], moment: float) -> None:
        for number in numbers:
            if number < WARM_FROM:
                self._at.setdefault(number, moment)

    def __len__(self) -> int:
        return len(self._at)

    def delays(self, publisher: Publisher, count: int) -> "np.ndarray[Any, np.dtype[np.float64]]":
        """Seconds from when each of the first `count` events was due; those that never arrived are left out."""
        return np.array([self._at[n] - publisher.due(n) for n in range(count) if n in self._at])


@contextlib.contextmanager
def listening(site: Site, stream: str) -> Iterator[Arrivals]:
    """Takes every message of the stream's anonymized topic while the block lasts."""
    topic = names.anonymized_topic(stream)
    subscription = f"{topic}-bench-{uuid.uuid4().hex[:6]}"
    site.topics.subscribe(subscription, f"projects/{site.stack.project_id}/topics/{topic}")
    source = PubSubSubscription(site.stack.project_id, subscription, site.stack.pubsub)
    arrivals, stopped, decode = Arrivals(), threading.Event(), msgspec.json.Decoder(_Row).decode
    source.read(PullResponse.pb()(received_messages=[{"ack_id": "1"}]).SerializeToString())  # loads what is compiled

    def listen() -> None:
        seen: list[str] = []
        while not stopped.is_set():
            messages = source.pull(1_000, timeout=0.5)
            moment = time.monotonic()
            if messages:
                arrivals.saw([int(decode(data).properties.amount) for data in messages.data], moment)
                seen.extend(messages.ack_ids)
            if len(seen) >= ACKNOWLEDGED_AT_ONCE or not messages:
                source.acknowledge(seen)
                seen.clear()

    thread = threading.Thread(target=listen, name="listener", daemon=True)
    thread.start()
    try:
        yield arrivals
    finally:
        stopped.set()
        thread.join()
        source.close()


@contextlib.contextmanager
def asking(site: Site, stream: str) -> Iterator[Arrivals]:
    """Asks for new rows of the stream's anonymized table again and again while the block lasts."""
    contract = site.contract(stream)
    table = anonymized_table(contract, load_policy(site.project.policy)).id
    client, arrivals, stopped = site.stack.warehouse_client(), Arrivals(), threading.Event()

    def ask() -> None:
        last = ""  # group ids rise, and groups are committed in order
        while not stopped.wait(POLL_SECONDS):
            query = f"SELECT batch_id, properties.amount AS n FROM {table} WHERE batch_id > '{last}'"  # noqa: S608
            rows = client.query_and_wait(query).to_arrow(create_bqstorage_client=False)
            moment = time.monotonic()
            if rows.num_rows:
                last = max(rows["batch_id"].to_pylist())
                arrivals.saw([int(number) for number in rows["n"].to_pylist()], moment)

    thread = threading.Thread(target=ask, name="asker", daemon=True)
    thread.start()
    try:
        yield arrivals
    finally:
        stopped.set()
        thread.join()


def measure_delays(site: Site, streams: tuple[str, str], rate: float, seconds: float) -> tuple[Delays, Delays]:
    """(publishing to the anonymized message, publishing to the queryable row), each by a stream and a pipeline of its
    own, so that the queries do not slow the messages."""
    return _measure(site, streams[0], rate, seconds, listening), _measure(site, streams[1], rate, seconds, asking)


def _measure(site: Site, stream: str, rate: float, seconds: float, watch: Any) -> Delays:
    publish_backlog(site, stream, WARM_EVENTS, 1, WARM_FROM)
    with site.pipeline(stream) as pipeline:
        pipeline.wait_for(WARM_EVENTS)
        with watch(site, stream) as arrivals:
            with Publisher(site.stack.pubsub, site.topics.topic(stream), rate) as publisher:
                time.sleep(seconds)
                count = publisher.stop()
            end = time.monotonic() + WAIT_SECONDS
            while len(arrivals) < count and time.monotonic() < end:
                time.sleep(0.05)
            delays = arrivals.delays(publisher, count)
    missing = count - len(delays)
    problems = [f"{stream}: {missing:,} of {count:,} events did not arrive."] if missing else []
    late = round(float(np.percentile(publisher.late, 99)) * 1e3, 2) if publisher.late else 0.0
    return Delays(rate, count, summary(delays), late, problems)
