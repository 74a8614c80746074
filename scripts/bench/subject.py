"""The anonymizer under measurement: the benchmark's contract and rules, declared or free-form."""

import atexit
import datetime
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import polars as pl

from dataflow.contract import load_contracts
from dataflow.core import Anonymizer, Batch, Outcome
from dataflow.keys import KeyRing
from dataflow.policy import load_policy

BATCH = 8_192
"""Events a batch: what the pull loop takes at once when it is busy."""

RECEIVED = int(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC).timestamp()) * 1_000_000
"""When the broker accepted the events, for the check against the future."""

type Form = Literal["declared", "free_form"]


def anonymizer(form: Form) -> Anonymizer:
    """The core under the benchmark's rules, with fresh keys."""
    here = Path(__file__).parent / form
    contract = load_contracts(here / "contracts")["bench_event"]
    return Anonymizer(contract, load_policy(here / "policy.yaml"), temporary_keys())


def temporary_keys() -> KeyRing:
    """Fresh local keys in a directory that goes when the process ends: the ring may make a key at any time."""
    directory = tempfile.TemporaryDirectory(prefix="noren-bench-")
    atexit.register(directory.cleanup)
    return KeyRing.local(Path(directory.name) / "keys")


def batches(events: Sequence[bytes], size: int = BATCH) -> list[Batch]:
    """All events, in batches of `size` and a rest."""
    parts = [events[start : start + size] for start in range(0, len(events), size)]
    return [Batch(part, [RECEIVED] * len(part)) for part in parts]


def arrow(outcome: Outcome) -> tuple[Any, Any]:
    """(raw, anonymized) as Arrow tables, in the memory that they are in."""
    newest = pl.CompatLevel.newest()
    return outcome.raw.to_arrow(compat_level=newest), outcome.anonymized.to_arrow(compat_level=newest)


def flat(anonymized: pl.DataFrame) -> pl.DataFrame:
    """Anonymized rows with flat columns such as `device.os_version`, without the tables' own columns."""
    while structs := [name for name, kind in anonymized.schema.items() if isinstance(kind, pl.Struct)]:
        anonymized = anonymized.select(
            expression
            for name, kind in anonymized.schema.items()
            for expression in (
                [pl.col(name).struct.field(field.name).alias(f"{name}.{field.name}") for field in kind.fields]
                if name in structs and isinstance(kind, pl.Struct)
                else [pl.col(name)]
            )
        )
    own = {"event_token", "event_time", "receive_time", "key_epoch", "contract_version", "policy_version"}
    return anonymized.drop(own)
