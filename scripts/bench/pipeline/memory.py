"""Whether the pipeline's memory is flat while events come at a rate.

All of it is held against the target, what operators hold included; what they say of themselves, in memory and on the
disk, is told beside it.
"""

import re
import time
from dataclasses import dataclass
from typing import Any

import httpx
import psutil

from scripts.bench.pipeline.delays import WARM_EVENTS, WARM_FROM
from scripts.bench.pipeline.publisher import Publisher
from scripts.bench.pipeline.site import Site
from scripts.bench.pipeline.throughput import publish_backlog
from scripts.bench.pipeline.usage import MEBIBYTE, resident, slope
from scripts.stack.supervisor import free_port

WARM_SHARE = 0.3
"""Of the run: what comes before is not part of the slope."""

_MEMORY = re.compile(r"^noren_state_size_bytes\{.*\} ([0-9.e+]+)$", re.MULTILINE)
_DISK = re.compile(r"^noren_state_disk_size_bytes\{.*\} ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Memory:
    """MiB of resident memory; growth a minute after the warm-up, of all of it and of the operators' state alone.

    disk: MiB of scratch files at the end.
    """

    rate: float
    minutes: float
    events: int
    peak: float
    growth: float
    state_growth: float
    disk: float
    problems: list[str]

    def to_dict(self) -> dict[str, Any]:
        return {
            "rate": self.rate,
            "minutes": round(self.minutes, 2),
            "events": self.events,
            "peak_mebibytes": round(self.peak, 1),
            "mebibytes_per_minute": round(self.growth, 2),
            "state_mebibytes_per_minute": round(self.state_growth, 2),
            "disk_mebibytes": round(self.disk, 1),
            "problems": self.problems,
        }


def measure_memory(site: Site, stream: str, rate: float, seconds: float) -> Memory:
    """Asks once a second, in short runs more often."""
    publish_backlog(site, stream, WARM_EVENTS, 1, WARM_FROM)
    port = free_port()
    disk = 0.0
    with site.pipeline(stream, "--metrics-port", str(port)) as pipeline:
        pipeline.wait_for(WARM_EVENTS)
        process = psutil.Process(pipeline.pid)
        moments: list[float] = []
        all_of_it: list[float] = []
        state: list[float] = []
        with Publisher(site.stack.pubsub, site.topics.topic(stream), rate) as publisher:
            while (now := time.monotonic() - publisher.started) < seconds:
                moments.append(now / 60)
                all_of_it.append(resident(process))
                in_memory, disk = state_size(port)
                state.append(in_memory)
                time.sleep(min(1.0, seconds / 20))
            count = publisher.stop() + WARM_EVENTS
        last = pipeline.wait_for(count)
        all_of_it.append(resident(process))
    problems = [] if last["raw"] == count else [f"{stream}: of {count:,} events {last['raw']:,} were accepted."]
    warm = int(len(moments) * WARM_SHARE)
    return Memory(
        rate,
        seconds / 60,
        count,
        max(all_of_it),
        slope(moments[warm:], all_of_it[warm:-1]),
        slope(moments[warm:], state[warm:]),
        disk,
        problems,
    )


def state_size(port: int) -> tuple[float, float]:
    """What the pipeline says that its operators hold in memory and on the disk, MiB."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    memory, disk = (sum(float(value) for value in found.findall(text)) / MEBIBYTE for found in (_MEMORY, _DISK))
    return memory, disk
