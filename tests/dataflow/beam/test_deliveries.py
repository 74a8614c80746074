"""Every delivery through the graph: the same rows as the pull loop's, and the same counts."""

from dataclasses import replace
from itertools import batched
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dataflow.beam import anonymize
from dataflow.beam.settings import Settings
from dataflow.keys import KeyRing
from tests.dataflow.beam.running import on_fn_api, on_test_stream
from tests.dataflow.deliveries import DELIVERIES, EVERY_CASE, Delivery, staged, written

every_delivery = pytest.mark.parametrize("delivery", DELIVERIES, ids=lambda delivery: delivery.name)

COUNT = ["stream", "field", "type", "contract_version"]


def pulled(delivery: Delivery, settings: Settings, keys: KeyRing, state: Path) -> dict[str, pl.DataFrame]:
    """What the pull loop makes of the same batches under the same keys."""
    return written(
        staged(delivery, settings.contract, settings.policy, keys, state), settings.contract, settings.policy
    )


def assert_same(rows: dict[str, pl.DataFrame], expected: dict[str, pl.DataFrame]) -> None:
    """Every value of every row, in any order; but for what is sealed, which is never the same twice."""
    for role in ("raw", "anonymized"):
        by = ["event_token", "receive_time"]
        assert_frame_equal(rows[role].sort(by), expected[role].sort(by))
    assert_frame_equal(
        rows["dead"].drop("sealed").sort("dead_token"), expected["dead"].drop("sealed").sort("dead_token")
    )


@every_delivery
def test_one_bundle_on_fn_api_gives_the_rows_of_the_pull_loop(
    delivery: Delivery, settings: Settings, keys: KeyRing, tmp_path: Path
) -> None:
    whole = replace(delivery, batches=[delivery.messages])
    expected = pulled(whole, settings, keys, tmp_path / "journal")
    ran = on_fn_api(delivery.messages, replace(settings, shards=1), tmp_path / "rows")
    assert_same(ran.rows, expected)
    assert_frame_equal(ran.rows["unknown"].sort(COUNT), expected["unknown"].sort(COUNT))


@every_delivery
def test_bundles_with_state_between_them_give_the_rows_of_the_pull_loop(
    delivery: Delivery, settings: Settings, keys: KeyRing, tmp_path: Path
) -> None:
    expected = pulled(delivery, settings, keys, tmp_path / "journal")
    ran = on_test_stream(delivery.batches, settings, tmp_path / "rows")
    assert_same(ran.rows, expected)
    total = pl.col("events").sum()
    assert_frame_equal(
        ran.rows["unknown"].group_by(COUNT).agg(total).sort(COUNT),
        expected["unknown"].group_by(COUNT).agg(total).sort(COUNT),
    )
    assert ran.rows["raw"].height == delivery.raw
    assert sorted(ran.rows["dead"].select("reason", "field").iter_rows()) == delivery.dead


def test_batches_within_a_bundle_share_the_state(
    settings: Settings, keys: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anonymize, "BATCH_MESSAGES", 2)
    small = replace(EVERY_CASE, batches=[list(part) for part in batched(EVERY_CASE.messages, 2, strict=False)])
    ran = on_fn_api(small.messages, settings, tmp_path / "rows")
    assert_same(ran.rows, pulled(small, settings, keys, tmp_path / "journal"))


@every_delivery
def test_counters_add_up_to_what_was_published(delivery: Delivery, settings: Settings, tmp_path: Path) -> None:
    published = {message.position for message in delivery.messages}
    counters = on_fn_api(delivery.messages, settings, tmp_path).counters
    counted = {name: counters.get(name, 0) for name in ("raw", "dead", "duplicates", "unknown_fields")}
    assert counted["raw"] + counted["dead"] + counted["duplicates"] == len(published)
    assert counted["dead"] == len(delivery.dead)
    assert counted["unknown_fields"] == sum(delivery.unknown.values())
    reasons = {reason for reason, _ in delivery.dead}
    assert {name: count for name, count in counters.items() if name.startswith("dead_")} == {
        f"dead_{reason}": sum(reason == other for other, _ in delivery.dead) for reason in reasons
    }
