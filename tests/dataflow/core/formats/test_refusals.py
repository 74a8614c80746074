"""What cannot be unpacked, or not to the end: each message has its reason, and the others go on."""

import datetime
import decimal
import gzip
import json
import struct
import uuid
from dataclasses import replace

import pytest
import zstandard

from dataflow.contract import Contract, Format
from dataflow.core import Definition, SchemasAwayError
from dataflow.core.formats.avro import AvroReader
from dataflow.errors import NorenError
from dataflow.keys import KeyRing
from dataflow.policy import Policy
from dataflow.schemas import pubsub
from tests.dataflow.cases import MIB, event
from tests.dataflow.core.formats.carriers import (
    NUMBER,
    REVISION,
    SCHEMA,
    Core,
    Known,
    avro,
    avro_schema,
    core,
    descriptors,
    encoded,
    framed,
    known,
    log_entry,
    protobuf,
    stamped,
)


class Make:
    """Cores of the app_event contract in any format."""

    def __init__(self, contract: Contract, policy: Policy, keys: KeyRing) -> None:
        self.contract, self.policy, self.keys = contract, policy, keys

    def __call__(self, format: Format, schemas: object = None) -> Core:
        if schemas is None:
            return core(self.contract, format, self.policy, self.keys)
        return Core(replace(self.contract, format=format), self.policy, self.keys, schemas)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def make(app_event: Contract, policy: Policy, keys: KeyRing) -> Make:
    return Make(app_event, policy, keys)


@pytest.fixture(scope="module")
def good_avro(app_event: Contract) -> bytes:
    return avro(event(1), avro_schema(app_event.fields))


COMPRESSED = {
    "gzip, cut off": gzip.compress(encoded(event(1)))[:-20],
    "gzip, broken": gzip.compress(encoded(event(1)))[:30] + b"xxxx" + gzip.compress(encoded(event(1)))[34:],
    "gzip, something behind": gzip.compress(encoded(event(1))) + b"x",
    "zstd, cut off": zstandard.compress(encoded(event(1)))[:-5],
    "zstd, something behind": zstandard.compress(encoded(event(1))) + b"xyz",
    "gzip, 400,000 empty members": gzip.compress(b"") * 400_000,
    "zstd, 800,000 empty frames": zstandard.compress(b"") * 800_000,
    "zstd, no frame": b"\x28\xb5\x2f\xfd\xff\xff",
}


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("format", [Format.JSON, Format.NDJSON, Format.LOG_ENTRY])
def test_broken_compression_is_one_dead_event(make: Make, format: Format, name: str) -> None:
    assert make(format).refusals(COMPRESSED[name]) == [("malformed_compression", "$")]


@pytest.mark.parametrize("format", [Format.JSON, Format.NDJSON, Format.LOG_ENTRY])
@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_bomb_is_refused_before_it_is_unpacked(make: Make, format: Format, compress: object) -> None:
    bomb = compress(b" " * (64 * MIB))  # type: ignore[operator]
    assert len(bomb) < 100_000
    assert make(format).refusals(bomb) == [("too_large", "$")]


def test_a_bomb_for_a_binary_format_is_refused_without_the_attribute_too(make: Make) -> None:
    bomb = zstandard.compress(b"\0" * (64 * MIB))
    assert make(Format.AVRO).refusals(bomb, attributes=stamped()) == [("too_large", "$")]


def test_a_broken_line_is_one_reject_with_its_own_bytes_and_the_others_go_on(make: Make) -> None:
    lines = [encoded(event(1)), b'{"event_id": ', encoded(event(2, user_id=5)), encoded(event(3))]
    unpacked, outcome = make(Format.NDJSON).run(b"\n".join(lines), encoded(event(4)))
    assert [unpacked.origin(index) for index in outcome.index] == [(0, 0), (0, 3), (1, 0)]
    found = {
        unpacked.origin(reject.index): (reject.reason.value, reject.field, unpacked.payloads[reject.index])
        for reject in outcome.rejects
    }
    assert found == {(0, 1): ("malformed_json", "$", lines[1]), (0, 2): ("wrong_type", "user_id", lines[2])}


@pytest.mark.parametrize(
    "data", [b"", b"\n\r\n \n", gzip.compress(b"")], ids=["nothing", "empty lines", "gzip of nothing"]
)
def test_a_message_without_events_is_one_dead_event(make: Make, data: bytes) -> None:
    assert make(Format.NDJSON).refusals(data) == [("empty_message", "$")]


def test_a_message_of_too_many_lines_is_one_dead_event(make: Make) -> None:
    assert make(Format.NDJSON).refusals(b"1\n" * 100_001) == [("too_large", "$")]


def test_a_line_that_is_too_long_is_refused_alone(make: Make) -> None:
    long = encoded(event(1, properties={"page_name": "p" * MIB}))
    core = make(Format.NDJSON)
    _, outcome = core.run(encoded(event(2)) + b"\n" + long)
    assert (list(outcome.index), [reject.reason.value for reject in outcome.rejects]) == ([0], ["too_large"])


@pytest.mark.parametrize("format", [Format.AVRO, Format.PROTOBUF])
@pytest.mark.parametrize(
    ("data", "attributes", "reason"),
    [
        (b"", {}, "empty_message"),
        (b"\x02abc", {}, "unknown_schema"),
        (framed(b"\0", 99), {}, "unknown_schema"),
        (b"\0", stamped(revision="00000000"), "unknown_schema"),
        (b"x" * (MIB + 1), stamped(), "too_large"),
    ],
)
def test_messages_whose_schema_is_not_found(
    make: Make, format: Format, data: bytes, attributes: dict[str, str], reason: str
) -> None:
    assert make(format).refusals(data, attributes=attributes) == [(reason, "$")]


def test_broken_avro(make: Make, good_avro: bytes) -> None:
    core = make(Format.AVRO)
    for broken in (b"", good_avro[:-3], good_avro + b"\0", b"\xff" * 40, struct.pack("<q", 2**62)):
        assert core.refusals(broken, attributes=stamped()) == [("malformed_avro", "$")]


def test_avro_text_that_is_no_utf8(make: Make, good_avro: bytes) -> None:
    broken = good_avro.replace(b"user_0", b"user_\xff")
    assert make(Format.AVRO).refusals(broken, attributes=stamped()) == [("invalid_utf8", "$")]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_is_refused_by_its_field(make: Make, app_event: Contract, number: float) -> None:
    wrong = event(1, location={"latitude": 1.0, "longitude": 2.0, "accuracy": number})
    data = avro(wrong, avro_schema(app_event.fields))
    assert make(Format.AVRO).refusals(data, attributes=stamped()) == [("wrong_type", "location.accuracy")]
    name = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(number)]
    text = wrong | {"location": {"latitude": 1.0, "longitude": 2.0, "accuracy": name}}
    data = protobuf(text, descriptors(pubsub.events(app_event)))
    assert make(Format.PROTOBUF).refusals(data, attributes=stamped()) == [("wrong_type", "location.accuracy")]


def test_a_missing_field_of_a_binary_message(make: Make, app_event: Contract) -> None:
    data = protobuf(event(1, session_id=None), descriptors(pubsub.events(app_event)))
    assert make(Format.PROTOBUF).refusals(data, attributes=stamped()) == [("missing_field", "session_id")]
    schema = avro_schema(tuple(item for item in app_event.fields if item.name != "session_id"))
    schemas = Known({(SCHEMA, REVISION): Definition(Format.AVRO, json.dumps(schema))})
    found = make(Format.AVRO, schemas).refusals(avro(event(1), schema), attributes=stamped())
    assert found == [("missing_field", "session_id")]


def test_broken_protobuf(make: Make) -> None:
    core = make(Format.PROTOBUF)
    assert core.refusals(b"\xff" * 9, attributes=stamped()) == [("malformed_protobuf", "$")]
    assert core.refusals(framed(b"\x02")) == [("malformed_protobuf", "$")]
    assert core.refusals(framed(b"\x02\x09abc")) == [("unknown_schema", "$")]  # the sixth message type
    assert core.refusals(b"{}", attributes=stamped("JSON")) == [("missing_field", "event_id")]
    assert core.refusals(b"{", attributes=stamped("JSON")) == [("malformed_protobuf", "$")]


RECURSIVE = {
    "type": "record",
    "name": "Node",
    "fields": [{"name": "next", "type": ["null", "Node"]}],
}


@pytest.mark.parametrize(
    "schema",
    [
        RECURSIVE,
        {"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "array", "items": "null"}}]},
        {"type": "strange"},
    ],
)
def test_a_schema_that_no_event_is_written_with_is_not_read(make: Make, schema: object) -> None:
    schemas = Known({(SCHEMA, REVISION): Definition(Format.AVRO, json.dumps(schema))})
    assert make(Format.AVRO, schemas).refusals(b"\2" * 100_000, attributes=stamped()) == [("unknown_schema", "$")]


def test_a_schema_of_the_other_kind_is_refused(make: Make, app_event: Contract) -> None:
    core = make(Format.AVRO, known(app_event, Format.PROTOBUF))
    assert core.refusals(b"\0", attributes=stamped()) == [("unknown_schema", "$")]


@pytest.mark.parametrize(
    ("data", "reason", "field"),
    [
        (b"", "empty_message", "$"),
        (b'{"insertId"', "malformed_json", "$"),
        (b'{"jsonPayload": 5}', "wrong_type", "jsonPayload"),
        (b'{"jsonPayload": {"user_id": "\xff"}}', "invalid_utf8", "user_id"),
        (b'{"protoPayload": {}}', "missing_field", "event_id"),
        (log_entry(event(1, user_id=5)), "wrong_type", "user_id"),
    ],
)
def test_broken_log_entries(make: Make, data: bytes, reason: str, field: str) -> None:
    assert make(Format.LOG_ENTRY).refusals(data) == [(reason, field)]


def test_a_field_that_a_revision_added_is_read_by_both_revisions(make: Make, app_event: Contract) -> None:
    """The writer that has not got device_model yet, and the one that has."""
    old_fields = tuple(
        replace(item, children=tuple(child for child in item.children if child.name != "device_model"))
        for item in app_event.fields
    )
    old, new = avro_schema(old_fields), avro_schema(app_event.fields)
    schemas = Known(
        {
            (SCHEMA, "00000001"): Definition(Format.AVRO, json.dumps(old)),
            (SCHEMA, "00000002"): Definition(Format.AVRO, json.dumps(new)),
        }
    )
    core = make(Format.AVRO, schemas)
    first = core.anonymizer.unpack(
        [avro(event(1), old), avro(event(2), new), avro(event(3), old)],
        [stamped(revision=f"0000000{number}") for number in (1, 2, 1)],
        [1_768_471_200_000_000] * 3,
    )
    outcome = core.anonymizer.process(first.batch)
    assert outcome.rejects == []
    assert [row["device_model"] for row in outcome.raw["device"]] == [None, "iPhone 15", None]
    assert schemas.asked == 2


def test_a_field_that_a_revision_added_and_the_contract_does_not_declare_is_counted(
    make: Make, app_event: Contract
) -> None:
    schema = avro_schema(app_event.fields)
    schema["fields"].append({"name": "network", "type": "string"})
    schemas = Known({(SCHEMA, REVISION): Definition(Format.AVRO, json.dumps(schema))})
    data = avro(event(1) | {"network": "5g"}, schema)
    _, outcome = make(Format.AVRO, schemas).run(data, attributes=stamped())
    assert (outcome.rejects, outcome.unknown) == ([], [(0, "network", "string")])


class Away(Known):
    """A schema service that cannot be asked."""

    def revision(self, *_: str) -> Definition | None:
        raise SchemasAwayError("away")


def test_a_service_that_is_away_makes_no_dead_letter(make: Make) -> None:
    with pytest.raises(SchemasAwayError):
        make(Format.AVRO, Away()).run(b"\0", attributes=stamped())


def test_an_unknown_schema_is_asked_for_once_a_batch(make: Make) -> None:
    schemas = Known()
    core = make(Format.AVRO, schemas)
    assert len(core.refusals(*[framed(b"", NUMBER)] * 5)) == 5
    assert schemas.asked == 1


def test_without_a_place_to_find_schemas_it_says_so(app_event: Contract, policy: Policy, keys: KeyRing) -> None:
    core = Core(replace(app_event, format=Format.AVRO), policy, keys)
    with pytest.raises(NorenError, match="app_event: its messages are avro; give the pipeline a place to find schemas"):
        core.run(b"\0", attributes=stamped())


def test_avro_values_become_what_json_would_hold() -> None:
    fields = [
        ("moment", {"type": "long", "logicalType": "timestamp-micros"}),
        ("millis", {"type": "long", "logicalType": "timestamp-millis"}),
        ("day", {"type": "int", "logicalType": "date"}),
        ("id", {"type": "string", "logicalType": "uuid"}),
        ("price", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}),
        ("raw", "bytes"),
        ("kind", {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}),
        ("tags", {"type": "map", "values": "int"}),
    ]
    schema = {"type": "record", "name": "R", "fields": [{"name": name, "type": kind} for name, kind in fields]}
    moment = datetime.datetime(2026, 1, 15, 9, 30, 12, 345678, datetime.UTC)
    value = {
        "moment": moment,
        "millis": moment,
        "day": datetime.date(2026, 1, 15),
        "id": uuid.UUID(int=7),
        "price": decimal.Decimal("12.50"),
        "raw": b"\xff\x00",
        "kind": "B",
        "tags": {"a": 1},
    }
    assert json.loads(AvroReader(json.dumps(schema)).binary(avro(value, schema))) == {
        "moment": "2026-01-15T09:30:12.345678Z",
        "millis": "2026-01-15T09:30:12.345000Z",
        "day": "2026-01-15",
        "id": "00000000-0000-0000-0000-000000000007",
        "price": 12.5,
        "raw": "/wA=",
        "kind": "B",
        "tags": {"a": 1},
    }
