"""A PullResponse read by the compiled loop is what Google's classes read."""

import random
from typing import Any

import polars as pl
import pytest
from google.protobuf.message import DecodeError
from google.pubsub_v1.types import AcknowledgeRequest, PullResponse
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.sources import wire
from dataflow.sources.message import Message
from dataflow.sources.wire import read, repeated

TEXT = st.text(max_size=20)
RECEIVED = st.fixed_dictionaries(
    {
        "data": st.binary(max_size=300),
        "attributes": st.dictionaries(TEXT, TEXT, max_size=3),
        "message_id": st.from_regex("[0-9]{0,20}", fullmatch=True) | TEXT,
        "ordering_key": TEXT,
        "ack_id": st.from_regex("[!-~]{0,200}", fullmatch=True) | TEXT,
        "seconds": st.integers(0, 4_000_000_000) | st.integers(-5, 5),
        "nanos": st.integers(0, 999_999_999),
        "attempt": st.integers(0, 2**31 - 1),
    }
)


def response(received: list[dict[str, Any]]) -> bytes:
    made = PullResponse.pb()()
    for one in received:
        each = made.received_messages.add(ack_id=one["ack_id"], delivery_attempt=one["attempt"])
        each.message.data = one["data"]
        each.message.attributes.update(one["attributes"])
        each.message.message_id, each.message.ordering_key = one["message_id"], one["ordering_key"]
        each.message.publish_time.seconds, each.message.publish_time.nanos = one["seconds"], one["nanos"]
    return bytes(made.SerializeToString())


def by_classes(data: bytes, store: str) -> list[Message]:
    return [
        Message(
            each.message.data,
            dict(each.message.attributes),
            each.message.message_id,
            f"{store}/{each.message.message_id}",
            each.message.publish_time.seconds * 1_000_000 + each.message.publish_time.nanos // 1_000,
            each.ack_id,
        )
        for each in PullResponse.pb().FromString(data).received_messages
    ]


def plain(messages: Any) -> list[tuple[Any, ...]]:
    return [
        (each.data, dict(each.attributes), each.message_id, each.position, each.received, each.ack_id)
        for each in messages
    ]


@settings(deadline=None, max_examples=300)
@given(st.lists(RECEIVED, max_size=8))
def test_it_is_what_google_s_classes_read(received: list[dict[str, Any]]) -> None:
    data = response(received)
    assert plain(read(data, "store")) == plain(by_classes(data, "store"))


def test_the_usual_answer_does_not_ask_google_s_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"data": b"{}", "attributes": {"a": "é"}, "message_id": "12", "ordering_key": "k", "ack_id": "p:1"}
    data = response([one | {"seconds": 1_700_000_000, "nanos": 5_000, "attempt": 3}] * 3)
    monkeypatch.setattr(wire, "_by_classes", None)
    assert plain(read(data, "s")) == [(b"{}", {"a": "é"}, "12", "s/12", 1_700_000_000_000_005, "p:1")] * 3


def test_fields_of_later_versions_are_read_over() -> None:
    later = b"\xf8\x07\x05" + b"\xfa\x07\x03abc" + b"\xf9\x07" + b"8" * 8 + b"\xfd\x07" + b"4444"
    inner = PullResponse.pb()()
    inner.received_messages.add(ack_id="a").message.data = b"x"
    message = later + inner.received_messages[0].message.SerializeToString() + later
    received = b"\x0a\x01a" + later + b"\x12" + bytes([len(message)]) + message
    data = later + b"\x0a" + len(received).to_bytes(1) + received
    assert plain(read(data, "s")) == plain(by_classes(data, "s")) == [(b"x", {}, "", "s/", 0, "a")]


@pytest.mark.parametrize("data", [b"\x0a", b"\x0a\x05ab", b"\xff" * 12, b"\x0a\x02\x0a\x7f"])
def test_bytes_that_are_none_are_an_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        read(data, "s")


def test_the_error_of_a_broken_text_has_no_text_of_it_behind_it() -> None:
    one = {"data": b"x", "attributes": {"k": "secret-0412"}, "message_id": "1", "ordering_key": "", "ack_id": "a"}
    data = response([one | {"seconds": 1, "nanos": 0, "attempt": 0}]).replace(b"secret-0412", b"secret-\xff412")
    with pytest.raises(DecodeError) as caught:
        read(data, "s")
    assert caught.value.__context__ is None


def test_broken_bytes_end_in_messages_or_in_an_error() -> None:
    rng = random.Random(4)
    whole = response(
        [
            {"data": b"x" * 40, "attributes": {"k": "v"}, "message_id": str(n), "ordering_key": "", "ack_id": f"a{n}"}
            | {"seconds": 1_700_000_000, "nanos": 1_000, "attempt": 1}
            for n in range(4)
        ]
    )
    ends = {"read": 0, "refused": 0}
    for _ in range(3_000):
        data = bytearray(whole)
        data[rng.randrange(len(data))] = rng.randrange(256)
        broken = bytes(data[: rng.randint(1, len(data))] if rng.random() < 0.2 else data)
        try:
            expected = plain(by_classes(broken, "s"))
        except DecodeError:
            ends["refused"] += 1
            try:
                read(broken, "s")
            except DecodeError:
                continue
        else:
            ends["read"] += 1
            assert plain(read(broken, "s")) == expected
    assert min(ends.values()) > 50


@settings(deadline=None)
@given(st.lists(st.text(max_size=300), max_size=20))
def test_ack_ids_are_appended_as_google_s_classes_write_them(ids: list[str]) -> None:
    request = AcknowledgeRequest.pb()(subscription="projects/p/subscriptions/s")
    data = request.SerializeToString() + repeated(2, pl.Series("", ids, dtype=pl.String))
    request.ack_ids.extend(ids)
    assert data == request.SerializeToString()
