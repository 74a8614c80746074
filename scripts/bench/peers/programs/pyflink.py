"""PyFlink SQL, parallelism 1, warm: raw and anonymized rows into blackhole tables; tokens by nested keyed SHA-256."""

from pathlib import Path
from tempfile import TemporaryDirectory

from pyflink.table import EnvironmentSettings, TableEnvironment

from scripts.bench.loops import EMAIL, KEY, PHONE
from scripts.bench.peers.programs.timing import answer, arguments

SHAPE = (
    "event_id STRING, event_type STRING, `timestamp` STRING, user_id STRING, session_id STRING, ip STRING, "
    "email STRING, "
    "device ROW<type STRING, os_version STRING, app_version STRING, device_model STRING>, "
    "location ROW<latitude DOUBLE, longitude DOUBLE, accuracy DOUBLE>, "
    "properties ROW<page STRING, note STRING, referrer STRING, amount DOUBLE>"
)


def token(value: str) -> str:
    key = KEY.hex()
    return f"SUBSTRING(SHA256('{key}' || SHA256('{key}' || {value})), 1, 32)"


SELECT = f"""
SELECT {token("event_id")}, event_type, `timestamp`, {token("user_id")}, {token("session_id")},
    e.device.type, SPLIT_INDEX(e.device.os_version, '.', 0), e.device.app_version,
    ROUND(e.location.latitude, 2), ROUND(e.location.longitude, 2),
    REGEXP_REPLACE(ip, '[0-9]+$', '0'), {token("email")}, e.properties.page,
    REGEXP_REPLACE(REGEXP_REPLACE(e.properties.note, '{EMAIL.pattern}', '<EMAIL>'), '{PHONE.pattern}', '<PHONE>'),
    e.properties.amount
FROM events AS e
WHERE event_type IN ('page_view', 'click', 'purchase', 'search', 'login') AND e.location.latitude BETWEEN -90 AND 90
"""


def main() -> None:
    _, events, _ = arguments()
    with TemporaryDirectory() as directory:
        part = Path(directory) / "events.ndjson"
        part.write_bytes(b"\n".join(events) + b"\n")
        tables = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
        settings = tables.get_config()
        settings.set("parallelism.default", "1")
        settings.set("table.exec.resource.default-parallelism", "1")
        options = f"'connector' = 'filesystem', 'path' = '{part.as_uri()}', 'format' = 'json'"
        options += ", 'json.ignore-parse-errors' = 'true'"
        tables.execute_sql(f"CREATE TABLE events ({SHAPE}) WITH ({options})")
        tables.execute_sql(f"CREATE TABLE raw_rows ({SHAPE}) WITH ('connector' = 'blackhole')")
        columns = ", ".join(f"c{index} {'DOUBLE' if index in (8, 9, 14) else 'STRING'}" for index in range(15))
        tables.execute_sql(f"CREATE TABLE anonymized ({columns}) WITH ('connector' = 'blackhole')")

        def run() -> None:
            both = tables.create_statement_set()
            both.add_insert_sql("INSERT INTO raw_rows SELECT * FROM events")
            both.add_insert_sql(f"INSERT INTO anonymized {SELECT}")
            both.execute().wait()

        for _ in range(3):  # until the JIT compiler has settled
            run()
        answer(len(events), run)


main()
