"""Latency of the computation at a rate of arrivals, in one process.

Open loop: events arrive by a schedule, whatever the core does; a batch takes what has arrived, as the pull loop's
would, and an event's latency is the end of its batch less its arrival. What the schedule could not be met for shows
as latency.
"""

import time
from collections.abc import Sequence

import numpy as np

from dataflow.core import Anonymizer, Batch
from dataflow.pull.prefetch import LINGER_SECONDS
from scripts.bench.subject import BATCH, RECEIVED, arrow


def latencies(core: Anonymizer, events: Sequence[bytes], rate: float, seconds: float) -> dict[str, float]:
    """p50, p95 and p99 in milliseconds at `rate` events a second; the events are repeated as needed."""
    count = int(rate * seconds)
    finished = np.empty(count)
    taken = 0
    start = time.perf_counter()
    while taken < count:
        due = taken / rate + LINGER_SECONDS
        now = time.perf_counter() - start
        if now < due:
            time.sleep(due - now)
            now = time.perf_counter() - start
        arrived = min(count, max(taken + 1, int(now * rate)), taken + BATCH)
        part = [events[index % len(events)] for index in range(taken, arrived)]
        arrow(core.process(Batch(part, [RECEIVED] * len(part))))
        finished[taken:arrived] = time.perf_counter() - start
        taken = arrived
    milliseconds = (finished - np.arange(count) / rate) * 1_000
    p50, p95, p99 = np.percentile(milliseconds, (50, 95, 99))
    return {"p50": round(float(p50), 2), "p95": round(float(p95), 2), "p99": round(float(p99), 2)}
