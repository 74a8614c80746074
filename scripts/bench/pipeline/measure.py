"""All measurements of the pipeline in one run, and the targets that they are held against."""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.bench.pipeline.delays import measure_delays
from scripts.bench.pipeline.memory import measure_memory
from scripts.bench.pipeline.pause import measure_pause
from scripts.bench.pipeline.site import Site, site
from scripts.bench.pipeline.throughput import work_off
from scripts.stack.warehouse.environment import Environment

CORES = 2
MANY = 100
"""Events a message where messages hold many."""

FAST_DIRECTORY = Path("/dev/shm")  # noqa: S108  # nosec B108
"""For a journal that needs no disk, to tell the disk's share; made and removed by us."""


@dataclass(frozen=True)
class Plan:
    """How long everything takes. events: of a backlog. many_events: where messages hold many; it takes as long.

    Seconds of the delays, of the pause and of the memory's run.
    catch_up: seconds after which the lag should be gone; the measurement goes on as long again.
    """

    events: int = 1_000_000
    many_events: int = 2_000_000
    table_events: int = 1_000_000
    delay_seconds: float = 30.0
    pause_seconds: float = 60.0
    catch_up: float = 60.0
    memory_seconds: float = 60.0
    delay_rate: float = 5_000
    pause_rate: float = 10_000
    memory_rate: float = 5_000

    def backlog(self, per_message: int) -> int:
        """Events of a backlog on the way to Arrow."""
        return self.events if per_message == 1 else self.many_events


QUICK = Plan(
    events=100_000,
    many_events=100_000,
    table_events=50_000,
    delay_seconds=3.0,
    pause_seconds=2.0,
    catch_up=20.0,
    memory_seconds=6.0,
)


@dataclass(frozen=True)
class Target:
    """figure: where in the report. at_least: the figure must not be below the limit, else not above it."""

    name: str
    figure: tuple[str, str]
    limit: float
    at_least: bool = False

    def held(self, report: dict[str, dict[str, Any]]) -> bool | None:
        """None when it was not measured. A figure that came to nothing is missed."""
        part = report.get(self.figure[0])
        if part is None:
            return None
        value = part.get(self.figure[1])
        if value is None:
            return False
        return bool(value >= self.limit if self.at_least else value <= self.limit)


TARGETS = (
    Target("Pub/Sub to Arrow, an event a message: events/s", ("arrow", "events_per_second"), 100_000, at_least=True),
    Target(
        "Pub/Sub to Arrow, 100 events a message: events/s", ("arrow_many", "events_per_second"), 150_000, at_least=True
    ),
    Target("into both tables: events/s", ("tables", "events_per_second"), 50_000, at_least=True),
    Target("publishing to the anonymized message at 5,000/s: mean ms", ("message_delay", "mean"), 30),
    Target("publishing to the anonymized message at 5,000/s: p99 ms", ("message_delay", "p99"), 80),
    Target("publishing to the queryable row at 5,000/s: p99 ms", ("row_delay", "p99"), 5_000),
    Target("lag back to zero after the pause at 10,000/s: s", ("pause", "seconds_to_zero"), 60),
    Target("memory at 5,000/s: MiB more a minute", ("memory", "mebibytes_per_minute"), 5),
)

PARTS = ("arrow", "tables", "delays", "pause", "memory")
ONE = ("bench_arrow", "bench_fast", "bench_tables", "bench_messages", "bench_rows", "bench_pause", "bench_memory")
LINES = ("bench_many", "bench_many_fast")


def measure(
    environment: Environment, plan: Plan, parts: tuple[str, ...] = PARTS, say: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """The report. parts: what is measured, of PARTS. say: told what is measured now.

    Raises NorenError when the stack or a pipeline fails.
    """
    report: dict[str, Any] = {}
    loads = [os.getloadavg()[0]]
    say("starting a stack")
    with site(environment, ONE, LINES, CORES) as place:
        for part in parts:
            for name, figures in _measured(place, plan, part, say):
                loads.append(os.getloadavg()[0])
                report[name] = figures | {"load_average": round(loads[-1], 2)}
    targets = [
        {"target": target.name, "limit": target.limit, "figure": _figure(report, target), "held": target.held(report)}
        for target in TARGETS
    ]
    machine = {"cores": os.cpu_count(), "cores_used": CORES, "load_average": [round(load, 2) for load in loads]}
    return {"machine": machine, **report, "targets": targets}


def problems(report: dict[str, Any]) -> list[str]:
    """Everything that did not add up, in words; empty when all is well."""
    return [text for part in report.values() if isinstance(part, dict) for text in part.get("problems", [])]


def _figure(report: dict[str, Any], target: Target) -> float | None:
    value = report.get(target.figure[0], {}).get(target.figure[1])
    return None if value is None else float(value)


def _measured(place: Site, plan: Plan, part: str, say: Callable[[str], None]) -> list[tuple[str, dict[str, Any]]]:
    if part == "arrow":
        return _arrow(place, plan, say)
    if part == "tables":
        say(f"{plan.table_events:,} events into both tables")
        speed = work_off(place, "bench_tables", plan.table_events, emulator=True)
        rows = place.counted("bench_tables")
        if set(rows.values()) != {plan.table_events}:
            speed.problems.append(f"bench_tables: {plan.table_events:,} events, rows: {rows}.")
        return [("tables", speed.to_dict())]
    if part == "delays":
        say(f"delays at {plan.delay_rate:,.0f}/s")
        messages, rows_ = measure_delays(place, ("bench_messages", "bench_rows"), plan.delay_rate, plan.delay_seconds)
        return [("message_delay", messages.to_dict()), ("row_delay", rows_.to_dict())]
    if part == "pause":
        say(f"a pause of {plan.pause_seconds:.0f} s at {plan.pause_rate:,.0f}/s")
        paused = measure_pause(place, "bench_pause", plan.pause_rate, plan.pause_seconds, 2 * plan.catch_up)
        return [("pause", paused.to_dict())]
    say(f"memory over {plan.memory_seconds:.0f} s at {plan.memory_rate:,.0f}/s")
    return [("memory", measure_memory(place, "bench_memory", plan.memory_rate, plan.memory_seconds).to_dict())]


def _arrow(place: Site, plan: Plan, say: Callable[[str], None]) -> list[tuple[str, dict[str, Any]]]:
    """With the journal on the disk, and, where there is a directory in memory, without a disk."""
    figures: list[tuple[str, dict[str, Any]]] = []
    for name, stream, per_message in (("arrow", "bench_arrow", 1), ("arrow_many", "bench_many", MANY)):
        events = plan.backlog(per_message)
        say(f"Pub/Sub to Arrow, {events:,} events, {per_message} a message")
        figures.append((name, work_off(place, stream, events, per_message, dropping=True).to_dict()))
    if not FAST_DIRECTORY.is_dir():
        return figures
    for name, stream, per_message in (
        ("arrow_without_disk", "bench_fast", 1),
        ("arrow_many_without_disk", "bench_many_fast", MANY),
    ):
        say(f"the same with the journal in memory, {per_message} a message")
        events = plan.backlog(per_message)
        journal = Path(tempfile.mkdtemp(prefix="noren-bench-", dir=FAST_DIRECTORY))
        try:
            options = ("--journal", str(journal))
            figures.append((name, work_off(place, stream, events, per_message, *options, dropping=True).to_dict()))
        finally:
            shutil.rmtree(journal)
    return figures
