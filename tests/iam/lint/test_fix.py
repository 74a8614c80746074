"""What --fix writes: an entry goes or comes, and not a character more."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam import edit
from iam.lint import fix, lint

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(items=st.lists(JSON, max_size=6), indent=st.sampled_from([None, 2]), data=st.data())
def test_an_item_goes_and_the_others_stay(items, indent, data):
    indices = data.draw(st.sets(st.integers(0, len(items) - 1), max_size=3)) if items else set()
    text = edit.without(json.dumps(items, indent=indent), indices)
    assert json.loads(text) == [item for number, item in enumerate(items) if number not in indices]


@given(items=st.lists(JSON, max_size=3), indent=st.sampled_from([None, 2]))
def test_an_item_comes_at_the_end(items, indent):
    assert json.loads(edit.appended(json.dumps(items, indent=indent), {"a": 1})) == [*items, {"a": 1}]


@pytest.mark.parametrize(
    ("index", "left"),
    [
        (0, '[\n  {"b": 2},\n  {"c": 3}\n]\n'),
        (1, '[\n  {"a": 1},\n  {"c": 3}\n]\n'),
        (2, '[\n  {"a": 1},\n  {"b": 2}\n]\n'),
    ],
)
def test_a_file_keeps_its_layout(index, left):
    assert edit.without('[\n  {"a": 1},\n  {"b": 2},\n  {"c": 3}\n]\n', [index]) == left


def test_a_missing_hop_is_added_and_the_file_is_as_it_was(project, found, built):
    path = project.iam / "authorized_views" / "warehouse__places.json"
    before = path.read_text()
    path.write_text("[]\n")
    assert len(fix(project, found(built))) == 1
    assert path.read_text() == before
    assert found(built) == []


def test_a_missing_file_is_made(project, found, built):
    path = project.iam / "authorized_views" / "anonymized__places.json"
    before = path.read_text()
    path.unlink()
    fix(project, found(built))
    assert path.read_text() == before


def test_what_has_no_effect_is_removed(project, add, found, built):
    path = project.iam / "datasets" / "operations.json"
    before = json.loads(path.read_text())
    expired = {"expression": 'request.time < timestamp("2026-05-31T00:00:00Z")'}
    add(
        "datasets/operations",
        {"role": "READER", "groupByEmail": "analysts@example.com", "condition": expired},
        {"role": "READER", "iamMember": "deleted:group:gone@example.com?uid=1"},
        before[0],
    )
    fix(project, found(built))
    assert json.loads(path.read_text()) == before
    assert found(built) == []


def test_nothing_is_mended_that_needs_a_decision(project, add, found):
    add("datasets/marts__product", {"role": "READER", "userByEmail": "ana@example.com"})
    assert fix(project, found()) == []
    assert [finding.code for finding in lint(project)] == ["NRN011"]
