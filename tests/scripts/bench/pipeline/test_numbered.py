"""Numbered benchmark events."""

import json
from pathlib import Path

from dataflow.contract import load_contracts
from dataflow.core import Anonymizer, Batch
from dataflow.policy import load_policy
from scripts.bench.pipeline.numbered import Numbered
from scripts.bench.pipeline.site import make_project
from scripts.bench.subject import RECEIVED, temporary_keys


def test_each_event_has_an_identity_a_time_and_its_number() -> None:
    first, again = (json.loads(event) for event in Numbered(5).make([3, 8], moment=1_767_225_600.25))
    assert first["event_id"] != again["event_id"]
    assert first["timestamp"] == again["timestamp"] == "2026-01-01T00:00:00.250Z"
    assert [first["properties"]["amount"], again["properties"]["amount"]] == [3, 8]
    assert first["user_id"] == again["user_id"]  # the same template


def test_the_number_is_there_behind_the_curtain(tmp_path: Path) -> None:
    project = make_project(tmp_path, ["bench_one"], ["bench_many"])
    contracts, policy = load_contracts(project.contracts), load_policy(project.policy)
    made = Numbered(50).make(range(100), moment=RECEIVED / 1e6)
    for stream, messages in (("bench_one", made), ("bench_many", [b"\n".join(made)])):
        core = Anonymizer(contracts[stream], policy, temporary_keys())
        unpacked = core.unpack(messages, [{}] * len(messages), [RECEIVED] * len(messages))
        rows = core.process(Batch(unpacked.batch.payloads, unpacked.batch.received)).anonymized
        assert rows["properties"].struct.field("amount").to_list() == list(range(100))
        assert rows["event_token"].n_unique() == 100
