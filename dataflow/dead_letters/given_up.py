"""A message that the broker itself gave up, as it comes from the dead-letter topic.

The broker says when the original was published and nothing else of it: not its message id
(https://cloud.google.com/pubsub/docs/handling-failures). So bytes, attributes and that time name the original.
"""

import datetime
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from dataflow.core import Reason, Reject
from dataflow.core.rejects import WHOLE
from dataflow.dead_letters.envelope import UNIX, DeadLetter
from dataflow.sources.message import Message

BROKERS = "CloudPubSubDeadLetterSource"
"""What the names of the attributes that the broker adds begin with."""

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class GivenUp:
    """One message of the dead-letter topic.

    attributes: the original's own. published: when the original was published, microseconds; `until` ends what the
    broker's text of it leaves open (Google's has milliseconds).
    position: names the original, however often the broker forwards it.
    """

    message: Message
    attributes: Mapping[str, str]
    published: int
    until: int
    position: str

    @classmethod
    def of(cls, message: Message) -> "GivenUp":
        attributes = {name: value for name, value in message.attributes.items() if not name.startswith(BROKERS)}
        text = message.attributes.get(f"{BROKERS}TopicPublishTime", "")
        found = _TIME.fullmatch(text)
        if found is None:  # published to the dead-letter topic by somebody else: a message of its own
            return cls(message, attributes, message.received, message.received + 1, f"{message.position}/undeliverable")
        seconds = (datetime.datetime.fromisoformat(found[1] + found[3]) - UNIX) // datetime.timedelta(seconds=1)
        digits = found[2] or ""
        published = seconds * 1_000_000 + int(digits[:6].ljust(6, "0") or 0)
        until = published + (1 if len(digits) >= 6 else 1_000)
        content = msgspec.msgpack.encode((message.data, sorted(attributes.items()), text))
        store = message.position.rpartition("/")[0]
        return cls(
            message, attributes, published, until, f"{store}/undeliverable/{hashlib.sha256(content).hexdigest()}"
        )

    def letter(self) -> DeadLetter:
        """The dead letter that it becomes. Nobody looks into its payload: it may be what killed whoever took it."""
        count = self.message.attributes.get(f"{BROKERS}DeliveryCount", "")
        words = f"was given up by the broker after {count if count.isdecimal() else 'too many'} deliveries"
        reject = Reject(0, Reason.UNDELIVERABLE, WHOLE, words)
        return DeadLetter(
            reject,
            self.message.data,
            self.attributes,
            self.message.message_id,
            self.position,
            self.published,
            opaque=True,
        )

    def holds(self, received: int) -> bool:
        """Whether a message that was received then may be the original."""
        return self.published <= received < self.until
