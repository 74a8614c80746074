"""PySpark, local[1], warm: from_json with a declared schema, HMAC in SQL, both rows into the noop sink."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from pyspark.sql import SparkSession

from scripts.bench.peers.programs.pads import EMAIL_PATTERN, INNER, OUTER, PHONE_PATTERN
from scripts.bench.peers.programs.timing import answer, arguments, differing

SHAPE = (
    "event_id STRING, event_type STRING, timestamp STRING, user_id STRING, session_id STRING, ip STRING, email STRING, "
    "device STRUCT<type: STRING, os_version: STRING, app_version: STRING, device_model: STRING>, "
    "location STRUCT<latitude: DOUBLE, longitude: DOUBLE, accuracy: DOUBLE>, "
    "properties STRUCT<page: STRING, note: STRING, referrer: STRING, amount: DOUBLE>"
)


def token(value: str) -> str:
    inner, outer = INNER.hex(), OUTER.hex()
    return f"left(sha2(concat(X'{outer}', unhex(sha2(concat(X'{inner}', encode({value}, 'utf-8')), 256))), 256), 32)"


def escaped(pattern: str) -> str:
    return pattern.replace("\\", "\\\\")


NOTE = (
    f"regexp_replace(regexp_replace(e.properties.note, '{escaped(EMAIL_PATTERN)}', '<EMAIL>'), "
    f"'{escaped(PHONE_PATTERN)}', '<PHONE>')"
)
ROW = f"""named_struct('event_id', {token("e.event_id")}, 'event_type', e.event_type, 'timestamp', e.timestamp,
    'user_id', {token("e.user_id")}, 'session_id', {token("e.session_id")},
    'device', named_struct('type', e.device.type,
        'os_version', substring_index(e.device.os_version, '.', 1), 'app_version', e.device.app_version),
    'location', named_struct('latitude', round(e.location.latitude, 2), 'longitude', round(e.location.longitude, 2)),
    'ip', concat(substring_index(e.ip, '.', 3), '.0'), 'email', {token("e.email")},
    'properties', named_struct('page', e.properties.page, 'note', {NOTE}, 'amount', e.properties.amount))"""
VALID = (
    "e.event_type IN ('page_view', 'click', 'purchase', 'search', 'login') AND e.user_id IS NOT NULL "
    "AND e.location.latitude BETWEEN -90 AND 90"
)


def main() -> None:
    _, events, _ = arguments()
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    with TemporaryDirectory() as directory:
        part = Path(directory) / "events.ndjson"
        part.write_bytes(b"\n".join(events) + b"\n")
        spark = (
            SparkSession.builder.master("local[1]")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.extraJavaOptions", "-XX:+UseSerialGC -XX:ActiveProcessorCount=1")
            .getOrCreate()
        )
        spark.sparkContext.setLogLevel("OFF")
        rows = spark.read.text(str(part)).selectExpr("value AS raw", f"from_json(value, '{SHAPE}') AS e")
        rows = rows.selectExpr("raw", f"{ROW} AS row", f"{VALID} AS valid")

        def run() -> None:
            rows.write.format("noop").mode("overwrite").save()

        for _ in range(4):  # until the JIT compiler has settled
            run()
        sample = [row.row.asDict(recursive=True) for row in rows.limit(500).collect()]
        answer(len(events), run, differing(events, sample))
        spark.stop()


main()
