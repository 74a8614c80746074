"""Publish requests put together as bytes are what Google's own classes read."""

from typing import Any

import polars as pl
import pyarrow as pa
from google.pubsub_v1 import types
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow import warm
from dataflow.outputs import wire
from dataflow.outputs.json_rows import json_rows
from dataflow.outputs.wire import requests

TOPIC = "projects/p-1234/topics/t-anonymized"


def read(made: list[bytes]) -> list[list[tuple[bytes, dict[str, str]]]]:
    found = [types.PublishRequest.pb().FromString(request) for request in made]
    assert {request.topic for request in found} <= {TOPIC}
    return [[(message.data, dict(message.attributes)) for message in request.messages] for request in found]


def make(data: list[bytes], attributes: dict[str, str], messages: int = 1_000, size: int = 9_000_000) -> list[bytes]:
    return list(requests(TOPIC, pa.array(data, pa.large_binary()), attributes, messages=messages, size=size))


@settings(deadline=None)  # the first call compiles
@given(
    st.lists(st.binary(min_size=1, max_size=300), max_size=30),
    st.dictionaries(st.text(min_size=1, max_size=20).filter(lambda name: name != "row"), st.text(max_size=200)),
    st.integers(1, 40),
    st.integers(1, 3_000),
)
def test_each_message_comes_once_in_order_with_its_attributes(
    data: list[bytes], attributes: dict[str, str], messages: int, size: int
) -> None:
    found = read(make(data, attributes, messages, size))
    assert [message for part in found for message in part] == [
        (each, {**attributes, "row": str(row)}) for row, each in enumerate(data)
    ]
    assert all(0 < len(part) <= messages for part in found)


def test_a_request_holds_as_many_as_fit() -> None:
    one = len(make([b"x" * 100], {})[0]) - 2 - len(TOPIC)
    assert [len(part) for part in read(make([b"x" * 100] * 7, {}, size=3 * one))] == [3, 3, 1]
    assert [len(part) for part in read(make([b"x" * 100] * 7, {}, size=3 * one - 1))] == [2, 2, 2, 1]


def test_rows_beyond_any_prepared_number_are_named_too() -> None:
    count = 20_000
    found = read(make([b"x"] * count, {"a": "b"}))
    assert [attributes["row"] for part in found for _, attributes in part] == [str(row) for row in range(count)]
    assert [len(part) for part in found] == [1_000] * 20


def test_a_message_of_megabytes_goes_by_itself() -> None:
    assert [len(part) for part in read(make([b"x", b"y" * 5_000_000, b"z"], {}, size=1_000))] == [1, 1, 1]


def test_what_is_compiled_ahead_is_what_rows_need() -> None:
    loop: Any = wire._write
    warm.main()
    list(requests(TOPIC, json_rows(pl.DataFrame({"a": ["b", None]})), {}, messages=10, size=100))
    make([b"", b""], {})
    assert len(loop.signatures) == 1
