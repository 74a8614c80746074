"""pyarrow.json, batch by batch: each distinct value of a column is hashed once."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as reader

from scripts.bench.loops import EMAIL, PHONE, TYPES, token
from scripts.bench.peers.programs.timing import answer, arguments, cut, differing

TEXT, NUMBER = pa.string(), pa.float64()
SCHEMA = pa.schema(
    [
        *((name, TEXT) for name in ("event_id", "event_type", "timestamp", "user_id", "session_id", "ip", "email")),
        ("device", pa.struct([(name, TEXT) for name in ("type", "os_version", "app_version", "device_model")])),
        ("location", pa.struct([(name, NUMBER) for name in ("latitude", "longitude", "accuracy")])),
        ("properties", pa.struct([("page", TEXT), ("note", TEXT), ("referrer", TEXT), ("amount", NUMBER)])),
    ]
)
KINDS = pa.array(sorted(TYPES))


def tokens(column: pa.ChunkedArray) -> pa.Array:
    coded = column.combine_chunks().dictionary_encode()
    words = pa.array([None if value is None else token(value) for value in coded.dictionary.to_pylist()], TEXT)
    return words.take(coded.indices)


def work(part: bytes) -> tuple[pa.Table, pa.Table]:
    options = reader.ParseOptions(explicit_schema=SCHEMA)
    read = reader.ReadOptions(use_threads=False, block_size=1 << 26)
    raw = reader.read_json(pa.BufferReader(part), read, options)

    def of(parent: str, name: str) -> pa.ChunkedArray:
        return pc.struct_field(raw[parent], name)

    note = pc.replace_substring_regex(of("properties", "note"), EMAIL.pattern, "<EMAIL>")
    latitude = of("location", "latitude")
    in_range = pc.and_(pc.greater_equal(latitude, -90), pc.less_equal(latitude, 90))
    columns = {
        **{name: tokens(raw[name]) for name in ("event_id", "user_id", "session_id", "email")},
        "event_type": raw["event_type"],
        "timestamp": raw["timestamp"],
        "ip": pc.replace_substring_regex(raw["ip"], "[0-9]+$", "0"),
        "device.type": of("device", "type"),
        "device.os_version": pc.replace_substring_regex(of("device", "os_version"), r"\..*", ""),
        "device.app_version": of("device", "app_version"),
        "location.latitude": pc.round(latitude, 2),
        "location.longitude": pc.round(of("location", "longitude"), 2),
        "properties.page": of("properties", "page"),
        "properties.note": pc.replace_substring_regex(note, PHONE.pattern, "<PHONE>"),
        "properties.amount": of("properties", "amount"),
        "valid": pc.and_(pc.is_in(raw["event_type"], KINDS), in_range),
    }
    return raw, pa.table(columns)


def main() -> None:
    _, events, batch = arguments()
    pa.set_cpu_count(1)
    parts = [b"\n".join(part) + b"\n" for part in cut(events, batch)]

    def run() -> list[tuple[pa.Table, pa.Table]]:
        return [work(part) for part in parts]

    answer(len(events), run, differing(events, run()[0][1].drop_columns(["valid"]).slice(0, 500).to_pylist()))


main()
