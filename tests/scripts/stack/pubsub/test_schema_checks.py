"""Avro's JSON encoding, and Protocol Buffer definitions, by themselves."""

import json

import pytest

from scripts.stack.pubsub.avro import AvroError, AvroSchema
from scripts.stack.pubsub.protocol_buffer import ProtocolBufferError, ProtocolBufferSchema, compile_definition

POINT = {"type": "record", "name": "geo.Point", "fields": [{"name": "lat", "type": "double"}]}
EVERYTHING = {
    "type": "record",
    "name": "Everything",
    "fields": [
        {"name": "flag", "type": "boolean"},
        {"name": "small", "type": "int"},
        {"name": "large", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "raw", "type": "bytes"},
        {"name": "four", "type": {"type": "fixed", "name": "Four", "size": 4}},
        {"name": "suit", "type": {"type": "enum", "name": "Suit", "symbols": ["HEARTS", "SPADES"]}},
        {"name": "list", "type": {"type": "array", "items": "string"}},
        {"name": "map", "type": {"type": "map", "values": "float"}},
        {"name": "here", "type": ["null", POINT]},
        {"name": "there", "type": ["null", "geo.Point", "string"]},
        {"name": "none", "type": "null"},
    ],
}
GOOD = {
    "flag": True, "small": -1, "large": 2**40, "raw": "\x00\xff", "four": "abcd", "suit": "SPADES", "list": ["a"],
    "map": {"x": 1.5}, "here": {"geo.Point": {"lat": 1}}, "there": {"string": "x"}, "none": None,
}  # fmt: skip


def check(value, schema=EVERYTHING):
    AvroSchema(json.dumps(schema)).check_json(json.dumps(value).encode())


def test_a_value_of_every_type_fits():
    check(GOOD)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("flag", 1, "$.flag: no boolean"),
        ("small", 2**31, "$.small: no int"),
        ("small", True, "$.small: no int"),
        ("small", 1.0, "$.small: no int"),
        ("large", "1", "$.large: no long"),
        ("raw", "\u0100", "$.raw: no bytes"),
        ("four", "abc", "$.four: no fixed"),
        ("suit", "CLUBS", "$.suit: none of the symbols"),
        ("list", ["a", 1], "$.list[]: no string"),
        ("list", {}, "$.list: no array"),
        ("map", {"x": "1"}, "$.map{}: no float"),
        ("map", [], "$.map: no object"),
        ("here", {"geo.Point": {}}, "$.here.lat: missing"),
        ("here", {"lat": 1}, '$.here: a union\'s value is {"type": value}'),
        ("there", {"geo.Point": {"lat": "1"}}, "$.there.lat: no double"),
        ("none", 0, "$.none: no null"),
    ],
)
def test_a_value_that_does_not_fit_is_named_by_its_path(field, value, message):
    with pytest.raises(AvroError) as caught:
        check({**GOOD, field: value})
    assert str(caught.value) == message


def test_null_needs_its_branch():
    with pytest.raises(AvroError, match=r"\$: null is not allowed"):
        check(None, ["string", "int"])


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_refused(data):
    with pytest.raises(AvroError, match="not JSON"):
        AvroSchema('"string"').check_json(data)


def test_an_error_never_holds_the_value():
    with pytest.raises(AvroError) as caught:
        check({**GOOD, "small": "user_secret"})
    assert "user_secret" not in str(caught.value)


def test_protoc_says_where_a_definition_is_wrong():
    with pytest.raises(ProtocolBufferError, match=r"^schema.proto:1:20: "):
        compile_definition('syntax = "proto3"; mesage Event {}')


def test_googles_own_types_can_be_imported():
    definition = (
        'syntax = "proto3"; package app; import "google/protobuf/timestamp.proto";'
        "message Event { google.protobuf.Timestamp at = 1; }"
    )
    schema = ProtocolBufferSchema(compile_definition(definition))
    schema.check_json(b'{"at": "2026-01-01T00:00:00Z"}')
    with pytest.raises(ProtocolBufferError, match="not the schema's JSON encoding"):
        schema.check_json(b'{"at": "tomorrow"}')


@pytest.mark.parametrize("data", [b"", b"\xff"])
def test_a_required_field_has_to_be_there(data):
    schema = ProtocolBufferSchema(compile_definition('syntax = "proto2"; message Event { required string id = 1; }'))
    with pytest.raises(ProtocolBufferError):
        schema.check_binary(data)


def test_a_compiled_schema_names_its_root():
    compiled = compile_definition('syntax = "proto3"; package app; message One {} message Two { int32 n = 1; }')
    ProtocolBufferSchema(compiled, "app.Two").check_json(b'{"n": 1}')
    for root in ("", "app.Three"):
        with pytest.raises(ProtocolBufferError):
            ProtocolBufferSchema(compiled, root)


def test_bytes_that_are_no_descriptors_are_refused():
    with pytest.raises(ProtocolBufferError, match="the descriptors do not hold a message type"):
        ProtocolBufferSchema(b"\xff\xff")
