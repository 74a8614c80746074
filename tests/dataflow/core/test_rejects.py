"""Every reason, exactly: code, field and words; and never a value."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dataflow.contract import Contract
from dataflow.core import Anonymizer, Batch, Reason, Reject
from dataflow.core.rejects import explain
from dataflow.errors import NorenError
from dataflow.keys import KeyRing
from dataflow.policy import Policy
from tests.dataflow import cases
from tests.dataflow.cases import RECEIVED

VISIT: dict[str, Any] = {
    "id": "visit-1",
    "shop": 7,
    "at": "2026-01-15T09:30:00Z",
    "till": {"number": 3},
}
PLACE = {"latitude": 35.681236, "longitude": 139.767125}

Process = Callable[..., list[Reject]]


@pytest.fixture(scope="module")
def anonymizer(visit: Contract, visit_policy: Policy, keys: KeyRing) -> Anonymizer:
    return Anonymizer(visit, visit_policy, keys)


@pytest.fixture
def refuse(anonymizer: Anonymizer) -> Callable[[bytes], Reject]:
    """The reject of one payload between two good ones, which go on."""

    def process(payload: bytes) -> Reject:
        good = encoded()
        outcome = anonymizer.process(Batch([good, payload, good], [RECEIVED] * 3))
        assert outcome.index.to_list() == [0, 2]
        (reject,) = outcome.rejects
        assert reject.index == 1
        return reject

    return process


def encoded(**changes: Any) -> bytes:
    return json.dumps(VISIT | changes).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in VISIT.items() if key != name}).encode()


def raw(name: str, value: bytes) -> bytes:
    """The event with a value that json does not write."""
    return encoded(**{name: "@@"}).replace(b'"@@"', value)


TIME = "must be an RFC 3339 time with a zone, such as 2024-01-15T10:30:00Z"
DATE = "must be a date such as 2024-01-15"
TOO_LARGE = "is a number too large to hold"
FUTURE = "lies more than 10 minutes after the message was received"

REFUSED: dict[str, tuple[bytes, Reason, str, str]] = {
    "nothing": (b"", Reason.EMPTY_MESSAGE, "$", "is empty"),
    "only spaces": (b" \n", Reason.EMPTY_MESSAGE, "$", "is empty"),
    "too many bytes": (encoded(note="n" * 4096), Reason.TOO_LARGE, "$", "has 4189 bytes, the contract allows 4096"),
    "no JSON": (b"hello", Reason.MALFORMED_JSON, "$", "is no valid JSON at byte 0"),
    "cut off": (encoded()[:-1], Reason.MALFORMED_JSON, "$", "is no valid JSON: it ends too early"),
    "two events": (b"%b\n%b" % (encoded(), encoded()), Reason.MALFORMED_JSON, "$", "is no valid JSON at byte 83"),
    "NaN": (raw("spent", b"NaN"), Reason.MALFORMED_JSON, "$", "is no valid JSON at byte 91"),
    "half a surrogate pair": (
        raw("note", b'"\\ud800 and more"'),
        Reason.MALFORMED_JSON,
        "$",
        "is no valid JSON at byte 97",
    ),
    "a byte order mark": (b"\xef\xbb\xbf" + encoded(), Reason.MALFORMED_JSON, "$", "is no valid JSON at byte 0"),
    "UTF-16": (encoded().decode().encode("utf-16"), Reason.INVALID_UTF8, "$", "is no valid UTF-8"),
    "invalid UTF-8 in a field": (raw("note", b'"\xff"'), Reason.INVALID_UTF8, "note", "is no valid UTF-8"),
    "invalid UTF-8 in a nested field": (
        raw("till", b'{"cashier": "a\xc3"}'),
        Reason.INVALID_UTF8,
        "till.cashier",
        "is no valid UTF-8",
    ),
    "invalid UTF-8 in a name": (encoded(x=1).replace(b'"x"', b'"\xff"'), Reason.INVALID_UTF8, "$", "is no valid UTF-8"),
    "an array": (b"[" + encoded() + b"]", Reason.WRONG_TYPE, "$", "must be object, is array"),
    "a text": (b'"visit"', Reason.WRONG_TYPE, "$", "must be object, is str"),
    "null": (b"null", Reason.WRONG_TYPE, "$", "must be object, is null"),
    "a number for a text": (encoded(id=1), Reason.WRONG_TYPE, "id", "must be str, is int"),
    "null where it is required": (encoded(id=None), Reason.WRONG_TYPE, "id", "must be str, is null"),
    "a text for a whole number": (encoded(age="7"), Reason.WRONG_TYPE, "age", "must be int, is str"),
    "a fraction for a whole number": (encoded(age=7.5), Reason.WRONG_TYPE, "age", "must be int, is float"),
    "a number for a truth value": (encoded(member=1), Reason.WRONG_TYPE, "member", "must be bool, is int"),
    "a text for a number": (encoded(spent="1.5"), Reason.WRONG_TYPE, "spent", "must be float, is str"),
    "a text for an object": (encoded(till="t"), Reason.WRONG_TYPE, "till", "must be object, is str"),
    "an array for an object": (encoded(place=[]), Reason.WRONG_TYPE, "place", "must be object, is array"),
    "a number for one of some texts": (encoded(**{"class": 1}), Reason.WRONG_TYPE, "class", "must be str, is int"),
    "a wrong type far inside": (
        encoded(place=PLACE | {"floor": {"level": "two"}}),
        Reason.WRONG_TYPE,
        "place.floor.level",
        "must be int, is str",
    ),
    "a whole number as long as a book": (
        raw("spent", b"1" * 400),
        Reason.OUT_OF_RANGE,
        "spent",
        TOO_LARGE,
    ),
    "a fraction without end": (raw("spent", b"1e999"), Reason.OUT_OF_RANGE, "spent", TOO_LARGE),
    "no field": (without("shop"), Reason.MISSING_FIELD, "shop", "is required and missing"),
    "no object": (without("till"), Reason.MISSING_FIELD, "till", "is required and missing"),
    "no field inside": (
        encoded(place={"latitude": 1.0}),
        Reason.MISSING_FIELD,
        "place.longitude",
        "is required and missing",
    ),
    "none of the values": (encoded(**{"class": "c"}), Reason.NOT_ALLOWED, "class", "is none of the allowed values"),
    "too small": (encoded(age=-1), Reason.OUT_OF_RANGE, "age", "must be >= 0"),
    "too large": (encoded(age=151), Reason.OUT_OF_RANGE, "age", "must be <= 150"),
    "beyond 64 bits": (
        encoded(customer_number=2**63),
        Reason.OUT_OF_RANGE,
        "customer_number",
        "must be <= 9223372036854775807",
    ),
    "far beyond 64 bits": (
        encoded(customer_number=10**30),
        Reason.OUT_OF_RANGE,
        "customer_number",
        "must be <= 9223372036854775807",
    ),
    "below 64 bits": (
        encoded(customer_number=-(2**63) - 1),
        Reason.OUT_OF_RANGE,
        "customer_number",
        "must be >= -9223372036854775808",
    ),
    "off the globe": (
        encoded(place=PLACE | {"latitude": 90.5}),
        Reason.OUT_OF_RANGE,
        "place.latitude",
        "must be <= 90.0",
    ),
    "too long": (encoded(email="@" * 65), Reason.WRONG_LENGTH, "email", "must have a length <= 64"),
    "too short": (encoded(app="1"), Reason.WRONG_LENGTH, "app", "must have a length >= 2"),
    "no pattern": (encoded(email="ana"), Reason.INVALID_FORMAT, "email", "does not match the contract's pattern"),
    "no time": (encoded(at="yesterday"), Reason.INVALID_TIMESTAMP, "at", TIME),
    "a time without a zone": (encoded(at="2026-01-15T09:30:00"), Reason.INVALID_TIMESTAMP, "at", TIME),
    "a day that is none": (encoded(left_at="2026-02-30T09:30:00Z"), Reason.INVALID_TIMESTAMP, "left_at", TIME),
    "an optional time that is empty": (encoded(left_at=""), Reason.INVALID_TIMESTAMP, "left_at", TIME),
    "a year that no table holds": (
        encoded(left_at="+10000-01-01T00:00:00Z"),
        Reason.INVALID_TIMESTAMP,
        "left_at",
        TIME,
    ),
    "a year before the first": (encoded(left_at="0000-12-31T23:59:59Z"), Reason.INVALID_TIMESTAMP, "left_at", TIME),
    "no date": (encoded(born="15.1.1980"), Reason.INVALID_DATE, "born", DATE),
    "a time for a date": (encoded(born="1980-01-15T00:00:00Z"), Reason.INVALID_DATE, "born", DATE),
    "a date that is none": (encoded(born="1981-02-29"), Reason.INVALID_DATE, "born", DATE),
    "a date that no table holds": (encoded(born="+10000-01-01"), Reason.INVALID_DATE, "born", DATE),
    "a date before the first year": (encoded(born="0000-01-01"), Reason.INVALID_DATE, "born", DATE),
    "tomorrow": (encoded(at="2026-01-16T09:30:00Z"), Reason.FUTURE_EVENT, "at", FUTURE),
    "a microsecond too early": (encoded(at="2026-01-15T10:10:00.000001Z"), Reason.FUTURE_EVENT, "at", FUTURE),
    "a clock that was never set": (
        encoded(at="1999-12-31T23:59:59Z"),
        Reason.TOO_OLD,
        "at",
        "lies before the year 2000",
    ),
    "nested for ever": (raw("x", b"[" * 200_000), Reason.TOO_LARGE, "$", "has 200088 bytes, the contract allows 4096"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, refuse: Callable[[bytes], Reject]) -> None:
    payload, reason, field, message = REFUSED[name]
    assert refuse(payload) == Reject(1, reason, field, message)


def test_an_event_nested_too_deeply_is_refused(app_event: Contract, policy: Policy, keys: KeyRing) -> None:
    deep = cases.encoded(1, network="@").replace(b'"@"', b"[" * 200_000 + b"]" * 200_000)
    outcome = Anonymizer(app_event, policy, keys).process(Batch([deep, cases.encoded(2)], [RECEIVED] * 2))
    assert outcome.rejects == [Reject(0, Reason.TOO_DEEP, "$", "is nested too deeply")]
    assert outcome.index.to_list() == [1]


def test_what_the_limits_just_allow_is_accepted(anonymizer: Anonymizer) -> None:
    events = [
        encoded(at="2026-01-15T10:10:00Z"),
        encoded(at="2000-01-01T00:00:00Z"),
        encoded(left_at="9999-12-31T23:59:59.999999Z", born="9999-12-31"),
        encoded(left_at="0001-01-01T00:00:00Z", born="0001-01-01"),
        encoded(age=0, customer_number=2**63 - 1),
        encoded(age=150, customer_number=-(2**63)),
        encoded(place={"latitude": -90, "longitude": 180}, spent=1.7976931348623157e308),
        encoded(email="@" * 64, app="11"),
        encoded(email="猫" * 63 + "@"),
        encoded(note="").ljust(4096),
    ]
    outcome = anonymizer.process(Batch(events, [RECEIVED] * len(events)))
    assert (outcome.rejects, sorted(outcome.index)) == ([], list(range(len(events))))


def test_the_first_failing_check_names_the_reject(refuse: Callable[[bytes], Reject]) -> None:
    assert refuse(encoded(at="soon", born="then", email="none")).field == "at"


@pytest.mark.parametrize(
    "value",
    [
        "toaster",
        "a - at `$.secret`",
        "a' - at `$",
        "Object missing required field `ana@example.com`",
        "Expected `str`, got `int`",
        "line\n - at `$.next`",
    ],
)
def test_a_value_that_msgspec_quotes_is_not_repeated(refuse: Callable[[bytes], Reject], value: str) -> None:
    assert refuse(encoded(**{"class": value})) == Reject(
        1, Reason.NOT_ALLOWED, "class", "is none of the allowed values"
    )


@pytest.mark.parametrize(
    ("text", "reject"),
    [
        ("Expected `int | null`, got `str` - at `$.a.b`", (Reason.WRONG_TYPE, "a.b", "must be int, is str")),
        ("Expected `str | null` of length <= 4 - at `$.a`", (Reason.WRONG_LENGTH, "a", "must have a length <= 4")),
        ("Expected `float | null` >= 0.0 - at `$.a`", (Reason.OUT_OF_RANGE, "a", "must be >= 0.0")),
        ("Object missing required field `b` - at `$.a`", (Reason.MISSING_FIELD, "a.b", "is required and missing")),
        ("Expected `object`, got `array`", (Reason.WRONG_TYPE, "$", "must be object, is array")),
        ("ana@example.com is no good - at `$.a`", (Reason.WRONG_TYPE, "a", "is not what the contract declares")),
    ],
)
def test_a_complaint_is_put_together_from_known_parts(text: str, reject: tuple[Reason, str, str]) -> None:
    assert explain(5, text) == Reject(5, *reject)


def test_a_pattern_that_cannot_be_checked_is_refused_with_file_and_field(
    visit: Contract, visit_policy: Policy, keys: KeyRing
) -> None:
    fields = tuple(
        replace(item, constraints=replace(item.constraints, pattern="(?=a)b")) if item.name == "note" else item
        for item in visit.fields
    )
    with pytest.raises(NorenError) as refused:
        Anonymizer(replace(visit, fields=fields), visit_policy, keys)
    assert str(refused.value) == (
        "visit.yaml: note: pattern: look-around, including look-ahead and look-behind, is not supported."
    )
