"""The records of the log, one class each. A frame of the log is a list of them that holds wholly or not at all.

The first group are changes as they happen. The second group are whole states; compaction writes a log of only these.
Topics, subscriptions and snapshots are named by a serial number, since a name can be deleted and created again.
Numbers are message numbers, packed as 8-byte integers of the machine (`pack`, `unpack`).
"""

from array import array
from collections.abc import Iterable

from msgspec import Struct, msgpack


def pack(numbers: Iterable[int]) -> bytes:
    return array("Q", numbers).tobytes()


def unpack(packed: bytes) -> array[int]:
    numbers = array("Q")
    numbers.frombytes(packed)
    return numbers


class Published(Struct, array_like=True, tag="publish"):
    """`count` messages got the ids from `first` on; `chunks` is empty when nobody could ever receive them."""

    topic: int
    first: int
    count: int
    chunks: bytes


class Acknowledged(Struct, array_like=True, tag="ack"):
    subscription: int
    numbers: bytes


class Failed(Struct, array_like=True, tag="fail"):
    """How often the delivery of each message has failed by now; kept where a dead-letter policy counts."""

    subscription: int
    failures: dict[int, int]


class SoughtTime(Struct, array_like=True, tag="seek-time"):
    """time: nanoseconds since 1970."""

    subscription: int
    time: int


class SoughtSnapshot(Struct, array_like=True, tag="seek-snapshot"):
    subscription: int
    snapshot: int


class TopicDeleted(Struct, array_like=True, tag="topic-deleted"):
    topic: int


class SubscriptionDeleted(Struct, array_like=True, tag="subscription-deleted"):
    subscription: int


class SnapshotTaken(Struct, array_like=True, tag="snapshot-taken"):
    snapshot: int
    topic: int
    proto: bytes
    subscription: int


class SnapshotDeleted(Struct, array_like=True, tag="snapshot-deleted"):
    snapshot: int


class SchemaDeleted(Struct, array_like=True, tag="schema-deleted"):
    name: str


class Counters(Struct, array_like=True, tag="counters"):
    """The next message number and the next serial of a resource."""

    number: int
    serial: int


class TopicSet(Struct, array_like=True, tag="topic"):
    """A topic was made or changed. accepted: messages accepted in all, counted from its creation."""

    topic: int
    proto: bytes
    accepted: int


class SubscriptionSet(Struct, array_like=True, tag="subscription"):
    """A subscription was made or changed. topic: -1 when its topic is gone."""

    subscription: int
    topic: int
    proto: bytes


class SnapshotSet(Struct, array_like=True, tag="snapshot"):
    """A snapshot was changed. topic: -1 when its topic is gone."""

    snapshot: int
    topic: int
    proto: bytes


class SchemaSet(Struct, array_like=True, tag="schema"):
    """All revisions of a schema, oldest first: each a serialized `Schema` and the compiled descriptors (or nothing)."""

    name: str
    revisions: list[tuple[bytes, bytes]]


class Held(Struct, array_like=True, tag="held"):
    """Messages that later records of this log name by number."""

    chunks: bytes


class Retained(Struct, array_like=True, tag="retained"):
    """What a topic retains."""

    topic: int
    numbers: bytes


class Backlog(Struct, array_like=True, tag="backlog"):
    """A subscription's unacknowledged messages, its retained acknowledged ones, failed deliveries, number of seeks."""

    subscription: int
    numbers: bytes
    acknowledged: bytes
    failures: dict[int, int]
    seeks: int


class SnapshotHolds(Struct, array_like=True, tag="snapshot-holds"):
    snapshot: int
    numbers: bytes


Record = (
    Published
    | Acknowledged
    | Failed
    | SoughtTime
    | SoughtSnapshot
    | TopicDeleted
    | SubscriptionDeleted
    | SnapshotTaken
    | SnapshotDeleted
    | SchemaDeleted
    | Counters
    | TopicSet
    | SubscriptionSet
    | SnapshotSet
    | SchemaSet
    | Held
    | Retained
    | Backlog
    | SnapshotHolds
)

encode = msgpack.Encoder().encode
decode = msgpack.Decoder(list[Record]).decode
