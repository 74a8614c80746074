"""App events that every driver is tested with, and what must become of each of them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dataflow.core import Reason

RECEIVED = 1_768_471_200_000_000
"""2026-01-15 10:00 UTC in microseconds: when the broker accepted the messages of a test that does not say otherwise."""

MIB = 1 << 20


def event(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A good app event, another one for each number. A change to None leaves the field out."""
    whole = {
        "event_id": f"3f2504e0-4f89-41d3-9a0c-{number:012x}",
        "event_type": "page_view",
        "timestamp": "2026-01-15T09:30:12.345678Z",
        "user_id": f"user_{number % 7:06d}",
        "session_id": f"session_{number % 7:06d}",
        "device": {"type": "ios", "os_version": "17.4.1", "app_version": "3.2.1", "device_model": "iPhone 15"},
        "location": {"latitude": 35.681236, "longitude": 139.767125, "accuracy": 10.5},
        "properties": {"page_name": "home", "button_id": "share_location"},
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def encoded(number: int = 1, **changes: Any) -> bytes:
    return json.dumps(event(number, **changes)).encode()


@dataclass(frozen=True)
class Case:
    """One message. reason, field: of its dead letter, None where it is accepted.

    unknown: (path, JSON type) of its undeclared fields.
    """

    name: str
    payload: bytes
    reason: Reason | None = None
    field: str | None = None
    unknown: tuple[tuple[str, str], ...] = ()


CASES = (
    Case("good", encoded(1)),
    Case("malformed JSON", encoded(2)[:-20], Reason.MALFORMED_JSON, "$"),
    Case("no JSON at all", b"hello", Reason.MALFORMED_JSON, "$"),
    Case("wrong type", encoded(3, user_id=12345), Reason.WRONG_TYPE, "user_id"),
    Case("missing field", encoded(4, session_id=None), Reason.MISSING_FIELD, "session_id"),
    Case("missing nested field", encoded(5, device={"type": "ios"}), Reason.MISSING_FIELD, "device.os_version"),
    Case("invalid UTF-8", encoded(6).replace(b"user_0", b"user_\xff"), Reason.INVALID_UTF8, "user_id"),
    Case("oversize", encoded(7, properties={"page_name": "p" * MIB}), Reason.TOO_LARGE, "$"),
    Case("10 MB", b'{"a":"' + b"x" * 9_990_000 + b'"}', Reason.TOO_LARGE, "$"),
    Case("empty", b"", Reason.EMPTY_MESSAGE, "$"),
    Case("future timestamp", encoded(8, timestamp="2099-01-01T00:00:00Z"), Reason.FUTURE_EVENT, "timestamp"),
    Case("unknown field", encoded(9, network="5g"), unknown=(("network", "string"),)),
    Case(
        "unknown nested field",
        encoded(10, device={"type": "ios", "os_version": "17", "app_version": "3", "rooted": False}),
        unknown=(("device.rooted", "boolean"),),
    ),
    Case("no optional objects", encoded(11, location=None, properties=None)),
    Case("another key epoch", encoded(12, timestamp="2020-06-01T12:00:00Z")),
    Case("good too", encoded(13)),
)
"""Every message once; identities differ. In order of publishing."""

ACCEPTED = tuple(case for case in CASES if case.reason is None)
DEAD = tuple(case for case in CASES if case.reason is not None)

DUPLICATES = (encoded(1), encoded(1, user_id="user_000099"), encoded(9))
"""Messages of their own with the identity of accepted ones: to be published after CASES."""

VALUES = ("user_00000", "session_00000", "3f2504e0-4f89-41d3-9a0c-", "35.681236", "139.767125", "12345", "hello", "5g")
"""Texts of which none may stand in a reject, a log, or behind the curtain."""


def payloads(cases: Iterable[Case] = CASES) -> list[bytes]:
    return [case.payload for case in cases]
