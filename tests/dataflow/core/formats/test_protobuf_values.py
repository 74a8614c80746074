import json

import pytest

from dataflow.core.formats.avro import UnusableSchemaError
from dataflow.core.formats.protobuf import ProtobufReader
from tests.dataflow.core.formats.carriers import descriptors, protobuf

DEFINITION = """
syntax = "proto3";
import "google/protobuf/timestamp.proto";
import "google/protobuf/struct.proto";
message Event {
  enum Kind { UNKNOWN = 0; CLICK = 1; }
  message Place { optional double latitude = 1; repeated Place near = 2; }
  int64 big = 1;
  optional int64 maybe = 2;
  bytes raw = 3;
  Kind kind = 4;
  repeated string tags = 5;
  map<int32, Place> places = 6;
  google.protobuf.Timestamp at = 7;
  google.protobuf.Struct free = 8;
  float ratio = 9;
  Place place = 10;
  map<bool, string> flags = 11;
}
"""


def read(value: dict[str, object]) -> dict[str, object]:
    compiled = descriptors(DEFINITION)
    return json.loads(ProtobufReader(compiled).binary(protobuf(value, compiled)))


def test_values_become_what_json_would_hold() -> None:
    assert read(
        {
            "big": str(2**62),
            "maybe": 0,
            "raw": "/wA=",
            "kind": "CLICK",
            "tags": ["a", "b"],
            "places": {"5": {"latitude": 1.5, "near": [{}]}},
            "at": "2026-01-15T09:30:12.345678Z",
            "free": {"a": [1, "b", None]},
            "ratio": 0.5,
            "flags": {"true": "x"},
        }
    ) == {
        "big": 2**62,
        "maybe": 0,
        "raw": "/wA=",
        "kind": "CLICK",
        "tags": ["a", "b"],
        "places": {"5": {"latitude": 1.5, "near": [{"near": []}]}},
        "at": "2026-01-15T09:30:12.345678Z",
        "free": {"a": [1, "b", None]},
        "ratio": 0.5,
        "flags": {"true": "x"},
    }


def test_only_what_has_presence_may_be_absent() -> None:
    assert read({}) == {
        "big": 0, "raw": "", "kind": "UNKNOWN", "tags": [], "places": {}, "ratio": 0.0, "flags": {},
    }  # fmt: skip


def test_descriptors_without_a_message_are_refused() -> None:
    with pytest.raises(UnusableSchemaError):
        ProtobufReader(b"")
    with pytest.raises(UnusableSchemaError):
        ProtobufReader(descriptors('syntax = "proto3"; enum Kind { A = 0; }'))
