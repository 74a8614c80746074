"""Readers of policy tags, on stand-ins that speak the services' own messages. Masks: test_masks.py."""

from dataclasses import replace

import pytest

from dataflow.errors import NorenError
from iam.drift import Drift
from iam.engine.rights import FINE_GRAINED_READER
from iam.files import PolicyTag
from iam.plan import Change
from iam.tags import apply_tags, drift_of_tags
from tests.iam.tags.conftest import TAG

LIMITED = {"title": "until", "expression": 'request.time < timestamp("2027-01-01T00:00:00Z")'}
OTHERS = [
    {"role": "roles/viewer", "members": ["user:ada@example.com"]},
    {"role": FINE_GRAINED_READER, "members": ["user:bo@example.com"], "condition": LIMITED},
]


@pytest.fixture
def policies(catalog):
    """The policy of the tag has somebody of before, and bindings that are not ours."""
    catalog.policies.bindings[TAG] = [*OTHERS, {"role": FINE_GRAINED_READER, "members": ["group:old@example.com"]}]
    return catalog.policies


def test_readers_become_those_of_the_file_and_other_bindings_stay(policies, services, files):
    intended: list[Change] = []
    done = apply_tags(services, files, intended=intended.append)
    assert [str(change) for change in done] == [
        "policy tag location: + reader group:new@example.com",
        "policy tag location: - reader group:old@example.com",
    ]
    assert intended == done
    assert policies.members(TAG, FINE_GRAINED_READER) == ["group:New@example.com"]
    assert policies.bindings[TAG][:2] == OTHERS
    assert apply_tags(services, files) == []
    assert policies.writes == 1


def test_a_dry_run_says_the_same_and_writes_nothing(policies, services, files):
    assert len(apply_tags(services, files, dry_run=True)) == 2
    assert policies.writes == 0


def test_a_rival_writer_is_read_again(policies, services, files):
    policies.rivals = 2
    intended: list[Change] = []
    apply_tags(services, files, intended=intended.append)
    readers = policies.members(TAG, FINE_GRAINED_READER)
    assert (readers, policies.writes, len(intended)) == (["group:New@example.com"], 1, 2)


def test_a_tag_that_no_taxonomy_has_is_skipped_with_a_sentence(services, files):
    other = replace(files, policy_tags={"secret": PolicyTag("secret", "x", ())})
    [change] = apply_tags(services, other)
    assert (change.action, change.changes) == ("skip", False)
    assert list(drift_of_tags(services, other)) == [Drift("policy tag secret", "no tag")]


@pytest.mark.usefixtures("policies")
def test_drift_tells_readers_outside_of_the_file_and_missing_ones(services, files):
    assert list(drift_of_tags(services, files)) == [
        Drift("policy tag location", "outside", "group:old@example.com"),
        Drift("policy tag location", "outside", "user:bo@example.com"),
        Drift("policy tag location", "missing", "group:new@example.com"),
    ]


def test_no_tags_in_the_files_ask_nobody(services, files, catalog, masks):
    assert apply_tags(services, replace(files, policy_tags={})) == []
    assert catalog.callers == masks.callers == set()


def test_a_refusal_is_one_sentence(catalog, services, files):
    catalog.refused = True
    with pytest.raises(NorenError, match=r"^Data Catalog refused POST .*policyTags/2:getIamPolicy: Permission denied$"):
        apply_tags(services, files)
