"""Undeclared fields: dropped, counted with path and type, and read over at full speed once they come often."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.contract import Contract
from dataflow.core import Anonymizer, Batch, Outcome, Reason
from dataflow.core.decode import LEARN_AFTER, MOST_LEARNED, MOST_SEEN, OTHER, Decoder
from dataflow.keys import KeyRing
from dataflow.policy import Policy
from tests.dataflow.cases import RECEIVED, encoded, event

DEVICE = event()["device"]
ACCURATE = event()["location"]


@pytest.fixture
def anonymizer(app_event: Contract, policy: Policy, keys: KeyRing) -> Anonymizer:
    """One that has seen nothing yet."""
    return Anonymizer(app_event, policy, keys)


def process(anonymizer: Anonymizer, *payloads: bytes) -> Outcome:
    return anonymizer.process(Batch(payloads, [RECEIVED] * len(payloads)))


def learn(anonymizer: Anonymizer, **fields: Any) -> None:
    process(anonymizer, *[encoded(number, **fields) for number in range(LEARN_AFTER)])


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b"null", "null"),
        (b"true", "boolean"),
        (b"false", "boolean"),
        (b"-1.5", "number"),
        (b"1e400", "number"),
        (b"1" * 400, "number"),
        (b'"5g"', "string"),
        (b'"\xff"', "string"),
        (b"[1, 2]", "array"),
        (b'{"a": {"b": 1}}', "object"),
        (b"[" * 3000 + b"]" * 3000, "array"),
    ],
)
def test_an_undeclared_field_is_counted_with_its_type_before_and_after_it_is_learned(
    anonymizer: Anonymizer, value: bytes, kind: str
) -> None:
    payload = encoded(network="@@").replace(b'"@@"', value)
    known = encoded()
    before = process(anonymizer, payload, known)
    learn(anonymizer, network=1)
    after = process(anonymizer, payload, known)
    for outcome in (before, after):
        assert (outcome.rejects, outcome.unknown) == ([], [(0, "network", kind)])
        assert outcome.raw.drop("event_token").row(0) == outcome.raw.drop("event_token").row(1)
    assert before.anonymized.equals(after.anonymized)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"device": DEVICE | {"rooted": 1}}, "device.rooted"),
        ({"location": ACCURATE | {"floor": 1}}, "location.floor"),
        ({"properties": {"campaign": 1}}, "properties.campaign"),
        ({"network": {"device": {"type": "ios"}}}, "network"),
    ],
)
def test_where_it_stands_is_told(anonymizer: Anonymizer, changes: dict[str, Any], path: str) -> None:
    kind = "object" if path == "network" else "number"
    for _ in range(2):
        assert process(anonymizer, encoded(**changes)).unknown == [(0, path, kind)]
        learn(anonymizer, **changes)


@pytest.mark.parametrize(
    "name",
    ["user_08012345678", "ana@example.com", "ana tanaka", "田中", "7", "4111111111111111", "a.b", "x" * 41, "", "a\nb"],
)
def test_a_name_that_may_be_data_is_not_told(anonymizer: Anonymizer, name: str) -> None:
    for _ in range(2):
        outcome = process(anonymizer, encoded(1, **{name: 1}), encoded(2, properties={name: 1}))
        assert outcome.unknown == [(0, OTHER, "number"), (1, f"properties.{OTHER}", "number")]
        learn(anonymizer, **{name: 1})


@pytest.mark.parametrize("name", ["networkType", "is_new", "os-version", "v2", "_private", "x" * 40])
def test_a_plain_name_is_told(anonymizer: Anonymizer, name: str) -> None:
    assert process(anonymizer, encoded(**{name: 1})).unknown == [(0, name, "number")]


def test_a_fault_in_the_declared_part_is_still_found(anonymizer: Anonymizer) -> None:
    payloads = [encoded(1, network=1, user_id=5), encoded(2, network=1, session_id=None)]
    for _ in range(2):
        outcome = process(anonymizer, *payloads)
        assert [(reject.reason, reject.field) for reject in outcome.rejects] == [
            (Reason.WRONG_TYPE, "user_id"),
            (Reason.MISSING_FIELD, "session_id"),
        ]
        assert outcome.unknown == []
        learn(anonymizer, network=1)


def test_of_a_field_that_comes_twice_the_last_counts(anonymizer: Anonymizer) -> None:
    payload = encoded(network=1)[:-1] + b', "network": "5g", "user_id": "user_000042"}'
    for _ in range(2):
        outcome = process(anonymizer, payload)
        assert outcome.unknown == [(0, "network", "string")]
        assert outcome.raw["user_id"].to_list() == ["user_000042"]
        learn(anonymizer, network=1)


def test_learned_and_new_undeclared_fields_go_together_in_one_event_and_one_batch(anonymizer: Anonymizer) -> None:
    learn(anonymizer, network=1)
    outcome = process(anonymizer, encoded(1, network=1, wifi="x"), encoded(2, wifi=None), encoded(3, network=[]))
    assert sorted(outcome.unknown) == [(0, "network", "number"), (0, "wifi", "string"), (2, "network", "array")]
    assert outcome.raw["user_id"].to_list() == ["user_000001", "user_000002", "user_000003"]


def test_a_learned_field_inside_an_absent_object_is_no_field(anonymizer: Anonymizer) -> None:
    learn(anonymizer, location=ACCURATE | {"floor": 1})
    outcome = process(anonymizer, encoded(1, location=None), encoded(2))
    assert outcome.unknown == []
    assert outcome.raw["location"].to_list() == [None, ACCURATE]


def test_only_so_many_names_are_learned(app_event: Contract) -> None:
    decoder = Decoder(app_event)
    names = [f"field_{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(MOST_LEARNED + 20)]
    for _ in range(LEARN_AFTER + 1):
        decoded = decoder.decode([encoded(1, **dict.fromkeys(names, 1))])
        assert Counter(path for _, path, _ in decoded.unknown) == dict.fromkeys(names, 1)
    assert len(decoder._readers.learned) == MOST_LEARNED


def test_made_up_names_fill_no_memory(app_event: Contract) -> None:
    decoder = Decoder(app_event)
    letters = str.maketrans("0123456789", "abcdefghij")
    names = [f"made_up_{str(number).translate(letters)}" for number in range(MOST_SEEN + 50)]
    decoder.decode([encoded(1, **dict.fromkeys(names, 1))])
    assert len(decoder._seen) == MOST_SEEN


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
EXTRAS = st.dictionaries(st.sampled_from(["network", "wifi", "user_12345", "名前"]), JSON, max_size=3)


@settings(deadline=None, max_examples=50)
@given(batch=st.lists(st.tuples(EXTRAS, EXTRAS, st.booleans()), min_size=1, max_size=4), learned=EXTRAS)
def test_rows_and_counts_are_the_same_whatever_was_learned(
    app_event: Contract, batch: list[tuple[dict[str, Any], dict[str, Any], bool]], learned: dict[str, Any]
) -> None:
    payloads = [
        json.dumps(event(number, properties=inner) | outer if has else event(number, properties=None) | outer).encode()
        for number, (outer, inner, has) in enumerate(batch)
    ]
    fresh, taught = Decoder(app_event), Decoder(app_event)
    taught.decode([encoded(1, properties=learned, **learned)] * LEARN_AFTER)
    one, other = fresh.decode(payloads), taught.decode(payloads)
    assert {path: list(values) for path, values in one.columns.items()} == {
        path: list(values) for path, values in other.columns.items()
    }
    assert sorted(one.unknown) == sorted(other.unknown)
    assert one.rejects == other.rejects == []


class Overtaken(list[bytes]):
    """Payloads in the midst of which another thread has the decoder learn a field."""

    def __init__(self, payloads: list[bytes], decoder: Decoder) -> None:
        super().__init__(payloads)
        self._decoder, self._times = decoder, 0

    def __iter__(self) -> Iterator[bytes]:
        for number, payload in enumerate(super().__iter__()):
            if number == 1:
                self._times += 1
                other = [encoded(number, **{"a" * self._times: 1}) for number in range(LEARN_AFTER)]
                thread = threading.Thread(target=self._decoder.decode, args=(other,))
                thread.start()
                thread.join()
            yield payload


@pytest.mark.parametrize("rests", [0, 9])
def test_a_field_that_another_thread_learns_does_not_change_the_batch_at_hand(app_event: Contract, rests: int) -> None:
    payloads = [encoded(number, wifi=number) for number in range(4)]
    wanted = Decoder(app_event).decode(payloads)
    decoder = Decoder(app_event)
    decoder._lane_rests = rests
    decoded = decoder.decode(Overtaken(payloads, decoder))
    assert decoder._readers.learned
    assert {path: column.to_list() for path, column in decoded.columns.items()} == {
        path: column.to_list() for path, column in wanted.columns.items()
    }
    assert decoded.unknown == wanted.unknown
