"""Whatever comes: nothing is raised, each event is accepted or refused exactly once, and no value gets out."""

import io
import json
import logging
import re
import string
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataflow.contract import Contract
from dataflow.core import Anonymizer, Batch, Outcome
from dataflow.core.redact import redacted
from dataflow.keys import KeyRing
from dataflow.policy import Policy
from tests.dataflow.cases import RECEIVED, encoded, event

SECRET = "qXzJvKwPqZ"
"""Stands in every text, name and number's place that is made up; none of the house's own words has it."""
NUMBER = 7_316_204_958

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.just(NUMBER),
    st.just(-NUMBER * 10**30),
    st.just(NUMBER / 1000),
    st.just(SECRET),
    st.text(alphabet=st.sampled_from("aZ 0\x00\u2028\U0001f600é`'$\n\"\\"), max_size=4).map(lambda text: SECRET + text),
    st.sampled_from([f"a - at `$.{SECRET}`", f"2024-01-15T10:30:00Z{SECRET}", f"{SECRET}@example.com"]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([SECRET, "type", "x"]), inner, max_size=2)
    ),
    max_leaves=5,
)
PATHS = st.sampled_from(
    [(name,) for name in event()]
    + [(name, inner) for name, part in event().items() if isinstance(part, dict) for inner in part]
    + [(SECRET,), ("device", SECRET)]
)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A good event with values put in wrong places, or places taken away."""
    document = event(draw(st.integers(1, 3)), user_id=SECRET)
    for path in draw(st.lists(PATHS, min_size=1, max_size=3)):
        target: Any = document
        for name in path[:-1]:
            target = target.get(name, {}) if isinstance(target, dict) else {}
        if isinstance(target, dict):
            if draw(st.booleans()):
                target[path[-1]] = draw(VALUES)
            else:
                target.pop(path[-1], None)
    return json.dumps(document, ensure_ascii=draw(st.booleans())).encode()


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """An event with some of its bytes lost, changed or doubled."""
    payload = bytearray(draw(st.one_of(changed(), st.just(encoded(1, user_id=SECRET)))))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(payload)))
        payload[place : place + draw(st.integers(0, 4))] = draw(
            st.one_of(
                st.binary(max_size=3), st.sampled_from([b'"', b"{", b"}", b"\\", b"\\ud800", b"\xff", b",", b"NaN"])
            )
        )
    return bytes(payload)


def repeated(names: tuple[str, str], values: tuple[Any, Any]) -> bytes:
    """Two more fields, whose names the event may have already."""
    more = ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in zip(names, values, strict=True))
    return encoded(1, user_id=SECRET)[:-1] + b"," + more.encode() + b"}"


NAMES = st.sampled_from([*event(), SECRET])
PAYLOADS = st.one_of(
    st.just(encoded(1, user_id=SECRET)),
    changed(),
    broken(),
    st.builds(repeated, st.tuples(NAMES, NAMES), st.tuples(VALUES, VALUES)),
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=20).map(lambda some: SECRET.encode() + some),
    st.sampled_from(
        [
            b"",
            b"\x00",
            b"[" * 100_000,
            b'{"device":' * 5_000 + b"{}" + b"}" * 5_000,
            encoded(1, x="@").replace(b'"@"', b"[" * 100_000 + b"]" * 100_000),
            encoded(1, user_id="@").replace(b"@", b"\\ud83d"),
            encoded(1, user_id="@").replace(b'"@"', b"1" * 5000),
            encoded(1, location={"latitude": "@", "longitude": 1}).replace(b'"@"', b"-1e999"),
            encoded(1, location={"latitude": "@", "longitude": 1}).replace(b'"@"', b"NaN"),
            encoded(1, user_id=SECRET).decode().encode("utf-16"),
            b"\xef\xbb\xbf" + encoded(1, user_id=SECRET),
        ]
    ),
)


@pytest.fixture(scope="module")
def logged() -> Iterator[io.StringIO]:
    """All that is logged, by everybody, from the lowest level on."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def test_nothing_is_raised_nothing_is_lost_and_no_value_gets_out(
    app_event: Contract, policy: Policy, keys: KeyRing, logged: io.StringIO
) -> None:
    anonymizer = Anonymizer(app_event, policy, keys)

    @settings(
        deadline=None,
        max_examples=150,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(st.lists(PAYLOADS, max_size=5))
    def holds(payloads: list[bytes]) -> None:
        outcome = anonymizer.process(Batch(payloads, [RECEIVED] * len(payloads)))
        sorted_out = [*outcome.index, *(reject.index for reject in outcome.rejects)]
        assert sorted(sorted_out) == list(range(len(payloads)))
        assert outcome.raw.height == outcome.anonymized.height == len(outcome.index)
        assert secrets(shown(outcome)) == []
        assert secrets(repr([redacted(payload, app_event) for payload in payloads])) == []

    holds()
    assert secrets(logged.getvalue()) == []


def shown(outcome: Outcome) -> str:
    """What of an outcome is logged, counted or stored in clear outside the raw table."""
    unknown = [(path, kind) for _, path, kind in outcome.unknown if not path.endswith(SECRET)]  # a plain name is told
    return repr([(reject.reason, reject.field, reject.message) for reject in outcome.rejects]) + repr(unknown)


def secrets(text: str) -> list[str]:
    return re.findall(f"{SECRET[:6]}|{str(NUMBER)[:6]}", text)


def test_the_made_up_secret_is_no_word_of_the_house() -> None:
    assert set(SECRET) <= set(string.ascii_letters)
    assert secrets(f"{SECRET} {NUMBER}") == [SECRET[:6], str(NUMBER)[:6]]
