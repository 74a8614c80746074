"""What goes into the core."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Batch:
    """Events of one stream, in any order.

    payloads: the bytes of each event.
    received: when the broker accepted each, microseconds since 1970 UTC. Never the local clock: a replay gives the
    same row.
    """

    payloads: Sequence[bytes]
    received: Sequence[int]

    def __post_init__(self) -> None:
        if len(self.payloads) != len(self.received):
            raise ValueError(f"{len(self.payloads)} payloads but {len(self.received)} receive times")
