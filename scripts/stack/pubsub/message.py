"""A message as the server keeps it: the bytes that go to the log are the bytes that go to subscribers.

`PublishRequest.messages` and `ReceivedMessage.message` are both field 2 and of the same type. So a message is framed
once as field 2, and is then copied as it is into the log, into every pull response and into every streaming response;
it is parsed again only for filters and dead letters. That is where the server's speed comes from.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.pubsub_v1 import types
from msgspec import Struct

PublishRequest = types.PublishRequest.pb()

NANOS = 1_000_000_000


def varint(value: int) -> bytes:
    """A non-negative integer in protobuf's base-128 encoding."""
    if value < 0x80:
        return bytes((value,))
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


@functools.cache
def _frames() -> Any:
    """A PublishRequest whose messages are left as bytes."""
    file = descriptor_pb2.FileDescriptorProto(name="noren/stack/frames.proto", package="noren.stack", syntax="proto3")
    kind = descriptor_pb2.FieldDescriptorProto
    file.message_type.add(name="Frames").field.add(
        name="messages", number=2, type=kind.TYPE_BYTES, label=kind.LABEL_REPEATED
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("noren.stack.Frames"))


def bodies(request: bytes) -> list[bytes]:
    """The messages of a serialized PublishRequest as its publisher serialized them."""
    return list(_frames().FromString(request).messages)


class Openings(dict[int, bytes]):
    """What a field with a number begins with: its length, or itself. Those of small numbers are made once."""

    def __init__(self, field: bytes) -> None:
        self._field = field

    def __missing__(self, number: int) -> bytes:
        made = self._field + varint(number)
        if number < 1 << 16:
            self[number] = made
        return made


class Message(Struct, gc=False, eq=False):  # made in a tenth of the time of a class with an __init__
    """One accepted message.

    number: its id; the text form is `PubsubMessage.message_id`. Ids rise in the order of acceptance over all topics.
    published: publish time in nanoseconds since 1970 (UTC).
    chunk: the whole `PubsubMessage`, id and time included, framed as field 2.
    key: its ordering key, or "".
    """

    number: int
    published: int
    chunk: bytes
    key: str

    def proto(self) -> Any:
        """The message parsed again, a `PubsubMessage` protobuf."""
        return PublishRequest.FromString(self.chunk).messages[0]

    @property
    def attributes(self) -> Mapping[str, str]:
        return dict(self.proto().attributes)


_MESSAGE = Openings(b"\x12")


def stamp(first: int, published: int, messages: Sequence[Any], serialized: Sequence[bytes] = ()) -> list[Message]:
    """Accept protobuf messages: they get the ids `first`, `first` + 1, ... and the publish time.

    serialized: the same messages as bytes, where they are at hand.
    Id and time are appended to the serialized message; protobuf takes the last value of a field, so whatever a
    publisher wrote into these two is overruled.
    """
    seconds, nanos = divmod(published, NANOS)
    time = b"\x08" + varint(seconds) + b"\x10" + varint(nanos)
    time_field = b"\x22%c%b" % (len(time), time.replace(b"%", b"%%"))
    tail, longer = b"", 0
    kept = []
    serialized = serialized or [message.SerializeToString() for message in messages]
    for number, (message, body) in enumerate(zip(messages, serialized, strict=True), first):
        if number >= longer:  # the first one, and one with more digits than those before it
            digits = len(str(number))
            tail, longer = b"\x1a%c%%d%b" % (digits, time_field), 10**digits
        end = tail % number
        chunk = b"".join((_MESSAGE[len(body) + len(end)], body, end))
        kept.append(Message(number, published, chunk, message.ordering_key))
    return kept


def restore(chunks: bytes) -> Iterator[Message]:
    """The messages of concatenated chunks, as the log has them."""
    for message in PublishRequest.FromString(chunks).messages:
        body = message.SerializeToString()
        time = message.publish_time
        yield Message(
            int(message.message_id),
            time.seconds * NANOS + time.nanos,
            b"\x12" + varint(len(body)) + body,
            message.ordering_key,
        )
