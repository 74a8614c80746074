"""The app's users, simulated: the same events for the same seed.

Sessions of people drawn by Zipf's law, around a home in Tokyo, walking from screen to screen; about one event in a
hundred each malformed, sent twice, and late.
"""

import datetime
import itertools
import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

USERS = 2_000

SCREENS = {
    "home": ["search", "map", "messages", "profile"],
    "search": ["results", "home"],
    "results": ["detail", "search"],
    "detail": ["map", "messages", "results"],
    "map": ["detail", "home"],
    "messages": ["home", "profile"],
    "profile": ["settings", "home"],
    "settings": ["profile"],
}
BUTTONS = {"map": "share_location", "messages": "send", "detail": "save", "search": "submit", "settings": "toggle"}
DEVICES = {
    "ios": (["17.0", "17.4.1", "16.7.2"], ["iPhone 15", "iPhone 14", "iPhone SE"]),
    "android": (["14", "13.1", "12"], ["Pixel 8", "Galaxy S23", "Xperia 1"]),
}
CENTRES = [(35.6812, 139.7671), (35.6896, 139.7006), (35.6580, 139.7016), (35.7289, 139.7101), (35.6285, 139.7387)]
"""Tokyo, Shinjuku, Shibuya, Ikebukuro and Shinagawa stations."""

BAD_SHARE = 0.01
DUPLICATE_SHARE = 0.01
LATE_SHARE = 0.01


@dataclass(frozen=True)
class Simulation:
    """Events in the order in which they are published, and how many of each kind are among them."""

    payloads: list[bytes]
    malformed: int
    duplicates: int
    late: int


def simulate(count: int, seed: int, now: datetime.datetime) -> Simulation:
    """`count` messages of the three days before `now`."""
    rng = random.Random(seed)  # noqa: S311  (a simulation)
    payloads: list[bytes] = []
    malformed = duplicates = late = 0
    recent: list[bytes] = []
    for event in itertools.islice(_events(rng, now), count):
        draw = rng.random()
        if draw < BAD_SHARE:
            payloads.append(_spoil(event, rng, now))
            malformed += 1
            continue
        if draw < BAD_SHARE + DUPLICATE_SHARE and recent:
            payloads.append(rng.choice(recent))
            duplicates += 1
            continue
        if draw < BAD_SHARE + DUPLICATE_SHARE + LATE_SHARE:
            moment = datetime.datetime.fromisoformat(str(event["timestamp"])) - datetime.timedelta(
                days=rng.uniform(2, 20)
            )
            event["timestamp"] = _text(moment)
            late += 1
        payload = json.dumps(event, separators=(",", ":")).encode()
        payloads.append(payload)
        recent = [*recent[-200:], payload]
    return Simulation(payloads, malformed, duplicates, late)


def _text(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _events(rng: random.Random, now: datetime.datetime) -> Iterator[dict[str, object]]:
    people = range(USERS)
    weights = list(itertools.accumulate(1 / rank for rank in range(1, USERS + 1)))
    while True:
        yield from _session(rng, rng.choices(people, cum_weights=weights)[0], now)


def _session(rng: random.Random, person: int, now: datetime.datetime) -> Iterator[dict[str, object]]:
    own = random.Random(person)  # noqa: S311  (what belongs to the person: the same in every session)
    kind = own.choice(sorted(DEVICES))
    systems, models = DEVICES[kind]
    device = {
        "type": kind,
        "os_version": own.choice(systems),
        "app_version": f"3.{own.randrange(4)}.{own.randrange(10)}",
        "device_model": own.choice(models),
    }
    latitude, longitude = own.choice(CENTRES)
    session = f"session_{rng.getrandbits(64):016x}"
    # people wake: little at night, most in the evening, by Tokyo's clock
    day = rng.randrange(1, 4)
    hour = rng.choices(range(24), weights=[1, 1, 1, 1, 1, 2, 4, 8, 9, 7, 6, 7, 9, 7, 6, 6, 7, 9, 12, 14, 14, 12, 7, 3])[
        0
    ]
    midnight = (now - datetime.timedelta(days=day)).replace(hour=0, minute=0, second=0, microsecond=0)
    moment = midnight + datetime.timedelta(hours=hour - 9, minutes=rng.uniform(0, 60))
    screen = "home"
    for _ in range(rng.randint(3, 25)):
        moment += datetime.timedelta(seconds=rng.expovariate(1 / 25))
        button = BUTTONS.get(screen) if rng.random() < 0.35 else None
        event_type = "page_view" if button is None else "button_click"
        if button == "share_location":
            event_type = "location_share"
        elif button == "send":
            event_type = "message_send"
        properties = {"page_name": screen} | ({"button_id": button} if button else {})
        event: dict[str, object] = {
            "event_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "event_type": event_type,
            "timestamp": _text(min(moment, now)),
            "user_id": f"user_{person * 7919 % 1_000_003:06d}",
            "session_id": session,
            "device": device,
            "properties": properties,
        }
        if rng.random() < 0.8:
            event["location"] = {
                "latitude": round(latitude + rng.gauss(0, 0.02), 6),
                "longitude": round(longitude + rng.gauss(0, 0.02), 6),
                "accuracy": round(rng.uniform(3, 60), 1),
            }
        yield event
        screen = rng.choice(SCREENS[screen])


def _spoil(event: dict[str, object], rng: random.Random, now: datetime.datetime) -> bytes:
    """The event with one of the faults that real clients have."""
    text = json.dumps(event, separators=(",", ":"))
    match rng.randrange(6):
        case 0:
            return text[: rng.randrange(1, len(text))].encode()  # cut off
        case 1:
            return json.dumps(event | {"user_id": 12345}).encode()
        case 2:
            return json.dumps({name: value for name, value in event.items() if name != "session_id"}).encode()
        case 3:
            return text.replace('"user_id":"user_', '"user_id":"user_\xff').encode("latin-1")
        case 4:
            return json.dumps(event | {"timestamp": _text(now + datetime.timedelta(days=400))}).encode()
        case _:
            return json.dumps(event | {"device": {"type": "toaster", "os_version": "1", "app_version": "1"}}).encode()
