"""The filter language, checked against a second, independent reading of random expressions."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.stack.pubsub.filter import FilterError, parse

KEYS = st.sampled_from(["a", "b", "kind", "x-y", "1st"])
VALUES = st.sampled_from(["", "1", "one", "on", 'quo"te', "back\\slash", "new\nline", "é日本"])
ATTRIBUTES = st.dictionaries(KEYS, VALUES, max_size=4)


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def leaf(kind, key, value):
    """A comparison as text, and what it means."""
    match kind:
        case "has":
            return f"attributes:{key}", lambda attributes: key in attributes
        case "is":
            return f"attributes.{key} = {quoted(value)}", lambda attributes: attributes.get(key) == value
        case "is not":
            return f"attributes.{key} != {quoted(value)}", lambda attributes: attributes.get(key) != value
        case _:
            text = f"hasPrefix(attributes.{key}, {quoted(value)})"
            return text, lambda attributes: attributes.get(key) is not None and attributes[key].startswith(value)


def joined(parts, word):
    test = all if word == "AND" else any
    return (
        "(" + f" {word} ".join(text for text, _ in parts) + ")",
        lambda attributes: test(meaning(attributes) for _, meaning in parts),
    )


def negated(part, sign):
    return f"{sign}({part[0]})", lambda attributes: not part[1](attributes)


LEAVES = st.builds(leaf, st.sampled_from(["has", "is", "is not", "prefix"]), KEYS, VALUES)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(joined, st.lists(inner, min_size=2, max_size=3), st.sampled_from(["AND", "OR"])),
        st.builds(negated, inner, st.sampled_from(["NOT ", "-"])),
    ),
    max_leaves=4,
).filter(lambda expression: len(expression[0].encode()) <= 256)


@settings(deadline=None)  # two cores that other tests share
@given(EXPRESSIONS, ATTRIBUTES)
def test_an_expression_means_what_it_says(expression, attributes):
    text, meaning = expression
    assert parse(text)(attributes) == meaning(attributes)


@settings(deadline=None)  # two cores that other tests share
@given(st.text(alphabet='attributes.:=!"() ANDORNOThasPrefix-\\,x1', max_size=60))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(FilterError):
        assert parse(text)({"x": "1"}) in (True, False)


def test_not_binds_tighter_than_and():
    assert parse("NOT attributes:a AND attributes:b")({"b": ""})
    assert not parse("NOT (attributes:a AND attributes:b)")({"a": "", "b": ""})


def test_a_key_of_other_characters_is_a_string():
    assert parse('attributes."iana.org/language_tag" = "en"')({"iana.org/language_tag": "en"})


@pytest.mark.parametrize(
    ("escaped", "value"),
    [(r"\x41", "A"), (r"\101", "A"), (r"é", "é"), (r"\U0001F600", "😀"), (r"\t\\", "\t\\")],
)
def test_escapes_are_cs(escaped, value):
    assert parse(f'attributes.a = "{escaped}"')({"a": value})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("attributes:a AND attributes:b OR attributes:c", "AND and OR are mixed at column 31: add parentheses"),
        ("attributes:a attributes:b", "expected AND, OR or the end but found 'attributes' at column 14"),
        ("attributes.a = b", "expected a string in double quotes but found 'b' at column 16"),
        ("attributes.a > 3", "unexpected '>' at column 14"),
        ("attributes.a", "expected = or != but found the end at column 13"),
        ("attributes:", "expected an attribute's key but found the end at column 12"),
        ("(attributes:a", "expected ')' but found the end at column 14"),
        ("data", "expected attributes, hasPrefix, NOT or ( but found 'data' at column 1"),
        (r'attributes.a = "\q"', r"unknown escape \q in the string at column 16"),
        (r'attributes.a = "\UFFFFFFFF"', r"no such character: \UFFFFFFFF at column 16"),
        ("attributes:" + "a" * 256, "the filter has more than 256 bytes"),
    ],
)
def test_an_error_says_what_and_where(text, message):
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert str(caught.value) == message
