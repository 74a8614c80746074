"""chDB (ClickHouse in the process): one thread, HMAC in SQL; raw line, anonymized row and a flag of validity."""

import chdb
import pyarrow as pa

from scripts.bench.peers.programs.pads import EMAIL_PATTERN, INNER, OUTER, PHONE_PATTERN
from scripts.bench.peers.programs.timing import answer, arguments, cut, differing

SHAPE = (
    "Tuple(event_id String, event_type String, timestamp String, user_id String, session_id String, ip String, "
    "email Nullable(String), device Tuple(type String, os_version String, app_version String, device_model String), "
    "location Tuple(latitude Float64, longitude Float64, accuracy Float64), "
    "properties Tuple(page Nullable(String), note Nullable(String), referrer Nullable(String), "
    "amount Nullable(Float64)))"
)


def token(value: str) -> str:
    inner, outer = INNER.hex(), OUTER.hex()
    return f"lower(hex(substring(SHA256(concat(unhex('{outer}'), SHA256(concat(unhex('{inner}'), {value})))), 1, 16)))"


def escaped(pattern: str) -> str:
    return pattern.replace("\\", "\\\\")


QUERY = f"""
SELECT line AS raw, {token("e.event_id")} AS event_id, e.event_type AS event_type, e.timestamp AS timestamp,
    {token("e.user_id")} AS user_id, {token("e.session_id")} AS session_id, e.device.type AS `device.type`,
    splitByChar('.', e.device.os_version)[1] AS `device.os_version`, e.device.app_version AS `device.app_version`,
    round(e.location.latitude, 2) AS `location.latitude`, round(e.location.longitude, 2) AS `location.longitude`,
    replaceRegexpOne(e.ip, '[0-9]+$', '0') AS ip,
    if(isNull(e.email), NULL, {token("assumeNotNull(e.email)")}) AS email, e.properties.page AS `properties.page`,
    replaceRegexpAll(replaceRegexpAll(assumeNotNull(e.properties.note), '{escaped(EMAIL_PATTERN)}', '<EMAIL>'),
        '{escaped(PHONE_PATTERN)}', '<PHONE>') AS `properties.note`, e.properties.amount AS `properties.amount`,
    isValidJSON(line) AND e.event_type IN ('page_view', 'click', 'purchase', 'search', 'login')
        AND e.location.latitude BETWEEN -90 AND 90 AND e.user_id != '' AS valid
FROM (SELECT line, JSONExtract(line, '{SHAPE}') AS e FROM Python(lines))
SETTINGS max_threads = 1
"""


def main() -> None:
    _, events, batch = arguments()
    parts = [pa.table({"line": pa.array(part, pa.string())}) for part in cut(events, batch)]

    def run() -> list:
        out = []
        for lines in parts:  # noqa: B007 - Python(lines) of the query reads it
            out.append(chdb.query(QUERY, "ArrowTable"))
        return out

    first = run()[0].slice(0, 500).to_pylist()
    rows = [{name: text(value) for name, value in row.items() if name not in ("raw", "valid")} for row in first]
    answer(len(events), run, differing(events, rows))


def text(value):
    return value.decode() if isinstance(value, bytes) else value


main()
