"""How fast the sinks are: rows of the real core into both tables of a stream, on a warehouse emulator of its own."""

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl
import psutil

from dataflow.schemas import Table, tables
from dataflow.sinks.open import Name, open_sink
from scripts.bench.events import events
from scripts.bench.subject import anonymizer, batches
from scripts.stack import services
from scripts.stack.endpoints import Endpoints
from scripts.stack.supervisor import Stack

SINKS: tuple[Name, ...] = ("load", "storage-write")
ROLES = ("raw", "anonymized")


@dataclass(frozen=True)
class Figures:
    """Of one sink.

    events, groups: written, each event as one raw and one anonymized row; the same number of events in each group.
    events_per_second: by the clock.
    group_ms: median of a group, both tables at once.
    own_us, emulator_us: CPU microseconds an event, in this process and in the emulator.
    """

    events: int
    groups: int
    events_per_second: int
    group_ms: int
    own_us: float
    emulator_us: float


def measure(
    count: int, groups: int, names: tuple[Name, ...] = SINKS, say: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """{sink: its figures}.

    count: events a group. groups: how many for load jobs; the Storage Write API, slower by far here, gets a tenth.
    """
    say(f"{count:,} events through the core")
    core = anonymizer("declared")
    outcomes = [core.process(batch) for batch in batches(list(events(count)))]
    rows = {
        "raw": pl.concat([outcome.raw for outcome in outcomes]),
        "anonymized": pl.concat([outcome.anonymized for outcome in outcomes]),
    }
    made = tables(core.contract, core.policy)
    wanted = [service for service in services.SERVICES if service.name == "warehouse"]
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="noren-bench-") as directory:
        say("starting a warehouse")
        with Stack(Path(directory), "noren-bench", wanted, free_ports=True).running() as servers:
            client = servers.warehouse_client()
            for role in ROLES:
                client.create_dataset(made[role].dataset, exists_ok=True)
            for name in names:
                say(f"writing by {name}")
                several = groups if name == "load" else max(1, groups // 10)
                figures[name] = asdict(_written(name, servers, Path(directory), made, rows, several))
    return figures


def _written(
    name: Name, servers: Endpoints, directory: Path, made: dict[str, Table], rows: dict[str, pl.DataFrame], groups: int
) -> Figures:
    sink = open_sink(
        name,
        servers.project_id,
        directory / "streams",
        name,
        endpoint=servers.warehouse,
        storage_endpoint=servers.warehouse_grpc,
        secret=servers.secret,
    )
    for role in ROLES:
        sink.ensure(made[role])
    emulator, own = psutil.Process(servers["warehouse"].pid), psutil.Process()
    took: list[float] = []
    with ThreadPoolExecutor(len(ROLES)) as pool:

        def write(group: int) -> None:
            list(pool.map(lambda role: sink.write(made[role], rows[role], f"bench-{name}-{group}"), ROLES))

        write(0)  # connections are opened, tables are looked at
        before = sum(emulator.cpu_times()[:2]), sum(own.cpu_times()[:2])
        for group in range(1, groups + 1):
            began = time.perf_counter()
            write(group)
            took.append(time.perf_counter() - began)
        cpu = sum(emulator.cpu_times()[:2]) - before[0], sum(own.cpu_times()[:2]) - before[1]
    sink.close()
    count = rows["raw"].height * groups
    return Figures(
        events=count,
        groups=groups,
        events_per_second=round(count / sum(took)),
        group_ms=round(1_000 * sorted(took)[len(took) // 2]),
        own_us=round(1e6 * cpu[1] / count, 2),
        emulator_us=round(1e6 * cpu[0] / count, 2),
    )
