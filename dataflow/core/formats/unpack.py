"""Unpacking: messages of any format -> events as JSON, one place an event."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataflow.contract import Contract, Format
from dataflow.core.batch import Batch, Times
from dataflow.core.formats.avro import AvroReader, UnusableSchemaError
from dataflow.core.formats.compression import plain, plain_binary
from dataflow.core.formats.debezium import DebeziumReader
from dataflow.core.formats.log_entry import LogEntryReader
from dataflow.core.formats.schemas import Definition, Schemas, Writer, writer
from dataflow.core.rejects import Reason, RefusedError
from dataflow.errors import NorenError

MOST_UNPACKED = 16 << 20
"""Bytes that a message of many events may have when it is decompressed: more than Pub/Sub's largest message (10 MB)."""

MOST_EVENTS = 100_000
"""Lines that a message of many events may have: each may become a dead letter, and two bytes are a line."""

type Read = Callable[[Writer], bytes]


@dataclass(frozen=True)
class Unpacked:
    """The events of a batch of messages.

    batch: for the anonymizer. A message that cannot be unpacked is one event of it, which is refused.
    message, number: of each event, which message of the batch it comes from, and which of that message's events it is;
    None where messages hold one each.
    payloads: each event's own bytes: its line of a message of many, else the message as it was published.
    """

    batch: Batch
    message: Sequence[int] | npt.NDArray[np.int64]
    number: Sequence[int] | npt.NDArray[np.int64] | None
    payloads: Sequence[bytes]

    def origin(self, index: int) -> tuple[int, int]:
        """(message, number) of an event."""
        return int(self.message[index]), 0 if self.number is None else int(self.number[index])


class Unpacker:
    """Unpacks the messages of one contract.

    schemas: finds writer schemas; needed for avro and protobuf.
    """

    def __init__(self, contract: Contract, schemas: Schemas | None = None) -> None:
        self._contract = contract
        self._format = contract.format
        self._schemas = schemas
        self._readers: dict[tuple[str, str] | tuple[int], Read] = {}
        self._changes = DebeziumReader(contract) if contract.format is Format.DEBEZIUM else None
        self._log_entries = LogEntryReader(contract) if contract.format is Format.LOG_ENTRY else None

    def unpack(self, data: Sequence[bytes], attributes: Sequence[Mapping[str, str]], received: Times) -> Unpacked:
        """Unpack messages. received: when the broker accepted each, microseconds.

        Raises SchemasAwayError when a writer schema cannot be asked for now; nothing is decided then. Raises NorenError
        when there is nowhere to ask.
        """
        if self._format is Format.JSON:  # decompressed by the decoder, where one does not look like JSON
            return Unpacked(Batch(data, received), range(len(data)), None, data)
        if self._format is Format.NDJSON:
            return self._lines(data, received)
        if self._changes is not None:
            return self._change_events(self._changes, data, received)
        refused: dict[int, RefusedError] = {}
        events: list[bytes] = []
        missing: set[object] = set()
        for index, (message, about) in enumerate(zip(data, attributes, strict=True)):
            try:
                events.append(self._event(message, about, missing))
            except RefusedError as error:
                refused[index] = error
                events.append(b"")
        return Unpacked(Batch(events, received, refused), range(len(data)), None, data)

    def _lines(self, data: Sequence[bytes], received: Times) -> Unpacked:
        refused: dict[int, RefusedError] = {}
        events: list[bytes] = []
        counts: list[int] = []
        for message in data:
            try:
                lines = _split(plain(message, MOST_UNPACKED))
            except RefusedError as error:
                refused[len(events)] = error
                lines = [message]
            lines = lines or [b""]  # a message without events is one dead event
            events += lines
            counts.append(len(lines))
        origins = np.repeat(np.arange(len(data)), counts)
        numbers = np.arange(len(events)) - np.repeat(np.cumsum(counts) - counts, counts)
        batch = Batch(events, np.asarray(received, np.int64)[origins], refused)
        return Unpacked(batch, origins, numbers, events)

    def _change_events(self, reader: DebeziumReader, data: Sequence[bytes], received: Times) -> Unpacked:
        """One event a message; a tombstone has none."""
        refused: dict[int, RefusedError] = {}
        events: list[bytes] = []
        origins: list[int] = []
        for index, message in enumerate(data):
            try:
                event = reader.read(plain(message, self._contract.max_message_bytes + MOST_ENVELOPE))
            except RefusedError as error:
                refused[len(events)] = error
                event = b""
            if event is not None:
                events.append(event)
                origins.append(index)
        batch = Batch(events, [received[index] for index in origins], refused)
        return Unpacked(batch, origins, [0] * len(origins), [data[index] for index in origins])

    def _event(self, data: bytes, attributes: Mapping[str, str], missing: set[object]) -> bytes:
        limit = self._contract.max_message_bytes
        if self._log_entries is not None:
            return self._log_entries.read(plain(data, limit + MOST_ENVELOPE))
        if len(data) > limit:
            raise RefusedError(Reason.TOO_LARGE, f"has {len(data)} bytes, the contract allows {limit}")
        written = writer(plain_binary(data, attributes, limit), attributes)
        return self._reader(written, missing)(written)

    def _reader(self, written: Writer, missing: set[object]) -> Read:
        """missing: keys that were asked for in vain in this batch; a later one asks again."""
        reader = self._readers.get(written.key)
        if reader is not None:
            return reader
        if self._schemas is None:
            raise NorenError(
                f"{self._contract.stream}: its messages are {self._format}; give the pipeline a place to find schemas."
            )
        definition = None if written.key in missing else written.find(self._schemas)
        if definition is None:
            missing.add(written.key)
            raise RefusedError(Reason.UNKNOWN_SCHEMA, f"names a schema that is not known: {_name(written)}")
        if definition.format is not self._format:
            raise RefusedError(Reason.UNKNOWN_SCHEMA, f"names a schema that is {definition.format}: {_name(written)}")
        try:
            reader = self._readers[written.key] = _read(definition)
        except UnusableSchemaError as error:
            raise RefusedError(Reason.UNKNOWN_SCHEMA, f"names a schema that {error}: {_name(written)}") from error
        return reader


def _split(text: bytes) -> list[bytes]:
    """The lines that are not blank. Raises RefusedError for more than MOST_EVENTS lines."""
    lines = text.split(b"\n", MOST_EVENTS + 1)
    if len(lines) > MOST_EVENTS + 1:
        raise RefusedError(Reason.TOO_LARGE, f"has more than {MOST_EVENTS} lines")
    return [line for line in lines if line and not line.isspace()]


MOST_ENVELOPE = 1 << 18
"""Bytes that a log entry may have beside its payload: Cloud Logging's limit of a whole entry
(https://cloud.google.com/logging/quotas#log-limits). A change event has the row before and its schema beside it."""


def _name(written: Writer) -> str:
    """What may be said of the key: an id is a number; a revision is Pub/Sub's, stamped by the service."""
    return f"id {written.key[0]}" if len(written.key) == 1 else "a revision of Pub/Sub's schema service"


def _read(definition: Definition) -> Read:
    """Raises UnusableSchemaError."""
    if definition.format is Format.AVRO:
        avro = AvroReader(definition.text)
        return lambda written: avro.text(written.body) if written.text else avro.binary(written.body)
    from dataflow.core.formats.protobuf import ProtobufReader  # only where a contract needs it

    protobuf = ProtobufReader(definition.descriptors)

    def read(written: Writer) -> bytes:
        if len(written.key) == 1:
            return protobuf.framed(written.body)
        return protobuf.text(written.body) if written.text else protobuf.binary(written.body)

    return read
