"""Every delivery through the pull loop's staging."""

from pathlib import Path

import polars as pl
import pytest

from dataflow.contract import Contract
from dataflow.keys import KeyRing
from dataflow.policy import Policy
from tests.dataflow.deliveries import DELIVERIES, Delivery, staged, written


@pytest.mark.parametrize("delivery", DELIVERIES, ids=lambda delivery: delivery.name)
def test_each_event_is_raw_or_dead_or_a_duplicate_once(
    delivery: Delivery, app_event: Contract, policy: Policy, keys: KeyRing, tmp_path: Path
) -> None:
    entries = staged(delivery, app_event, policy, keys, tmp_path)
    rows = written(entries, app_event, policy)
    assert rows["raw"].height == delivery.raw
    assert rows["anonymized"].height == delivery.raw
    assert sorted(rows["dead"].select("reason", "field").iter_rows()) == delivery.dead
    assert sum(len(entry.index.duplicates) for entry in entries) == delivery.duplicates
    unknown = rows["unknown"].group_by("field", "type").agg(pl.col("events").sum())
    assert {(path, kind): events for path, kind, events in unknown.iter_rows()} == delivery.unknown
