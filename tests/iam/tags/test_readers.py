"""What policy_tags.json would say of live tags, and what it cannot say."""

from iam.engine.rights import FINE_GRAINED_READER, MASKED_READER
from iam.tags import readers_of_tags
from tests.iam.tags.conftest import TAG, TAXONOMY, P

PLACE = f"projects/{P}/locations/asia-northeast1"
LIMITED = {"title": "until", "expression": 'request.time < timestamp("2027-01-01T00:00:00Z")'}


def test_readers_in_clear_and_through_masks(services, catalog, masks):
    catalog.policies.bindings[TAG] = [{"role": FINE_GRAINED_READER, "members": ["group:a@example.com"]}]
    mask = masks.add(f"{PLACE}/dataPolicies/m", TAG, predefined_expression="SHA256")
    masks.policies.bindings[mask] = [{"role": MASKED_READER, "members": ["group:b@example.com"]}]
    found = readers_of_tags(services, P, ["asia-northeast1", "ASIA-NORTHEAST1"])
    assert set(found) == {"location", "other"}
    assert (found["location"].clear, found["location"].masked) == (
        ("group:a@example.com",),
        {"SHA256": ("group:b@example.com",)},
    )
    assert (found["other"].clear, found["other"].masked, found["other"].stated) == ((), {}, True)


def test_what_the_file_cannot_say_is_told(services, catalog, masks):
    catalog.policies.bindings[TAG] = [
        {"role": FINE_GRAINED_READER, "members": ["group:a@example.com"], "condition": LIMITED}
    ]
    made = {
        name: masks.add(f"{PLACE}/dataPolicies/{name}", TAG, **how)
        for name, how in {
            "a": {"predefined_expression": "SHA256"},
            "b": {"predefined_expression": "ALWAYS_NULL"},
            "c": {"routine": f"projects/{P}/datasets/d/routines/r"},
        }.items()
    }
    for name in made.values():
        masks.policies.bindings[name] = [{"role": MASKED_READER, "members": ["group:b@example.com"]}]
    found = readers_of_tags(services, P, ["asia-northeast1"])["location"]
    assert (found.clear, found.masked) == ((), {"SHA256": ("group:b@example.com",)})
    assert found.left_out == (
        "group:a@example.com, who reads it under a condition",
        "group:b@example.com, who reads it through ALWAYS_NULL",
        f"group:b@example.com, who reads it through projects/{P}/datasets/d/routines/r",
    )


def test_tags_of_one_name_with_other_readers_are_not_stated(services, catalog):
    other = f"{PLACE}/taxonomies/9/policyTags/1"
    catalog.tags[other] = "location"
    catalog.policies.bindings[TAG] = [{"role": FINE_GRAINED_READER, "members": ["group:a@example.com"]}]
    found = readers_of_tags(services, P, ["asia-northeast1"])["location"]
    assert (found.stated, found.clear) == (False, ())
    [told] = found.left_out
    assert told.startswith("tags of this name have other readers in another taxonomy")
    assert TAXONOMY not in told
