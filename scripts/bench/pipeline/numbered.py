"""Benchmark events that can be told apart behind the curtain: each has an identity, a time and a number of its own.

The number stands in `properties.amount`, which the policy keeps: so an anonymized row names the event that it was.
"""

import datetime
import re
import time
from collections.abc import Sequence

from scripts.bench.events import events

TEMPLATES = 10_000
_PARTS = re.compile(
    rb'(\{"event_id":")[^"]*(","event_type":"[^"]*","timestamp":")[^"]*(".*"amount":)[0-9.]+(\}\})', re.DOTALL
)


class Numbered:
    """Makes events by number, from `templates` of the benchmark's events by turns. A number is an identity."""

    def __init__(self, templates: int = TEMPLATES) -> None:
        self._parts = [_split(event) for event in events(templates)]

    def make(self, numbers: Sequence[int], moment: float | None = None) -> list[bytes]:
        """The events of these numbers. moment: seconds since 1970 that they happened at, by default now."""
        at = datetime.datetime.fromtimestamp(time.time() if moment is None else moment, datetime.UTC)
        stamp = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z".encode()
        parts, count = self._parts, len(self._parts)
        return [
            b"%b%08x-0000-4000-8000-000000000000%b%b%b%d%b" % (p[0], n, p[1], stamp, p[2], n, p[3])
            for n in numbers
            for p in (parts[n % count],)
        ]


def _split(event: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    match = _PARTS.fullmatch(event)
    if match is None:
        raise ValueError("the benchmark's events have another shape")
    before, middle, rest, end = match.groups()
    return before, middle, rest, end
