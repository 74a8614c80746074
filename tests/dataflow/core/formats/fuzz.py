"""Mutated messages of every format, through the core: no crash, no hang, nothing lost, no value in an error text.

Mutations are made at three depths, or a fuzzer only ever tests the outermost parser: of the message, of what is inside
its compression, and of the event before it is encoded.
"""

import faulthandler
import gzip
import json
import random
import resource
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import zstandard

from dataflow.contract import Contract, Format
from dataflow.core import Definition
from dataflow.core.redact import redacted
from dataflow.keys import KeyRing
from dataflow.policy import Policy
from dataflow.schemas import avro as avro_schemas
from dataflow.schemas import pubsub
from tests.dataflow.core.formats.carriers import (
    NUMBER,
    REVISION,
    SCHEMA,
    Core,
    Known,
    avro,
    avro_json,
    descriptors,
    encoded,
    framed,
    log_entry,
    protobuf,
    stamped,
    typed,
)

CANARY = "KANARIENVOGEL"
"""Stands in every text of every event that is fuzzed; a piece of it in an error text is a leak."""

PIECES = ("KANARI", "VOGEL", "681236", "767125")

HANG_SECONDS = 20
BATCH = 64

ODD = (
    b"\0", b"\xff", b"\x80", b"\\ud800", b'"', b"{", b"[" * 3000, b"1e400", b"-", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd",
)  # fmt: skip

DEEP: Any = json.loads("[" * 900 + "]" * 900)

ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 2**63, 2**64, 10**400, 0.5, 1e308, "", CANARY * 100, "\x00", [], {}, [[]], {"": None}, "NaN",
    {CANARY: CANARY}, [None], ["a", 1], "9999-12-31T23:59:59Z", "-0001-01-01", "2024-02-30", "2024-01-01T00:00+25:00",
    "2016-12-31T23:59:60Z", "\r\n", DEEP,
)  # fmt: skip


@dataclass
class Counts:
    """events: by format and outcome (accepted, or the reject's reason)."""

    batches: int = 0
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    slowest: float = 0.0

    def reasons(self) -> set[str]:
        return {outcome for _, outcome in self.events}


@dataclass(frozen=True)
class Target:
    """One format of one contract. encode: a good event -> a message; may raise for an odd event."""

    name: str
    core: Core
    encode: Callable[[Any], bytes]
    attributes: dict[str, str]
    event: dict[str, Any]


def app_event(number: int) -> dict[str, Any]:
    return {
        "event_id": f"3f2504e0-4f89-41d3-9a0c-{number:012x}",
        "event_type": "page_view",
        "timestamp": "2026-01-15T09:30:12.345678Z",
        "user_id": CANARY,
        "session_id": f"{CANARY} 2",
        "device": {"type": "ios", "os_version": CANARY, "app_version": CANARY, "device_model": CANARY},
        "location": {"latitude": 35.681236, "longitude": 139.767125, "accuracy": 10.5},
        "properties": {"page_name": CANARY, "button_id": CANARY},
    }


def order(number: int) -> dict[str, Any]:
    line = {"article": CANARY, "count": 3, "engraving": CANARY, "wanted": "2026-02-03"}
    return {
        "id": f"{CANARY}{number}",
        "at": "2026-01-15T09:30:12.345678Z",
        "emails": [f"{CANARY}@example.com"],
        "seen": ["2026-01-15T09:30:12Z", "2026-01-15T09:30:13Z"],
        "lines": [line, line | {"recipient": {"person": CANARY, "codes": [1, 2]}}],
        "properties": {"note": f"{CANARY}@example.com", "referrer": CANARY, "number": "4.5"},
    }


def targets(contracts: list[tuple[Contract, Policy, dict[str, Any]]], keys: KeyRing) -> list[Target]:
    found = []
    for contract, policy, event in contracts:
        record, compiled = avro_schemas.schema(contract), descriptors(pubsub.events(contract))
        definitions = {
            Format.AVRO: Definition(Format.AVRO, json.dumps(record)),
            Format.PROTOBUF: Definition(Format.PROTOBUF, descriptors=compiled),
        }
        cores = {
            form: Core(
                replace(contract, format=form),
                policy,
                keys,
                Known({(SCHEMA, REVISION): definitions[form]}, {NUMBER: definitions[form]})
                if form in definitions
                else None,
            )
            for form in Format
        }

        def of_avro(value: Any, record: dict[str, Any] = record) -> bytes:
            return avro(typed(value), record)

        def of_protobuf(value: Any, compiled: bytes = compiled) -> bytes:
            return protobuf(value, compiled)

        ways: list[tuple[Format, Callable[[Any], bytes], dict[str, str]]] = [
            (Format.JSON, encoded, {}),
            (Format.NDJSON, lambda value: encoded(value) + b"\n" + encoded(value), {}),
            (Format.LOG_ENTRY, log_entry, {}),
            (Format.AVRO, of_avro, stamped()),
            (Format.AVRO, lambda value, record=record: avro_json(typed(value), record), stamped("JSON")),
            (Format.AVRO, lambda value, encode=of_avro: framed(encode(value)), {}),
            (Format.PROTOBUF, of_protobuf, stamped()),
            (Format.PROTOBUF, encoded, stamped("JSON")),
            (Format.PROTOBUF, lambda value, encode=of_protobuf: framed(b"\0" + encode(value)), {}),
        ]
        found += [
            Target(f"{contract.stream} {form}", cores[form], encode, attributes, event)
            for form, encode, attributes in ways
        ]
    return found


def changed_event(rng: random.Random, value: Any) -> Any:
    """The event with an odd value, a missing one, or a new one somewhere."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        name = rng.choice(list(value))
        chance = rng.random()
        if chance < 0.15:
            return {other: inner for other, inner in value.items() if other != name}
        if chance < 0.3:
            return value | {rng.choice(["extra", CANARY, "", "a.b", "1234567", "f0"]): rng.choice(ODD_VALUES)}
        return value | {name: changed_event(rng, value[name])}
    if isinstance(value, list) and value and rng.random() < 0.7:
        place = rng.randrange(len(value))
        return [*value[:place], changed_event(rng, value[place]), *value[place + 1 :]]
    return rng.choice(ODD_VALUES)


def changed_bytes(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """A few changes of bytes, or the beginning of one message and the end of another."""
    text = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4, 16])):
        place = rng.randrange(len(text) + 1)
        match rng.randrange(6):
            case 0 if text:
                text[place % len(text)] ^= 1 << rng.randrange(8)
            case 1:
                text[place:place] = rng.choice(ODD)
            case 2:
                del text[place : place + rng.choice([1, 1, 4, 64])]
            case 3 if text:
                text[place % len(text)] = rng.randrange(256)
            case 4:
                text[place:] = other[rng.randrange(len(other) + 1) :]
            case 5:
                end = min(len(text), place + rng.choice([1, 8, 64]))
                text[end:end] = text[place:end] * rng.choice([1, 3])
    return bytes(text)


def message(rng: random.Random, target: Target) -> bytes:
    """A message that may still be good."""
    event = target.event
    while rng.random() < 0.6:
        event = changed_event(rng, event)
    try:
        data = target.encode(event)
    except Exception:  # noqa: BLE001  (an odd event that the format cannot carry)
        data = target.encode(target.event)
    if rng.random() < 0.5:
        data = changed_bytes(rng, data, target.encode(target.event))
    chance = rng.random()
    if chance < 0.3:
        data = gzip.compress(data, 1) if chance < 0.15 else zstandard.compress(data)
        if rng.random() < 0.4:
            data = changed_bytes(rng, data, data)
    return data


def fuzz(targets: list[Target], seconds: float, seed: int) -> Counts:
    """Raises AssertionError, or whatever the core raises. A hang ends the process with a traceback."""
    counts, end = Counts(), time.monotonic() + seconds
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    while counts.batches == 0 or time.monotonic() < end:
        number = seed + counts.batches
        rng = random.Random(number)
        target = targets[counts.batches % len(targets)]
        messages = [message(rng, target) for _ in range(BATCH)]
        about = f"{target.name}, seed {number}"
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        started = time.monotonic()
        try:
            unpacked, outcome = target.core.run(*messages, attributes=target.attributes)
        except Exception as error:
            raise AssertionError(about) from error
        faulthandler.cancel_dump_traceback_later()
        counts.slowest = max(counts.slowest, time.monotonic() - started)
        accounted = sorted([*outcome.index, *(reject.index for reject in outcome.rejects)])
        assert accounted == list(range(len(unpacked.batch.payloads))), about
        assert outcome.raw.height == outcome.anonymized.height == len(outcome.index), about
        assert set(unpacked.message) == set(range(BATCH)), about
        for reject in outcome.rejects:
            shape = redacted(unpacked.batch.payloads[reject.index], target.core.contract) or ""
            text = f"{reject!r} {shape}"
            assert not any(piece in text for piece in PIECES), f"{about}: {reject.reason} of {reject.field}"
            counts.events[target.name, reject.reason.value] += 1
        counts.events[target.name, "accepted"] += len(outcome.index)
        counts.batches += 1
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    assert grown < 1 << 20, f"memory grew by {grown} KiB"
    return counts
