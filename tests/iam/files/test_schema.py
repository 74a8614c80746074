"""The schemas for editors: up to date, and of one mind with the loader."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from dataflow.project import Project
from iam.entries import MEMBER_KINDS, RESOURCE_KINDS
from iam.files import shape
from iam.files.schema import schemas, text
from iam.positions import Place

REPOSITORY = Project.find(Path(__file__))
SCHEMAS = schemas()
HERE = Place("x.json")

EMAILS = st.sampled_from(["a@x.com", "a", "user:a@x.com", "deleted:group:a@x.com?uid=1", "", 3])
REFERENCE = st.fixed_dictionaries(
    {"projectId": st.sampled_from(["p", "", 1])},
    optional={"datasetId": st.just("d"), "tableId": st.just("t"), "routineId": st.just("r"), "x": st.just("y")},
)
WHOLE = st.fixed_dictionaries(
    {"dataset": REFERENCE}, optional={"targetTypes": st.sampled_from([["VIEWS"], ["TABLES"], [], "VIEWS"])}
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["READER", "reader", "roles/bigquery.user", "projects/p/roles/x", "roles/", 1]),
        "userByEmail": EMAILS,
        "groupByEmail": EMAILS,
        "domain": st.sampled_from(["x.com", ""]),
        "specialGroup": st.sampled_from(["projectOwners", "everybody"]),
        "iamMember": st.just("group:a@x.com"),
        "view": REFERENCE | st.just("p.d.t"),
        "routine": REFERENCE,
        "dataset": WHOLE,
        "condition": st.sampled_from([{"expression": "true"}, {}, "true", {"expression": "true", "titel": "t"}]),
        "unknown": st.just(1),
    },
)


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_is_committed_is_what_is_made(name):
    assert (REPOSITORY.iam / "schemas" / name).read_text() == text(SCHEMAS[name])
    Draft7Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_repositorys_own_files_fit(name):
    folder = REPOSITORY.iam / name.removesuffix(".json")
    files = sorted(folder.glob("*.json")) if folder.is_dir() else [REPOSITORY.iam / name]
    for file in files:
        if file.is_file():
            assert list(Draft7Validator(SCHEMAS[name]).iter_errors(json.loads(file.read_text()))) == []


@pytest.mark.parametrize(
    ("name", "kinds"), [("datasets.json", MEMBER_KINDS), ("authorized_views.json", RESOURCE_KINDS)]
)
@given(entry=ENTRIES)
def test_loader_and_schema_agree_on_every_entry(name, kinds, entry):
    accepted = not list(shape.entry(entry, HERE, kinds))
    assert Draft7Validator(SCHEMAS[name]).is_valid([entry]) == accepted


@given(
    item=st.fixed_dictionaries(
        {"group": EMAILS, "kind": st.sampled_from(["k", ""])},
        optional={
            "purpose": st.just("p"),
            "owner": EMAILS,
            "parents": st.lists(EMAILS, max_size=2) | st.just("a@x.com"),
            "members": st.lists(EMAILS, max_size=2),
            "memebrs": st.just([]),
        },
    )
)
def test_loader_and_schema_agree_on_every_group(item):
    accepted = not list(shape.group(item, HERE))
    assert Draft7Validator(SCHEMAS["groups.json"]).is_valid([item]) == accepted


MEMBERS = st.lists(st.sampled_from(["group:a@x.com", "domain:x.com", "a@x.com", "allUsers", "everybody"]), max_size=2)


@given(
    item=st.fixed_dictionaries(
        {"policyTag": st.sampled_from(["t", ""]), "readers": MEMBERS},
        optional={
            "description": st.just("d"),
            "masked": st.lists(
                st.fixed_dictionaries(
                    {"predefinedExpression": st.sampled_from(["SHA256", "MD5"])}, optional={"readers": MEMBERS}
                ),
                max_size=2,
            ),
        },
    )
)
def test_loader_and_schema_agree_on_every_policy_tag(item):
    accepted = not list(shape.policy_tag(item, HERE))
    assert Draft7Validator(SCHEMAS["policy_tags.json"]).is_valid([item]) == accepted


def test_the_readme_maps_every_schema_to_files_that_exist():
    settings = (REPOSITORY.iam / "schemas" / "README.md").read_text()
    mapped = dict(re.findall(r'"fileMatch": \["/(iam/[^"]+)"\], "url": "\./iam/schemas/([^"]+)"', settings))
    assert set(mapped.values()) == set(SCHEMAS)
