"""Debezium's change events -> the event as JSON.

https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-events

The envelope has `op`, `before`, `after`, `source` and `ts_ms`, bare or as `payload` beside its `schema`. The event has
the columns of `after` by their own names, and beside them those members of `change` that the contract declares:

- `operation`: c (insert), u (update), d (delete) or r (read: a snapshot or a poll);
- `time`: when the database says it happened (source.ts_ms; of a read when it was read), so tokens are of that epoch;
- `sequence`: source.lsn, an integer: of two changes of a row the later one has the higher;
- `version`: text that tells the changes of a row apart: the source's `cursor` where a poll gives one, else the LSN;
- `table`: schema and table; `transaction`: source.txId.

A delete has its key (the contract's identity) and `change` alone: no value of the deleted row goes on. A tombstone,
which follows a delete for the sake of Kafka's compaction, says nothing new: it is a message without events. Where a
long value did not change Debezium has a placeholder; the value is taken from `before`, else it is absent.
"""

import base64
import binascii
import datetime
import decimal
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from dataflow.contract import CHANGE, Contract
from dataflow.core.rejects import Reason, RefusedError, explain

UNAVAILABLE = b'"__debezium_unavailable_value"'

_UNIX = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_TOMBSTONES = (b"", b"null")


class _Source(msgspec.Struct, gc=False):
    ts_ms: int | None = None
    lsn: int | None = None
    txId: int | None = None  # noqa: N815  (Debezium's)
    schema: str | None = None
    table: str | None = None
    cursor: str | None = None


class _Envelope(msgspec.Struct, gc=False):
    op: str
    source: _Source
    before: dict[str, Raw] | None = None
    after: dict[str, Raw] | None = None
    ts_ms: int | None = None


class _Message(msgspec.Struct, gc=False):
    op: Raw | UnsetType = UNSET
    payload: Raw | UnsetType = UNSET
    schema: Raw | UnsetType = UNSET


class DebeziumReader:
    """Reads change events for one contract."""

    def __init__(self, contract: Contract) -> None:
        self._decode = msgspec.json.Decoder(_Envelope).decode
        self._message = msgspec.json.Decoder(_Message).decode
        self._encode = msgspec.json.Encoder().encode
        self._key = contract.key
        self._change = [child.name for field in contract.fields if field.name == CHANGE for child in field.children]
        self._conversions: dict[bytes, dict[str, Convert]] = {}

    def read(self, data: bytes) -> bytes | None:
        """The event of one message, None for a tombstone. Broken JSON comes back as it is, for the decoder to refuse.

        Raises RefusedError for JSON that is no change event.
        """
        if data.strip() in _TOMBSTONES:
            return None
        try:
            conversions: dict[str, Convert] = {}
            message = self._message(data)
            if message.op is UNSET and message.payload is not UNSET:
                if bytes(message.payload) == b"null":
                    return None
                conversions = self._converted(message.schema)
                data = bytes(message.payload)
            envelope = self._decode(data)
        except msgspec.ValidationError as error:
            reject = explain(0, str(error))
            raise RefusedError(reject.reason, reject.message, reject.field) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return data
        return self._encode(self._event(envelope, conversions))

    def _event(self, envelope: _Envelope, conversions: dict[str, "Convert"]) -> dict[str, Any]:
        before, after = envelope.before or {}, envelope.after or {}
        if envelope.op == "d":
            row = {name: before[name] for name in self._key if name in before}
        elif envelope.op in ("c", "u", "r"):
            long = {name for name, value in after.items() if bytes(value) == UNAVAILABLE}
            row = {name: before.get(name, value) if name in long else value for name, value in after.items()}
        else:
            raise RefusedError(Reason.NOT_ALLOWED, "is no change of a row: only c, u, d and r are", "op")
        event: dict[str, Any] = {}
        for name, value in row.items():
            if bytes(value) in (b"null", UNAVAILABLE):
                continue
            convert = conversions.get(name)
            event[name] = _sure(name, convert, value) if convert else value
        event[CHANGE] = {name: value for name in self._change if (value := _change(envelope, name)) is not None}
        return event

    def _converted(self, schema: Raw | UnsetType) -> dict[str, "Convert"]:
        """Conversions by column of a message's schema; messages of one table have the same."""
        if schema is UNSET:
            return {}
        text = bytes(schema)
        if text not in self._conversions:
            if len(self._conversions) > MOST_SCHEMAS:
                self._conversions.clear()
            self._conversions[text] = _conversions(msgspec.json.decode(text))
        return self._conversions[text]


MOST_SCHEMAS = 100

type Convert = Callable[[Any], Any]


def _change(envelope: _Envelope, name: str) -> Any:
    source = envelope.source
    match name:
        case "operation":
            return envelope.op
        case "time":
            millis = source.ts_ms if source.ts_ms is not None else envelope.ts_ms
            return None if millis is None else _moment(millis, 1_000)
        case "sequence":
            return source.lsn
        case "version":
            return source.cursor if source.cursor is not None else None if source.lsn is None else str(source.lsn)
        case "table":
            return ".".join(part for part in (source.schema, source.table) if part)
        case "transaction":
            return source.txId
    return None


def _conversions(schema: Any) -> dict[str, Convert]:
    """What the columns' schema names ask for (https://debezium.io/documentation/reference/stable/connectors/
    postgresql.html#postgresql-temporal-types); other values stay as they are."""
    found: dict[str, Convert] = {}
    for part in (schema or {}).get("fields") or []:
        if part.get("field") != "after":
            continue
        for column in part.get("fields") or []:
            name, kind = column.get("field"), column.get("name")
            if kind in _UNITS:
                found[name] = partial(_moment, unit=_UNITS[kind])
            elif kind in ("io.debezium.time.Date", "org.apache.kafka.connect.data.Date"):
                found[name] = lambda value: (_UNIX + datetime.timedelta(days=value)).date().isoformat()
            elif kind == "org.apache.kafka.connect.data.Decimal":
                found[name] = partial(_decimal, scale=int((column.get("parameters") or {}).get("scale", 0)))
            elif kind == "io.debezium.data.Json":
                found[name] = lambda value: Raw(value.encode())
    return found


_UNITS = {
    "io.debezium.time.Timestamp": 1_000,
    "org.apache.kafka.connect.data.Timestamp": 1_000,
    "io.debezium.time.MicroTimestamp": 1_000_000,
    "io.debezium.time.NanoTimestamp": 1_000_000_000,
}
"""Schema name of a time without a zone, which Debezium reads as UTC -> units in a second."""


def _moment(value: int, unit: int) -> str:
    micros = value * 1_000_000 // unit
    return (_UNIX + datetime.timedelta(microseconds=micros)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _decimal(value: str, scale: int) -> Raw:
    unscaled = int.from_bytes(base64.b64decode(value, validate=True), "big", signed=True)
    return Raw(format(decimal.Decimal(unscaled).scaleb(-scale), "f").encode())


def _sure(name: str, convert: Convert, value: Raw) -> Any:
    try:
        return convert(msgspec.json.decode(value))
    except (TypeError, ValueError, AttributeError, OverflowError, binascii.Error, decimal.DecimalException) as error:
        raise RefusedError(Reason.WRONG_TYPE, "is not what the message's schema says", name) from error
