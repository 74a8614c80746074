"""Cost of each method, in nanoseconds a value."""

import datetime
import random
import statistics
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from dataflow.contract import Classification, Constraints, Field, FieldType
from dataflow.countries import Countries
from dataflow.methods import Context, Method, registry
from scripts.bench.clock import cpu_seconds
from scripts.bench.subject import temporary_keys

VALUES = 16_384
ROUNDS = 7
READING_SECONDS = 0.02
LEAVES = 1_000
HIERARCHY = "items.csv"


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
        "age_band": (FieldType.INTEGER, [rng.randrange(100) for _ in users], {}),
        "clamp": (FieldType.NUMBER, number, {"minimum": -60, "maximum": 60}),
        "range": (FieldType.NUMBER, number, {"width": 10}),
        "noise": (FieldType.NUMBER, number, {"epsilon": 1.0, "minimum": -90, "maximum": 90, "step": 1}),
        "geohash": (FieldType.NUMBER, number, {"longitude": "other", "length": 5}),
        "hierarchy": (FieldType.STRING, [f"item {rng.randrange(LEAVES)}" for _ in users], {"file": HIERARCHY}),
        "country": (FieldType.STRING, addresses, {}),
        "city": (FieldType.STRING, addresses, {}),
    }


def nanoseconds() -> dict[str, float | None]:
    """Median cost of one value, user and system time.

    None for a third party's method, which has no sample here, and for country and city where mmdb-writer, a
    development dependency, is not installed to make their file.
    """
    rng = random.Random(3)  # noqa: S311  (a benchmark's data)
    known = samples(rng)
    keys = temporary_keys()
    with tempfile.TemporaryDirectory(prefix="noren-bench-") as name:
        directory = Path(name)
        lines = (f"item {leaf},group {leaf % 50},part {leaf % 5}\n" for leaf in range(LEAVES))
        (directory / HIERARCHY).write_text("".join(lines), "utf-8")
        places = _places(directory / "places.mmdb")
        if places is None:
            known = {method: sample for method, sample in known.items() if method not in ("country", "city")}
        context = Context(
            keys.token_key("bench", 0),
            deterministic=lambda: keys.deterministic_key("bench", 0),
            country=places,
            city=places.cities if places else None,
            subject=pl.col("person"),
        )
        return {
            method: _cost(kind, *known[method], context, directory) if method in known else None
            for method, kind in sorted(registry().items())
        }


def _places(path: Path) -> Countries | None:
    """A file that knows the country and city of each /8 of the samples; None without mmdb-writer."""
    if find_spec("mmdb_writer") is None:
        return None
    from mmdb_writer import MMDBWriter
    from netaddr import IPSet

    writer = MMDBWriter(ip_version=4, database_type="City")
    for first in range(1, 224):
        place = {"country": {"iso_code": ("JP", "DE", "US")[first % 3]}, "city": {"names": {"en": f"City {first}"}}}
        writer.insert_network(IPSet([f"{first}.0.0.0/8"]), place)
    writer.to_db_file(str(path))
    return Countries(path)


def _cost(
    kind: type[Method],
    of: FieldType,
    values: list[Any],
    parameters: dict[str, Any],
    context: Context,
    directory: Path,
) -> float:
    method = msgspec.convert(parameters, kind).bound(directory)
    field = Field("value", "value", of, False, Classification.PUBLIC, "", Constraints())
    frame = pl.DataFrame({"value": values})
    frame = frame.with_columns(
        person=pl.int_range(pl.len()).cast(pl.String), other=pl.int_range(pl.len()) % 360 - 180.0
    )
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
        while (spent := cpu_seconds() - before) < READING_SECONDS or not runs:
            work()
            runs += 1
        readings.append(spent / runs / VALUES * 1e9)
    return statistics.median(readings)
