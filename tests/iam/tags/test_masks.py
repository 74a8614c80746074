"""Masked readers of policy tags, on a stand-in that speaks the service's own messages."""

from dataclasses import replace

import pytest

from dataflow.errors import NorenError
from iam.drift import Drift
from iam.engine.rights import MASKED_READER
from iam.files import PolicyTag
from iam.tags import apply_tags, drift_of_tags
from tests.iam.tags.conftest import TAG, P

PARENT = f"projects/{P}/locations/asia-northeast1/dataPolicies"
MADE = f"{PARENT}/location_2_sha256"
BY_NUMBER = TAG.replace(P, "1234567890")
"""The service names a tag by its project's number."""
WHERE = "policy tag location"
LIMITED = {"title": "until", "expression": 'request.time < timestamp("2027-01-01T00:00:00Z")'}


@pytest.fixture
def masked(files):
    """masked({"user:a@x.com": "SHA256"}): the files with these masked readers, and nobody who reads in clear."""

    def stated(readers):
        return replace(files, policy_tags={"location": PolicyTag("location", "Where.", (), readers)})

    return stated


def granted(masks, name):
    return masks.policies.members(name, MASKED_READER)


def test_a_mask_is_made_and_its_readers_are_those_of_the_file(services, masks, masked):
    files = masked({"group:Analysts@example.com": "SHA256", "user:bo@example.com": "ALWAYS_NULL"})
    done = apply_tags(services, files)
    assert [str(change) for change in done] == [
        f"{WHERE}: + reader user:bo@example.com through ALWAYS_NULL",
        f"{WHERE}: + reader group:analysts@example.com through SHA256",
    ]
    assert sorted(masks.made) == [f"{PARENT}/location_2_always_null", MADE]
    policy = masks.made[MADE]
    assert (policy.policy_tag, policy.data_masking_policy.predefined_expression.name) == (TAG, "SHA256")
    assert policy.data_policy_type.name == "DATA_MASKING_POLICY"
    assert granted(masks, MADE) == ["group:Analysts@example.com"]
    assert apply_tags(services, files) == []
    assert masks.policies.writes == 2


def test_a_dry_run_says_the_same_and_makes_nothing(services, masks, masked):
    done = apply_tags(services, masked({"user:bo@example.com": "SHA256"}), dry_run=True)
    assert [str(change) for change in done] == [f"{WHERE}: + reader user:bo@example.com through SHA256"]
    assert (masks.made, masks.policies.writes) == ({}, 0)


def test_readers_of_masks_that_were_there_become_those_of_the_file(services, masks, masked):
    """Those of other tags and by routines stay as they are, and so does what has a condition."""
    mine = masks.add(f"{PARENT}/theirs", BY_NUMBER, predefined_expression="SHA256")
    gone = masks.add(f"{PARENT}/zero", BY_NUMBER, predefined_expression="ALWAYS_NULL")
    other = masks.add(f"{PARENT}/other", BY_NUMBER.replace("/2", "/3"), predefined_expression="SHA256")
    routine = masks.add(f"{PARENT}/routine", BY_NUMBER, routine=f"projects/{P}/datasets/d/routines/r")
    limited = {"role": MASKED_READER, "members": ["user:eve@example.com"], "condition": LIMITED}
    old = {"role": MASKED_READER, "members": ["user:old@example.com"]}
    for name in (mine, gone, other, routine):
        masks.policies.bindings[name] = [limited, old]
    done = apply_tags(services, masked({"user:new@example.com": "SHA256"}))
    assert [str(change) for change in done] == [
        f"{WHERE}: - reader user:old@example.com through ALWAYS_NULL",  # who loses goes first
        f"{WHERE}: + reader user:new@example.com through SHA256",
        f"{WHERE}: - reader user:old@example.com through SHA256",
    ]
    assert {name: granted(masks, name) for name in (mine, gone, other, routine)} == {
        mine: ["user:new@example.com"],
        gone: [],
        other: ["user:old@example.com"],
        routine: ["user:old@example.com"],
    }
    assert all(limited in masks.policies.bindings[name] for name in (mine, gone, other, routine))
    assert len(masks.made) == 4


def test_drift_tells_masked_readers_outside_of_the_file_and_missing_ones(services, masks, masked):
    name = masks.add(f"{PARENT}/theirs", BY_NUMBER, predefined_expression="SHA256")
    routine = masks.add(f"{PARENT}/z", BY_NUMBER, routine="projects/p/datasets/d/routines/r")
    masks.policies.bindings[name] = [{"role": MASKED_READER, "members": ["user:old@example.com"]}]
    masks.policies.bindings[routine] = [{"role": MASKED_READER, "members": ["user:eve@example.com"]}]
    files = masked({"user:new@example.com": "SHA256", "user:bo@example.com": "EMAIL_MASK"})
    assert list(drift_of_tags(services, files)) == [
        Drift(WHERE, "outside", "user:old@example.com through SHA256"),
        Drift(WHERE, "missing", "user:new@example.com through SHA256"),
        Drift(WHERE, "outside", "user:eve@example.com through projects/p/datasets/d/routines/r"),
        Drift(WHERE, "missing", "user:bo@example.com through EMAIL_MASK"),
    ]


def test_a_mask_that_somebody_makes_at_the_same_moment_is_ours_too(services, masks, masked):
    masks.twin = True
    apply_tags(services, masked({"user:bo@example.com": "SHA256"}))
    assert (list(masks.made), granted(masks, MADE)) == ([MADE], ["user:bo@example.com"])


def test_a_name_that_another_tags_mask_has_is_told(services, masks, masked):
    masks.add(MADE, BY_NUMBER.replace("/2", "/3"), predefined_expression="SHA256")
    with pytest.raises(NorenError, match=r"^there is a data policy location_2_sha256 already, of another policy tag"):
        apply_tags(services, masked({"user:bo@example.com": "SHA256"}))


def test_a_rival_writer_is_read_again(services, masks, masked):
    masks.policies.rivals = 2
    apply_tags(services, masked({"user:bo@example.com": "SHA256"}))
    assert (granted(masks, MADE), masks.policies.writes) == (["user:bo@example.com"], 1)


def test_a_refusal_is_one_sentence(services, masks, masked):
    masks.refused = True
    refused = rf"^BigQuery Data Policy refused list projects/{P}/locations/asia-northeast1: .* has not been used$"
    with pytest.raises(NorenError, match=refused):
        apply_tags(services, masked({"user:bo@example.com": "SHA256"}))
