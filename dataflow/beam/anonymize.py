"""Messages in, candidates out: the core in one DoFn, a bundle's messages as one batch.

Beam's own BatchElements holds its batches in state, at 30 us an event; a shuffle costs 23. A list in the DoFn costs
nothing, and a bundle is a batch already where the runner makes large ones.
"""

import datetime
from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from dataflow.beam.settings import Settings, without_values
from dataflow.errors import NorenError
from dataflow.sources.message import Message, position

BATCH_MESSAGES = 8_192

BATCH_BYTES = 32 << 20
"""Payload bytes after which a batch is full: bounds memory."""

UNIX = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class AnonymizeFn(beam.DoFn):
    """PubsubMessage -> (shard, Candidates), in the global window.

    Raises NorenError for what no event is to blame for, and the runner tries the bundle again. Its text holds no value.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._messages: list[Message] = []
        self._bytes = 0

    def setup(self) -> None:
        self._preparer = self._settings.preparer()

    def start_bundle(self) -> None:
        self._messages, self._bytes = [], 0  # a bundle that failed may have left some

    def process(self, element: PubsubMessage) -> Iterable[WindowedValue]:
        message = _message(element)
        self._messages.append(message)
        self._bytes += len(message.data)
        if len(self._messages) >= BATCH_MESSAGES or self._bytes >= BATCH_BYTES:
            return self._flush()
        return ()

    def finish_bundle(self) -> Iterable[WindowedValue]:
        return self._flush() if self._messages else ()

    def _flush(self) -> Iterator[WindowedValue]:
        messages, self._messages, self._bytes = self._messages, [], 0
        try:
            candidates = self._preparer.prepare(messages)
        except NorenError:
            raise
        except Exception as error:  # noqa: BLE001  (polars and others quote values in their errors)
            raise without_values(self._settings.contract.stream, error) from None
        time = Timestamp(micros=candidates.newest)
        for keyed in candidates.split(self._settings.shards).items():
            yield WindowedValue(keyed, time, (GlobalWindow(),))


def _message(element: PubsubMessage) -> Message:
    """Raises NorenError for a message without id or publish time: all such would pass for one, delivered again."""
    if not element.message_id or element.publish_time is None:
        raise NorenError("A message has no id or publish time: read with ReadFromPubSub(with_attributes=True).")
    return Message(
        data=element.data or b"",
        attributes=element.attributes or {},
        message_id=element.message_id,
        position=position("", element.message_id),
        received=(element.publish_time - UNIX) // datetime.timedelta(microseconds=1),
        ack_id="",
    )
