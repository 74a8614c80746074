"""The repository's own contracts and policy, a contract of every kind of field, and keys."""

from pathlib import Path

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from dataflow.contract import Contract, load_contract, load_contracts
from dataflow.countries import Countries
from dataflow.keys import KeyRing
from dataflow.policy import Policy, load_policy

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


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


@pytest.fixture(scope="session")
def visit() -> Contract:
    """A contract of every kind of field."""
    return load_contract(HERE / "visit" / "visit.yaml")


@pytest.fixture(scope="session")
def visit_policy() -> Policy:
    return load_policy(HERE / "visit" / "policy.yaml")


@pytest.fixture(scope="session")
def country_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MaxMind-format file that knows a few documentation networks."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Country")
    writer.insert_network(IPSet(["203.0.113.0/24", "2001:db8:1::/48"]), {"country": {"iso_code": "JP"}})
    writer.insert_network(IPSet(["198.51.100.0/24"]), {"country": {"iso_code": "DE"}})
    writer.insert_network(IPSet(["192.0.2.0/25"]), {"continent": {"code": "AS"}})
    writer.insert_network(IPSet(["192.0.2.128/25"]), {"country": "no record"})
    path = tmp_path_factory.mktemp("countries") / "country.mmdb"
    writer.to_db_file(str(path))
    return path


@pytest.fixture(scope="session")
def countries(country_file: Path) -> Countries:
    return Countries(country_file)
