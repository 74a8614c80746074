"""Fuzzing, by hand for ten minutes: NOREN_FUZZ_SECONDS=600 pytest tests/dataflow/core/formats/test_fuzz.py -s"""

import os
import random
from pathlib import Path

import pytest

from dataflow.contract import Contract, load_contract
from dataflow.keys import KeyRing
from dataflow.policy import Policy, load_policy
from tests.dataflow.core.formats.fuzz import app_event as some_app_event
from tests.dataflow.core.formats.fuzz import fuzz, order, targets

SECONDS = float(os.environ.get("NOREN_FUZZ_SECONDS", "20"))
SEED = int(os.environ.get("NOREN_FUZZ_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 40)
"""Of the first batch; a failure names its own, which repeats it with NOREN_FUZZ_SECONDS=0."""

ORDER = Path(__file__).parents[2] / "order"


@pytest.mark.timeout(SECONDS + 100)
def test_mutated_messages_of_every_format(app_event: Contract, policy: Policy, keys: KeyRing) -> None:
    orders = (load_contract(ORDER / "order.yaml"), load_policy(ORDER / "policy.yaml"), order(1))
    counts = fuzz(targets([(app_event, policy, some_app_event(1)), orders], keys), SECONDS, SEED)
    print(f"\n{counts.batches} batches from seed {SEED}, the slowest {counts.slowest:.2f} s")  # noqa: T201
    for (name, outcome), events in sorted(counts.events.items()):
        print(f"{name:24} {outcome:24} {events:>9,}")  # noqa: T201
    if SECONDS >= 20:  # the fuzzer reaches what it is meant to reach
        assert counts.reasons() >= {
            "accepted", "malformed_json", "malformed_avro", "malformed_protobuf", "malformed_compression",
            "invalid_utf8", "wrong_type", "missing_field", "unknown_schema",
        }  # fmt: skip
