"""polars: the NDJSON reader and polars_hash, one thread, batch by batch."""

import os

os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is imported

import polars as pl
import polars_hash  # noqa: F401 - registers chash

from scripts.bench.loops import EMAIL, KEY, PHONE, TYPES
from scripts.bench.peers.programs.timing import answer, arguments, cut, differing

TEXT, NUMBER = pl.String(), pl.Float64()
SCHEMA = {
    **dict.fromkeys(("event_id", "event_type", "timestamp", "user_id", "session_id", "ip", "email"), TEXT),
    "device": pl.Struct({"type": TEXT, "os_version": TEXT, "app_version": TEXT, "device_model": TEXT}),
    "location": pl.Struct({"latitude": NUMBER, "longitude": NUMBER, "accuracy": NUMBER}),
    "properties": pl.Struct({"page": TEXT, "note": TEXT, "referrer": TEXT, "amount": NUMBER}),
}


def token(name: str) -> pl.Expr:
    return pl.col(name).chash.hmac_sha256(key=KEY.decode("latin-1")).str.head(32).alias(name)


def main() -> None:
    _, events, batch = arguments()
    parts = [b"\n".join(part) + b"\n" for part in cut(events, batch)]
    device, place, properties = pl.col("device").struct, pl.col("location").struct, pl.col("properties").struct
    note = properties.field("note").str.replace_all(EMAIL.pattern, "<EMAIL>").str.replace_all(PHONE.pattern, "<PHONE>")
    expressions = [
        *(token(name) for name in ("event_id", "user_id", "session_id", "email")),
        pl.col("event_type"),
        pl.col("timestamp"),
        pl.col("ip").str.replace("[0-9]+$", "0"),
        pl.struct(
            device.field("type"),
            device.field("os_version").str.split_exact(".", 1).struct.field("field_0").alias("os_version"),
            device.field("app_version"),
        ).alias("device"),
        pl.struct(place.field("latitude").round(2), place.field("longitude").round(2)).alias("location"),
        pl.struct(properties.field("page"), note.alias("note"), properties.field("amount")).alias("properties"),
        (
            pl.col("event_type").is_in(sorted(TYPES))
            & place.field("latitude").is_between(-90, 90)
            & pl.col("user_id").is_not_null()
        ).alias("valid"),
    ]

    def run() -> list[pl.DataFrame]:
        out = []
        for part in parts:
            raw = pl.read_ndjson(part, schema=SCHEMA)
            anonymized = raw.select(expressions)
            raw.to_arrow(), anonymized.to_arrow()
            out.append(anonymized)
        return out

    answer(len(events), run, differing(events, run()[0].head(500).drop("valid").to_dicts()))


main()
