"""Events of any contract made by a seeded generator: plain ones, and every awkward one that is still good."""

import datetime
import json
import random
import string
import uuid
from typing import Any

from dataflow.contract import Classification, Contract, Field, FieldType

TEXTS = (
    "",
    "a",
    "twelve bytes",
    "thirteen bytes",
    'quote " backslash \\ slash / tab \t line \n nul \x00 del \x7f',
    "é 東京都渋谷区 \U0001f600",
    "\u2028 \ufffd \ud7ff \ue000 \U0010ffff",
    "call 090-1234-5678 or ana@example.com",
    "０９０ー１２３４ー５６７８",
    "see https://example.com/a?b=c#d and 2001:db8::1 or 10.0.0.1",
    "x" * 300,
    "1234 5678 9012 3456",
)
NUMBERS = (0.0, -0.0, 1.0, 0.1, -2.5, 1e22, 1e-22, 1e300, 5e-324, 9007199254740993.0, 123456789012345678.0, 1e15, 0.001)
WHOLES = (0, 1, -1, 10**17, 10**18, -(10**18), 2**63 - 1, -(2**63))
NEWEST = datetime.datetime(2026, 1, 14)


def payload(rng: random.Random, contract: Contract) -> tuple[dict[str, Any], bytes]:
    """(a good event, one of the ways to write it)."""
    event = _object(rng, contract, contract.fields)
    separators = rng.choice([(",", ":"), (", ", ": "), (" ,", " : ")])
    text = json.dumps(
        event, ensure_ascii=rng.random() < 0.5, separators=separators, indent=rng.choice([None] * 9 + [1])
    )
    return event, text.encode() + rng.choice([b"", b"", b"\n", b" \r\n"])


def _object(rng: random.Random, contract: Contract, fields: tuple[Field, ...]) -> dict[str, Any]:
    members = []
    for field in fields:
        if field.required or rng.random() < 0.7:
            absent = not field.required and rng.random() < 0.1
            members.append((field.name, None if absent else _value(rng, contract, field)))
    if rng.random() < 0.2:
        rng.shuffle(members)
    return dict(members)


def _value(rng: random.Random, contract: Contract, field: Field) -> Any:
    limits = field.constraints
    match field.type:
        case FieldType.OBJECT:
            return _object(rng, contract, field.children)
        case FieldType.ARRAY:
            assert field.items is not None
            return [_value(rng, contract, field.items) for _ in range(rng.randrange(4))]
        case FieldType.MAP:
            return {_text(rng): _anything(rng, 3) for _ in range(rng.randrange(5))}
        case FieldType.BOOLEAN:
            return rng.random() < 0.5
        case FieldType.INTEGER:
            low = -(2**63) if limits.minimum is None else int(limits.minimum)
            high = 2**63 - 1 if limits.maximum is None else int(limits.maximum)
            return min(
                max(rng.choice([rng.randint(-1000, 1000), rng.randint(low, high), rng.choice(WHOLES)]), low), high
            )
        case FieldType.NUMBER:
            low, high = limits.minimum, limits.maximum
            some = rng.choice(
                [round(rng.uniform(-180, 180), rng.randrange(8)), rng.choice(NUMBERS), rng.randint(-9, 9)]
            )
            some = some if low is None else max(some, low)
            return some if high is None else min(some, high)
        case FieldType.DATE:
            return str(datetime.date.fromordinal(rng.randint(1, datetime.date.max.toordinal())))
        case FieldType.TIMESTAMP:
            return _time(rng, field.path == contract.event_time)
        case FieldType.STRING:
            return _string(rng, field)


def _time(rng: random.Random, event_time: bool) -> str:
    first = datetime.datetime(2000, 1, 3) if event_time else datetime.datetime(1, 1, 3)
    last = NEWEST if event_time else datetime.datetime(9999, 12, 29)
    moment = first + datetime.timedelta(
        microseconds=rng.randrange((last - first) // datetime.timedelta(microseconds=1))
    )
    if rng.random() < 0.3:
        zone = datetime.timezone(datetime.timedelta(minutes=rng.randint(-14 * 60, 14 * 60)))
        return moment.replace(tzinfo=zone).isoformat()
    return moment.isoformat(timespec=rng.choice(["seconds", "milliseconds", "microseconds"])) + "Z"


def _string(rng: random.Random, field: Field) -> str:
    limits = field.constraints
    if limits.values:
        return rng.choice(limits.values)
    if limits.format == "uuid":
        return str(uuid.UUID(int=rng.getrandbits(128), version=4))
    if limits.pattern == "@":
        return f"{_word(rng)}@example.com"
    if limits.pattern is not None:
        return _word(rng)
    if field.classification is Classification.NETWORK and rng.random() < 0.8:
        v4 = ".".join(str(rng.randrange(300 if rng.random() < 0.1 else 256)) for _ in range(4))
        return rng.choice([v4, v4, v4, f"::ffff:{v4}", "2001:db8:1::9", "01.2.3.4", "1.2.3", "1.2.3.4.5", f" {v4}"])
    text = rng.choice([_text(rng), _word(rng), ".".join(str(rng.randrange(20)) for _ in range(rng.randrange(5)))])
    low, high = limits.min_length or 0, limits.max_length
    return text.ljust(low, "x")[:high]


def _text(rng: random.Random) -> str:
    return rng.choice(TEXTS) if rng.random() < 0.4 else _word(rng) + rng.choice(["", " ", str(rng.randrange(10**9))])


def _word(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=rng.randint(1, 20)))


def _anything(rng: random.Random, depth: int) -> Any:
    kind = rng.randrange(8 if depth else 6)
    match kind:
        case 0:
            return rng.choice([None, True, False])
        case 1:
            return rng.choice(WHOLES)
        case 2:
            return rng.choice(NUMBERS)
        case 6:
            return [_anything(rng, depth - 1) for _ in range(rng.randrange(4))]
        case 7:
            return {_text(rng): _anything(rng, depth - 1) for _ in range(rng.randrange(4))}
        case _:
            return _text(rng)
