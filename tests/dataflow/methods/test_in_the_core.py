"""Rules that need more than their column, through contract, policy and core."""

import json
from pathlib import Path

import polars as pl

from dataflow.core import Anonymizer, Batch
from dataflow.keys import KeyRing, epoch_of
from dataflow.methods import Context
from dataflow.methods.noise import LocalNoise
from dataflow.policy import load_policy
from tests.dataflow.methods.both import field
from tests.dataflow.methods.test_parameters import contract

RECEIVED = 1_768_471_200_000_000

POLICY = """\
version: '1'
classifications:
  identifier: {method: token}
  quasi_identifier: {method: drop}
  location: {method: drop}
  public: {method: keep}
streams:
  ride:
    fields:
      age: {method: age_band}
      meters: {method: noise, epsilon: 1, minimum: 0, maximum: 1000, step: 10}
      line: {method: hierarchy, file: lines.csv}
      north: {method: geohash, longitude: east}
"""


def rows(directory: Path, keys: KeyRing) -> pl.DataFrame:
    (directory / "lines.csv").write_text("Ginza,Metro\n")
    (directory / "policy.yaml").write_text(POLICY)
    rides = [
        {"id": "a", "rider": 1, "age": 93, "meters": 512.0, "line": "Ginza", "north": 35.6812, "east": 139.7671},
        {"id": "b", "rider": 1, "age": 39, "meters": 509.0, "line": "Hanzomon", "north": 35.6812},
        {"id": "c", "rider": 2, "meters": 512.0},
        {"id": "d", "meters": 512.0},
    ]
    payloads = [json.dumps(ride | {"at": "2026-01-15T09:30:00Z"}).encode() for ride in rides]
    anonymizer = Anonymizer(contract(directory), load_policy(directory / "policy.yaml"), keys)
    outcome = anonymizer.process(Batch(payloads, [RECEIVED] * len(payloads)))
    assert outcome.rejects == []
    return outcome.anonymized


def test_rules_get_the_person_other_columns_and_files(tmp_path: Path, keys: KeyRing) -> None:
    made = rows(tmp_path, keys)
    assert made["age"].to_list() == ["90+", "30-39", None, None]
    assert made["line"].to_list() == ["Metro", "*", None, None]
    assert made["north"].to_list() == ["xn76u", None, None, None]
    first, second, other, nobody = made["meters"].to_list()
    assert first == second  # 512 and 509 are one step, of one person
    assert first != other
    assert nobody is None


def test_noise_follows_from_the_persons_published_token(tmp_path: Path, keys: KeyRing) -> None:
    made = rows(tmp_path, keys)
    ride = contract(tmp_path)
    meters = next(leaf for leaf in ride.leaves() if leaf.path == "meters")
    key = keys.token_key(ride.domain, epoch_of(made["event_time"][0]))
    method = LocalNoise(epsilon=1, minimum=0, maximum=1000, step=10)
    context = Context(key, person=made["rider"][0])
    assert method.reference(512.0, meters, context) == made["meters"][0]
    assert method.reference(512.0, field(meters.type), context) != made["meters"][0]
