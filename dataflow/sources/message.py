"""One message of a broker."""

from collections.abc import Mapping

import msgspec


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


def position(store: str, message_id: str) -> str:
    """store: the broker's store id; empty for Pub/Sub itself, whose message ids never repeat within a topic."""
    return f"{store}/{message_id}"


def event_position(position: str, number: int) -> str:
    """The position of one event of a message; number: which of its events. The first has the message's own."""
    return f"{position}#{number}" if number else position
