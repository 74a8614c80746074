"""Whose tokens join: the streams of one domain by default, and those that the policy gives one purpose."""

from dataclasses import replace

import pytest

from dataflow.contract import Contract
from dataflow.core import Anonymizer, Batch
from dataflow.keys import KeyRing
from dataflow.policy import Policy
from tests.dataflow.cases import RECEIVED, encoded


def users(contract: Contract, policy: Policy, keys: KeyRing) -> list[str]:
    outcome = Anonymizer(contract, policy, keys).process(Batch([encoded(1), encoded(2)], [RECEIVED, RECEIVED]))
    tokens: list[str] = outcome.anonymized["user_id"].to_list()
    assert len(set(tokens)) == 2
    return tokens


def with_purpose(policy: Policy, stream: str, purpose: str | None) -> Policy:
    return replace(policy, streams=policy.streams | {stream: replace(policy.streams["app_event"], purpose=purpose)})


@pytest.fixture
def sister(app_event: Contract) -> Contract:
    """Another stream of the same domain."""
    return replace(app_event, stream="sister")


def test_streams_of_one_domain_join(app_event: Contract, sister: Contract, policy: Policy, keys: KeyRing) -> None:
    of_sister = users(sister, with_purpose(policy, "sister", None), keys)
    assert users(app_event, policy, keys) == of_sister


def test_streams_of_two_domains_do_not_join(app_event: Contract, policy: Policy, keys: KeyRing) -> None:
    assert not set(users(app_event, policy, keys)) & set(users(replace(app_event, domain="shop"), policy, keys))


def test_a_purpose_of_its_own_parts_a_stream_from_its_domain(
    app_event: Contract, sister: Contract, policy: Policy, keys: KeyRing
) -> None:
    of_sister = users(sister, with_purpose(policy, "sister", "research"), keys)
    assert not set(users(app_event, policy, keys)) & set(of_sister)


def test_one_purpose_joins_two_domains(app_event: Contract, policy: Policy, keys: KeyRing) -> None:
    shop = replace(app_event, domain="shop")
    assert users(shop, with_purpose(policy, "app_event", "app"), keys) == users(app_event, policy, keys)
