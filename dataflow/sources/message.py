"""Messages of a broker: one, and a batch of them in columns."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import overload

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class Message(msgspec.Struct, frozen=True, gc=False):  # a tenth of a frozen dataclass's cost
    """data, attributes: as published. received: microseconds of broker publish time.

    position: names the accepted message for ever: the broker's store id and the message id.
    ack_id: what acknowledges this delivery of it.
    """

    data: bytes
    attributes: Mapping[str, str]
    message_id: str
    position: str
    received: int
    ack_id: str


@dataclass(frozen=True, eq=False)
class Messages(Sequence[Message]):
    """A batch in columns: what every message needs costs no object of its own. Fields as those of `Message`, in plural.

    items: the messages where they were objects to begin with.
    """

    data: list[bytes]
    attributes: list[Mapping[str, str]]
    message_ids: pl.Series
    positions: pl.Series
    received: npt.NDArray[np.int64]
    ack_ids: pl.Series
    items: Sequence[Message] | None = None

    @classmethod
    def of(cls, messages: Iterable[Message]) -> "Messages":
        """The same in columns; columns stay as they are."""
        if isinstance(messages, Messages):
            return messages
        items = list(messages)
        return cls(
            [message.data for message in items],
            [message.attributes for message in items],
            texts([message.message_id for message in items]),
            texts([message.position for message in items]),
            np.array([message.received for message in items], np.int64),
            texts([message.ack_id for message in items]),
            items,
        )

    @classmethod
    def joined(cls, batches: Sequence["Messages"]) -> "Messages":
        """All of these, in order; at least one batch."""
        if len(batches) == 1:
            return batches[0]
        return cls(
            [data for batch in batches for data in batch.data],
            [attributes for batch in batches for attributes in batch.attributes],
            pl.concat([batch.message_ids for batch in batches]),
            pl.concat([batch.positions for batch in batches]),
            np.concatenate([batch.received for batch in batches]),
            pl.concat([batch.ack_ids for batch in batches]),
        )

    @functools.cached_property
    def bytes(self) -> int:
        """Of data, all messages together."""
        return sum(map(len, self.data))

    def __len__(self) -> int:
        return len(self.data)

    @overload
    def __getitem__(self, at: int) -> Message: ...
    @overload
    def __getitem__(self, at: slice) -> "Messages": ...
    def __getitem__(self, at: int | slice) -> "Message | Messages":
        if isinstance(at, slice):
            return Messages(
                self.data[at],
                self.attributes[at],
                self.message_ids[at],
                self.positions[at],
                self.received[at],
                self.ack_ids[at],
                None if self.items is None else self.items[at],
            )
        if self.items is not None:
            return self.items[at]
        return Message(
            self.data[at],
            self.attributes[at],
            self.message_ids[at],
            self.positions[at],
            int(self.received[at]),
            self.ack_ids[at],
        )


def texts(values: Sequence[str]) -> pl.Series:
    return pl.Series("", values, dtype=pl.String)


def position(store: str, message_id: str) -> str:
    """store: the broker's store id; empty for Pub/Sub itself, whose message ids never repeat within a topic."""
    return f"{store}/{message_id}"


def event_position(position: str, number: int) -> str:
    """The position of one event of a message; number: which of its events. The first has the message's own."""
    return f"{position}#{number}" if number else position
