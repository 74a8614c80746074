"""A backlog that was published before, worked off as fast as the pipeline can.

Measured from the first progress that the pipeline tells (its first batch is staged by then: imports and the first look
at every table are over) until all is committed and acknowledged.
"""

from dataclasses import dataclass
from typing import Any

import psutil

from scripts.bench.pipeline.numbered import Numbered
from scripts.bench.pipeline.site import Site
from scripts.bench.pipeline.usage import Meter

PUBLISHED_AT_ONCE = 10_000
"""Events that are made before they are published: bounds memory."""


@dataclass(frozen=True)
class Speed:
    """events: published, all of them accounted for. seconds: of the `measured` ones.

    cpu_seconds: by process, over the same events.
    """

    events: int
    measured: int
    seconds: float
    cpu_seconds: dict[str, float]
    problems: list[str]

    @property
    def per_second(self) -> float:
        return self.measured / self.seconds if self.seconds else 0.0

    def to_dict(self) -> dict[str, Any]:
        spent = sum(self.cpu_seconds.values())
        return {
            "events": self.events,
            "events_per_second": round(self.per_second),
            "seconds": round(self.seconds, 3),
            "cpu_seconds": {name: round(value, 3) for name, value in self.cpu_seconds.items()},
            "events_per_cpu_second": {
                **{name: round(self.measured / value) for name, value in self.cpu_seconds.items() if value},
                "all": round(self.measured / spent) if spent else 0,
            },
            "problems": self.problems,
        }


def publish_backlog(site: Site, stream: str, count: int, per_message: int, first: int = 0) -> None:
    """Publish so many events, numbered from `first` on."""
    made = Numbered()
    for start in range(first, first + count, PUBLISHED_AT_ONCE):
        lines = made.make(range(start, min(first + count, start + PUBLISHED_AT_ONCE)))
        if per_message > 1:
            lines = [b"\n".join(lines[at : at + per_message]) for at in range(0, len(lines), per_message)]
        site.topics.publish(stream, lines)


def work_off(
    site: Site,
    stream: str,
    count: int,
    per_message: int = 1,
    *options: str,
    dropping: bool = False,
    emulator: bool = False,
) -> Speed:
    """The speed of one stream's pipeline over a backlog of `count` events.

    options: of the pipeline. dropping: with the sink that drops. emulator: count its CPU too.
    """
    publish_backlog(site, stream, count, per_message)
    first: list[tuple[float, int, Meter]] = []
    with site.pipeline(stream, *options, dropping=dropping) as pipeline:
        watched = {"pipeline": psutil.Process(pipeline.pid), "server": site.server}
        if emulator:
            watched["emulator"] = site.emulator

        def show(progress: dict[str, Any]) -> None:
            if not first and progress.get("accounted"):
                first.append((float(progress["seconds"]), int(progress["accounted"]), Meter(watched)))

        last = pipeline.wait_for(count, show)
        spent = first[0][2].read() if first else {}
    since, before, _ = first[0] if first else (0.0, 0, None)
    problems = [] if last["raw"] == count else [f"{stream}: of {count:,} events {last['raw']:,} were accepted."]
    return Speed(count, last["accounted"] - before, last["seconds"] - since, spent, problems)
