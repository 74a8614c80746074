"""What one journal entry decided: tokens and positions as 128-bit keys, columns of fixed width."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from dataflow.operators.keys import WIDTH, keys_of, packed
from dataflow.operators.seen import Words


class Events(msgspec.Struct, array_like=True):
    """Events of one kind, in columns.

    positions: keys of their positions, WIDTH bytes each.
    received: microseconds of broker publish time, 8 bytes each, little endian.
    tokens: keys of their event tokens; empty for what was not accepted.
    """

    positions: bytes = b""
    received: bytes = b""
    tokens: bytes = b""

    @classmethod
    def of(
        cls,
        positions: Sequence[str] | pl.Series,
        received: Iterable[int] | npt.NDArray[np.int64],
        tokens: Sequence[str] | pl.Series = (),
    ) -> "Events":
        """Raises ValueError for columns of different lengths."""
        times = received if isinstance(received, np.ndarray) else np.array(list(received), np.int64)
        if not len(positions) == len(times) or len(tokens) not in (0, len(times)):
            raise ValueError(f"{len(positions)} positions, {len(times)} times and {len(tokens)} tokens")
        return cls(keys_of(positions), times.astype("<i8").tobytes(), keys_of(tokens))

    @classmethod
    def keyed(cls, positions: Words, received: npt.NDArray[np.int64], tokens: Words | None = None) -> "Events":
        """Of keys as words."""
        return cls(packed(positions), received.astype("<i8").tobytes(), packed(tokens) if tokens is not None else b"")

    def __len__(self) -> int:
        return len(self.received) // 8

    @property
    def times(self) -> npt.NDArray[np.int64]:
        """received as an array."""
        return np.frombuffer(self.received, "<i8")

    def token_names(self) -> list[str]:
        """The tokens as text, 32 hex digits each."""
        text = self.tokens.hex()
        return [text[start : start + 2 * WIDTH] for start in range(0, len(text), 2 * WIDTH)]

    def pick(self, rows: npt.NDArray[np.bool_] | list[int]) -> "Events":
        """Those of a mask or of row numbers, in this order."""
        if not len(rows):
            return Events()
        keys = [
            np.frombuffer(column, f"V{WIDTH}")[rows].tobytes() if column else b""
            for column in (self.positions, self.tokens)
        ]
        return Events(keys[0], self.times[rows].tobytes(), keys[1])


class Index(msgspec.Struct, array_like=True):
    """What one entry decided, or several did: enough to rebuild the state. Keys only.

    Each event is in one of the three, once.
    """

    accepted: Events = msgspec.field(default_factory=Events)
    dead: Events = msgspec.field(default_factory=Events)
    duplicates: Events = msgspec.field(default_factory=Events)

    @classmethod
    def of(
        cls,
        accepted: Sequence[tuple[str, str, int]] = (),
        dead: Sequence[tuple[str, int]] = (),
        duplicates: Sequence[tuple[str, int]] = (),
    ) -> "Index":
        """accepted: (token, position, received) of each; dead, duplicates: (position, received)."""
        return cls(
            Events.of([row[1] for row in accepted], [row[2] for row in accepted], [row[0] for row in accepted]),
            Events.of([row[0] for row in dead], [row[1] for row in dead]),
            Events.of([row[0] for row in duplicates], [row[1] for row in duplicates]),
        )

    @property
    def newest(self) -> int:
        """The latest publish time in it, 0 when it is empty."""
        return max((int(events.times.max()) for events in self if len(events)), default=0)

    @property
    def bytes(self) -> int:
        return sum(len(events.positions) + len(events.received) + len(events.tokens) for events in self)

    def __iter__(self) -> Iterator[Events]:
        return iter((self.accepted, self.dead, self.duplicates))

    def __len__(self) -> int:
        """Events in it."""
        return sum(map(len, self))

    def by(self, length: int) -> dict[int, "Index"]:
        """Its parts by bucket of `length` microseconds of publish time."""
        buckets = {bucket for events in self for bucket in np.unique(events.times // length).tolist()}
        if len(buckets) == 1:
            return {buckets.pop(): self}
        return {
            bucket: Index(*(events.pick(events.times // length == bucket) for events in self))
            for bucket in sorted(buckets)
        }


def joined(indexes: Iterable[Index]) -> Index:
    """One index that decided what all of them did."""
    columns = [tuple(index) for index in indexes]
    if len(columns) == 1:
        return Index(*columns[0])
    return (
        Index(
            *(
                Events(
                    b"".join(events.positions for events in kind),
                    b"".join(events.received for events in kind),
                    b"".join(events.tokens for events in kind),
                )
                for kind in zip(*columns, strict=True)
            )
        )
        if columns
        else Index()
    )
