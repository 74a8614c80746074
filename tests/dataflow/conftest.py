"""The repository's own contracts and policy, and keys for the tests."""

from pathlib import Path

import pytest

from dataflow.contract import Contract, load_contracts
from dataflow.keys import KeyRing
from dataflow.policy import Policy, load_policy

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def contracts() -> dict[str, Contract]:
    return load_contracts(ROOT / "dataflow" / "contracts")


@pytest.fixture(scope="session")
def app_event(contracts: dict[str, Contract]) -> Contract:
    return contracts["app_event"]


@pytest.fixture(scope="session")
def policy() -> Policy:
    return load_policy(ROOT / "dataflow" / "policy.yaml")


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return KeyRing.local(tmp_path_factory.mktemp("keys"))
