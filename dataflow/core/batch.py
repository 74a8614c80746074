"""What goes into the core."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dataflow.core.rejects import RefusedError

type Times = Sequence[int] | npt.NDArray[np.int64]
"""Microseconds since 1970."""


@dataclass(frozen=True)
class Batch:
    """Events of one stream, in any order.

    payloads: each event as JSON; it may be compressed.
    received: when the broker accepted each, microseconds since 1970 UTC. Never the local clock: a replay gives the
    same row.
    refused: index of an event that could not even be turned into JSON -> why; its payload, empty, is not looked at.
    """

    payloads: Sequence[bytes]
    received: Times
    refused: Mapping[int, RefusedError] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.payloads) != len(self.received):
            raise ValueError(f"{len(self.payloads)} payloads but {len(self.received)} receive times")
