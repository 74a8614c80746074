"""Cost of each method, in nanoseconds a value."""

import datetime
import random
import statistics
import uuid
from collections.abc import Callable
from typing import Any

import polars as pl

from dataflow.contract import Classification, Constraints, Field, FieldType
from dataflow.keys import KeyRing
from dataflow.methods import Context, Method, registry
from scripts.bench.clock import cpu_seconds

VALUES = 16_384
ROUNDS = 7


def samples(rng: random.Random) -> dict[str, tuple[FieldType, list[Any], dict[str, Any]]]:
    """method -> (field type, values, parameters). A method that is not here is not measured."""
    users = [f"user_{rng.randrange(20_000):09d}" for _ in range(VALUES)]
    addresses = [f"{rng.randrange(1, 224)}.{rng.randrange(256)}.{rng.randrange(256)}.7" for _ in range(VALUES)]
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    moments = [start + datetime.timedelta(seconds=rng.uniform(0, 1e6)) for _ in range(VALUES)]
    agents = [
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Version/17.4 Safari/604.1",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36",
    ]
    notes = [
        "the parcel came late" if rng.random() < 0.86 else f"write to u{number}@example.com" for number in range(VALUES)
    ]
    number = [rng.uniform(-90, 90) for _ in range(VALUES)]
    return {
        "keep": (FieldType.STRING, users, {}),
        "drop": (FieldType.STRING, users, {}),
        "token": (FieldType.STRING, users, {}),
        "encrypt": (FieldType.STRING, users, {}),
        "coarsen_location": (FieldType.NUMBER, number, {"decimals": 2}),
        "truncate_time": (FieldType.TIMESTAMP, moments, {"unit": "minute"}),
        "reduce_version": (FieldType.STRING, [rng.choice(("17.4.1", "16.7", "14")) for _ in users], {"parts": 1}),
        "truncate_ip": (FieldType.STRING, addresses, {}),
        "scrub": (FieldType.STRING, notes, {}),
        "scrub_map": (FieldType.MAP, [f'{{"page":"/p/1","note":"{note}","amount":1.5}}' for note in notes], {}),
        "user_agent_family": (FieldType.STRING, [rng.choice(agents) for _ in users], {}),
        "constant": (FieldType.STRING, users, {"value": "x"}),
        "mask": (FieldType.STRING, [f"4111{rng.randrange(10**12):012d}" for _ in users], {}),
        "email_domain": (FieldType.STRING, [f"{user}@example.com" for user in users], {}),
        "uuid": (FieldType.STRING, [str(uuid.UUID(int=rng.getrandbits(128))) for _ in users], {}),
    }


def nanoseconds() -> dict[str, float | None]:
    """Median cost of one value, user and system time; None for a method that has no sample here."""
    import tempfile
    from pathlib import Path

    rng = random.Random(3)  # noqa: S311  (a benchmark's data)
    keys = KeyRing.local(Path(tempfile.mkdtemp(prefix="noren-bench-")) / "keys")
    context = Context(keys.token_key("bench", 0), deterministic=lambda: keys.deterministic_key("bench", 0))
    known = samples(rng)
    return {
        name: _cost(kind, *known[name], context) if name in known else None for name, kind in sorted(registry().items())
    }


def _cost(
    kind: type[Method], of: FieldType, values: list[Any], parameters: dict[str, Any], context: Context
) -> float | None:
    import msgspec

    method = msgspec.convert(parameters, kind)
    field = Field("value", "value", of, False, Classification.PUBLIC, "", Constraints())
    frame = pl.DataFrame({"value": values})
    expression = method.expression(pl.col("value"), field, context)
    if expression is None:
        return 0.0
    return round(_median(lambda: frame.select(expression)), 1)


def _median(work: Callable[[], object]) -> float:
    """Nanoseconds a value; several runs a reading, for the clock ticks in milliseconds on some machines."""
    work()
    readings = []
    for _ in range(ROUNDS):
        before, runs = cpu_seconds(), 0
        while (spent := cpu_seconds() - before) < 0.02:
            work()
            runs += 1
        readings.append(spent / runs / VALUES * 1e9)
    return statistics.median(readings)
