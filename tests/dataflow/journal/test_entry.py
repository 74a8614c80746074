"""Rows of an entry come back as they were, whatever the core and deduplication made of them."""

from pathlib import Path

import pytest

from dataflow.contract import Contract
from dataflow.journal.entry import decode_rows, encode_rows
from dataflow.keys import KeyRing
from dataflow.policy import Policy
from tests.dataflow.deliveries import DELIVERIES, Delivery, staged


@pytest.mark.parametrize("delivery", DELIVERIES, ids=lambda delivery: delivery.name)
def test_rows_come_back_as_they_were(
    delivery: Delivery, app_event: Contract, policy: Policy, keys: KeyRing, tmp_path: Path
) -> None:
    for entry in staged(delivery, app_event, policy, keys, tmp_path):
        again = decode_rows(bytes(encode_rows(entry.rows)))
        assert {role: frame.schema for role, frame in again.items()} == {
            role: frame.schema for role, frame in entry.rows.items()
        }
        assert all(again[role].equals(frame) for role, frame in entry.rows.items())
