"""DuckDB: one thread, the JSON reader with a declared schema, HMAC in SQL."""

from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from scripts.bench.peers.programs.pads import EMAIL_PATTERN, INNER, OUTER, PHONE_PATTERN
from scripts.bench.peers.programs.timing import answer, arguments, cut, differing

COLUMNS = {
    **dict.fromkeys(("event_id", "event_type", "timestamp", "user_id", "session_id", "ip", "email"), "VARCHAR"),
    "device": "STRUCT(type VARCHAR, os_version VARCHAR, app_version VARCHAR, device_model VARCHAR)",
    "location": "STRUCT(latitude DOUBLE, longitude DOUBLE, accuracy DOUBLE)",
    "properties": "STRUCT(page VARCHAR, note VARCHAR, referrer VARCHAR, amount DOUBLE)",
}


def blob(pad: bytes) -> str:
    return "'" + "".join(f"\\x{byte:02X}" for byte in pad) + "'::BLOB"


def token(name: str) -> str:
    return f"left(sha256({blob(OUTER)} || unhex(sha256({blob(INNER)} || encode({name})))), 32)"


QUERY = f"""
SELECT e AS raw, {token("event_id")} AS event_id, event_type, timestamp, {token("user_id")} AS user_id,
    {token("session_id")} AS session_id,
    struct_pack(type := device.type, os_version := split_part(device.os_version, '.', 1),
        app_version := device.app_version) AS device,
    struct_pack(latitude := round(location.latitude, 2), longitude := round(location.longitude, 2)) AS location,
    regexp_replace(ip, '[0-9]+$', '0') AS ip, {token("email")} AS email,
    struct_pack(page := properties.page, note := regexp_replace(CASE WHEN contains(properties.note, '@')
        THEN regexp_replace(properties.note, '{EMAIL_PATTERN}', '<EMAIL>', 'g') ELSE properties.note END,
        '{PHONE_PATTERN}', '<PHONE>', 'g'), amount := properties.amount) AS properties,
    event_type IN ('page_view', 'click', 'purchase', 'search', 'login')
        AND location.latitude BETWEEN -90 AND 90 AND user_id IS NOT NULL AS valid
FROM read_json(?, format = 'newline_delimited', columns = {COLUMNS}) AS e
"""


def main() -> None:
    _, events, batch = arguments()
    connection = duckdb.connect(config={"threads": 1})
    with TemporaryDirectory() as directory:
        files = []
        for number, part in enumerate(cut(events, batch)):
            files.append(Path(directory) / f"{number:06d}.ndjson")
            files[-1].write_bytes(b"\n".join(part) + b"\n")

        def run() -> list:
            return [connection.execute(QUERY, [str(file)]).to_arrow_table() for file in files]

        answer(len(events), run, differing(events, rows(run()[0])))


def rows(table) -> list[dict]:
    return [
        {name: value for name, value in row.items() if name not in ("raw", "valid")}
        for row in table.slice(0, 500).to_pylist()
    ]


main()
