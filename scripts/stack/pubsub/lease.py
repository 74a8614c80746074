"""What delivery is made of: an entry of a backlog, an ordering key's lane, flow control, rules.

See `delivery` for how they work together.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import final

from msgspec import Struct

from .message import Message


@final
class Entry(Struct, eq=False):  # made in a tenth of the time of a class with an __init__
    """A message in a subscription's backlog. ack_id is None while it is not leased.

    failures: deliveries that were given up or ran out. acked: acknowledged, but something before it in its lane is not.
    """

    message: Message
    lane: "Lane | None" = None
    failures: int = 0
    ack_id: str | None = None
    deadline: float = 0.0
    holder: "Holder | None" = None
    acked: bool = False


@final
class Lane:
    """The messages of one ordering key: `out` is the run given out, in order; `waiting` comes after it."""

    __slots__ = ("blocked_until", "key", "out", "queued", "waiting")

    def __init__(self, key: str) -> None:
        self.key = key
        self.waiting: deque[Entry] = deque()
        self.out: dict[int, Entry] = {}
        self.queued = False
        self.blocked_until = 0.0


@dataclass(slots=True)
class Holder:
    """A streaming pull's flow control: what it holds, and the most it may hold (0 or less: no limit)."""

    max_messages: int = 0
    max_bytes: int = 0
    messages: int = 0
    bytes: int = 0
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def full(self) -> bool:
        return 0 < self.max_messages <= self.messages or 0 < self.max_bytes <= self.bytes


@dataclass(slots=True)
class Rules:
    """The settings of a subscription that delivery follows. Times in seconds.

    max_attempts: deliveries before a message is exhausted; 0 means never. backoff: shortest and longest, or None.
    """

    ack_deadline: float = 10.0
    ordered: bool = False
    exactly_once: bool = False
    max_attempts: int = 0
    backoff: tuple[float, float] | None = None
