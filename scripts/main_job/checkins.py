"""Real check-ins as events: a CSV as published with TSMC2014 (Yang et al. 2015), one event a line."""

import csv
import datetime
import io
import json
import uuid
from pathlib import Path

from dataflow.errors import NorenError

COLUMNS = (
    "userId",
    "venueId",
    "venueCategoryId",
    "venueCategory",
    "latitude",
    "longitude",
    "timezoneOffset",
    "utcTimestamp",
)


def checkins(path: Path) -> list[bytes]:
    """The file's lines as `checkin` events.

    A line's event id is the UUIDv5 of `<file name>:<line number>` (the header is line 1): lines may equal others.
    Raises NorenError naming the line when the file is not of this shape.
    """
    try:
        text = path.read_text(encoding="utf-8", newline="")
    except (OSError, UnicodeDecodeError) as error:
        raise NorenError(f"{path}: cannot be read: {error}.") from error
    # not splitlines(): it also splits at characters that a category's name may have, such as U+2028
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
        raise NorenError(f"{path.name}, line 1: the columns {', '.join(missing)} are missing.")
    events = []
    try:
        for row in reader:
            events.append(json.dumps(_event(path.name, reader.line_num, row), allow_nan=False).encode())
    except (ValueError, csv.Error) as error:
        line = reader.reader.line_num
        raise NorenError(f"{path.name}, line {line}: is no check-in ({type(error).__name__}).") from error
    return events


def _event(file: str, line: int, row: dict[str, str]) -> dict[str, object]:
    if any(row[name] is None for name in COLUMNS):
        raise ValueError("a short line")
    moment = datetime.datetime.strptime(row["utcTimestamp"], "%a %b %d %H:%M:%S %z %Y")
    return {
        "event_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{file}:{line}")),
        "timestamp": moment.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z"),
        "user_id": f"checkin-user-{row['userId']}",
        "timezone_offset": int(row["timezoneOffset"]),
        "venue": {
            "venue_id": row["venueId"],
            "category_id": row["venueCategoryId"],
            "category": row["venueCategory"],
            "latitude": float(row["latitude"]),
            "longitude": float(row["longitude"]),
        },
    }
