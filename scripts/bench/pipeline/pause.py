"""A pipeline that stands still for a while, as on a machine that is stopped, and how soon it is up to date again."""

import os
import signal
import time
from dataclasses import dataclass
from typing import Any

from scripts.bench.pipeline.delays import WARM_EVENTS, WARM_FROM
from scripts.bench.pipeline.publisher import Publisher
from scripts.bench.pipeline.site import Site
from scripts.bench.pipeline.throughput import publish_backlog

ZERO_SECONDS = 1.0
"""A lag below this is none: commits are grouped, so that some events always wait for theirs."""

STEADY_SECONDS = 3.0
"""At the rate before the pause."""

ASK_SECONDS = 0.1


@dataclass(frozen=True)
class CatchUp:
    """The lag is what is not acknowledged, in seconds of the rate.

    seconds_to_zero: from the end of the pause until the lag is below ZERO_SECONDS; None when it did not get there.
    lag_before, most_lag: seconds, when the pause began and at most.
    """

    rate: float
    pause_seconds: float
    seconds_to_zero: float | None
    lag_before: float
    most_lag: float
    problems: list[str]

    def to_dict(self) -> dict[str, Any]:
        return {
            "rate": self.rate,
            "pause_seconds": self.pause_seconds,
            "seconds_to_zero": self.seconds_to_zero,
            "lag_before": round(self.lag_before, 2),
            "most_lag": round(self.most_lag, 2),
            "problems": self.problems,
        }


def measure_pause(site: Site, stream: str, rate: float, pause: float, most: float) -> CatchUp:
    """Publishes at `rate` all the while. pause, most: seconds; after `most` it is given up."""
    publish_backlog(site, stream, WARM_EVENTS, 1, WARM_FROM)
    with site.pipeline(stream) as pipeline:
        pipeline.wait_for(WARM_EVENTS)
        with Publisher(site.stack.pubsub, site.topics.topic(stream), rate) as publisher:
            time.sleep(STEADY_SECONDS)
            before = site.unacknowledged(stream) / rate
            os.kill(pipeline.pid, signal.SIGSTOP)
            try:
                time.sleep(pause)
            finally:
                os.kill(pipeline.pid, signal.SIGCONT)
            resumed = time.monotonic()
            lag = greatest = site.unacknowledged(stream) / rate
            while lag >= ZERO_SECONDS and time.monotonic() < resumed + most:
                time.sleep(ASK_SECONDS)
                lag = site.unacknowledged(stream) / rate
                greatest = max(greatest, lag)
            took = time.monotonic() - resumed
            count = publisher.stop() + WARM_EVENTS
        if lag >= ZERO_SECONDS:
            return CatchUp(rate, pause, None, before, greatest, [])  # slow is no loss: what is left is not waited for
        last = pipeline.wait_for(count)
    problems = [] if last["raw"] == count else [f"{stream}: of {count:,} events {last['raw']:,} were accepted."]
    return CatchUp(rate, pause, round(took, 2), before, greatest, problems)
