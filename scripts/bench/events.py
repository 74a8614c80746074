"""Benchmark events: app events of about 490 bytes, the same for the same count.

50,000 users drawn by Zipf's law, sessions that last about twenty events, three platforms, an IP address, an e-mail on
30 % of the events and inside 8 % of the notes, a telephone number inside 6 %.
"""

import datetime
import itertools
import json
import random
import uuid
from collections.abc import Iterator

USERS = 50_000
TYPES = ("page_view", "click", "purchase", "search", "login")
SYSTEMS = {
    "mobile": (("17.4.1", "16.7.2", "17.0"), ("iPhone14,2", "iPhone15,3")),
    "android": (("14.0.1", "13.1"), ("Pixel 8", "SM-S911B")),
    "desktop": (("10.0.22631", "14.4.1"), ("Mac15,3", "XPS 13")),
}
WORDS = ("my", "parcel", "came", "late", "again", "and", "nobody", "answers", "please", "send", "it", "back", "thanks")
START = datetime.datetime(2025, 10, 9, 8, 53, 20, tzinfo=datetime.UTC)


def events(count: int) -> Iterator[bytes]:
    """`count` events as JSON, one a millisecond."""
    rng = random.Random(11)  # noqa: S311  (a benchmark's data)
    weights = list(itertools.accumulate(1 / rank for rank in range(1, USERS + 1)))
    sessions: dict[int, str] = {}
    for index, user in enumerate(rng.choices(range(USERS), cum_weights=weights, k=count)):
        if user not in sessions or rng.random() < 0.05:
            sessions[user] = f"sess_{rng.getrandbits(64):016x}"
        yield json.dumps(_event(rng, index, user, sessions[user]), separators=(",", ":")).encode()


def _event(rng: random.Random, index: int, user: int, session: str) -> dict[str, object]:
    platform = tuple(SYSTEMS)[user % 3]
    systems, models = SYSTEMS[platform]
    note, draw = " ".join(rng.choices(WORDS, k=6)), rng.random()
    if draw < 0.08:
        note += f" write to user{user}@example.com"
    elif draw < 0.14:
        note += f" call +1 415-555-{user % 10_000:04d}"
    moment = START + datetime.timedelta(milliseconds=index)
    event: dict[str, object] = {
        "event_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "event_type": TYPES[index % len(TYPES)],
        "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z",
        "user_id": f"user_{user * 7919 % 1_000_000_007:09d}",
        "session_id": session,
        "device": {
            "type": platform,
            "os_version": rng.choice(systems),
            "app_version": f"5.{user % 9}.{user % 4}",
            "device_model": rng.choice(models),
        },
        "location": {
            "latitude": round(rng.uniform(-60, 70), 6),
            "longitude": round(rng.uniform(-180, 180), 6),
            "accuracy": round(rng.uniform(3, 60), 1),
        },
        "ip": f"{user % 200 + 11}.{user // 200 % 256}.{user * 31 % 256}.{user * 17 % 254 + 1}",
    }
    if rng.random() < 0.3:
        event["email"] = f"user{user}@example.com"
    event["properties"] = {
        "page": f"/p/{index % 500}",
        "note": note,
        "referrer": "search",
        "amount": round(rng.random() * 100, 2),
    }
    return event
