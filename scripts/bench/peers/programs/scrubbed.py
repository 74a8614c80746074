"""The tuned loop with another library's scrubbing."""

from collections.abc import Callable

import orjson

from scripts.bench.loops import TYPES, token


def work(line: bytes, scrub: Callable[[str], str]) -> tuple[bytes, bytes]:
    """Raises ValueError or KeyError for a bad event."""
    event = orjson.loads(line)
    device, place, properties, ip = event["device"], event["location"], event["properties"], event["ip"]
    if event["event_type"] not in TYPES or not -90 <= place["latitude"] <= 90:
        raise ValueError("range")
    for name in ("event_id", "timestamp", "user_id", "session_id", "ip"):
        if type(event[name]) is not str:
            raise ValueError(name)
    for name in ("event_id", "user_id", "session_id", "email"):
        if name in event:
            event[name] = token(event[name])
    device["os_version"] = device["os_version"].partition(".")[0]
    place["latitude"], place["longitude"] = round(place["latitude"], 2), round(place["longitude"], 2)
    event["ip"] = ip[: ip.rindex(".")] + ".0"
    if "note" in properties:
        properties["note"] = scrub(properties["note"])
    place.pop("accuracy", None)
    device.pop("device_model", None)
    properties.pop("referrer", None)
    return line, orjson.dumps(event)
