"""Cloud Logging's LogEntry, as a sink publishes it, -> the event as JSON.

https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry

The event has the members of jsonPayload, by their own names, and beside them those of these that the contract declares:

- `text_payload`: textPayload;
- `log_entry`: insert_id, timestamp, receive_timestamp, log_name, severity, trace, span_id, resource_type, and labels
  (a map). Identity by `log_entry.insert_id`, `log_entry.timestamp` and `log_entry.log_name` is how Cloud Logging itself
  tells duplicates;
- `http_request`: method, url, status, user_agent, remote_ip, server_ip, referer, protocol, request_size, response_size
  (numbers of bytes) and latency (seconds).

What of the envelope the contract does not declare is not counted as unknown. A member of jsonPayload with one of the
three names gives way to the envelope's where the entry has it. protoPayload (audit logs) is not read.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from dataflow.contract import Contract, FieldType
from dataflow.core.rejects import RefusedError, explain

TEXT, ENTRY, REQUEST = "text_payload", "log_entry", "http_request"

_ENTRY = frozenset(
    {"insert_id", "timestamp", "receive_timestamp", "log_name", "severity", "trace", "span_id", "labels"}
)
_REQUEST = {
    "method": "requestMethod",
    "url": "requestUrl",
    "status": "status",
    "user_agent": "userAgent",
    "remote_ip": "remoteIp",
    "server_ip": "serverIp",
    "referer": "referer",
    "protocol": "protocol",
    "request_size": "requestSize",
    "response_size": "responseSize",
    "latency": "latency",
}
_SIZES = ("request_size", "response_size")
_LATENCY = re.compile(rb'"(\d{1,12}(?:\.\d{1,9})?)s"')
_SIZE = re.compile(rb'"(\d{1,18})"')


class _Resource(msgspec.Struct, gc=False):
    type: Raw | UnsetType = UNSET


class _LogEntry(msgspec.Struct, rename="camel", gc=False):
    insert_id: Raw | UnsetType = UNSET
    timestamp: Raw | UnsetType = UNSET
    receive_timestamp: Raw | UnsetType = UNSET
    log_name: Raw | UnsetType = UNSET
    severity: Raw | UnsetType = UNSET
    trace: Raw | UnsetType = UNSET
    span_id: Raw | UnsetType = UNSET
    labels: Raw | UnsetType = UNSET
    resource: _Resource | None = None
    json_payload: dict[str, Raw] | None = None
    text_payload: Raw | UnsetType = UNSET
    http_request: dict[str, Raw] | None = None


class LogEntryReader:
    """Reads entries for one contract."""

    def __init__(self, contract: Contract) -> None:
        self._decode = msgspec.json.Decoder(_LogEntry).decode
        self._encode = msgspec.json.Encoder().encode
        self._text = any(field.name == TEXT for field in contract.fields)
        self._entry = _declared(contract, ENTRY)
        self._request = _declared(contract, REQUEST)

    def read(self, data: bytes) -> bytes:
        """The event of one entry, as JSON. JSON that is broken comes back as it is: the decoder says what is wrong.

        Raises RefusedError for JSON that is no LogEntry.
        """
        try:
            entry = self._decode(data)
        except msgspec.ValidationError as error:
            reject = explain(0, str(error))
            raise RefusedError(reject.reason, reject.message, reject.field) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return data
        event: dict[str, Any] = dict(entry.json_payload or {})
        if self._text and entry.text_payload is not UNSET:
            event[TEXT] = entry.text_payload
        if self._entry:
            event[ENTRY] = {name: value for name in self._entry if (value := _of_entry(entry, name)) is not UNSET}
        if self._request and entry.http_request is not None:
            event[REQUEST] = {
                name: value for name in self._request if (value := _of_request(entry.http_request, name)) is not UNSET
            }
        return self._encode(event)


def _declared(contract: Contract, name: str) -> list[str]:
    """The members of the contract's object of this name."""
    return [
        child.name
        for field in contract.fields
        if field.name == name and field.type is FieldType.OBJECT
        for child in field.children
    ]


def _of_entry(entry: _LogEntry, name: str) -> Raw | UnsetType:
    if name == "resource_type":
        return entry.resource.type if entry.resource else UNSET
    return getattr(entry, name) if name in _ENTRY else UNSET


def _of_request(request: Mapping[str, Raw], name: str) -> Raw | UnsetType:
    """Sizes are text of a number in an entry, the latency text of seconds; what is neither is left as it is."""
    value = request.get(_REQUEST.get(name, ""))
    if value is None:
        return UNSET
    pattern = _SIZE if name in _SIZES else _LATENCY if name == "latency" else None
    if pattern is not None and (number := pattern.fullmatch(bytes(value))):
        return Raw(number[1].lstrip(b"0") or b"0") if name in _SIZES else Raw(_seconds(number[1]))
    return value


def _seconds(digits: bytes) -> bytes:
    return repr(float(digits)).encode()


__all__ = ["ENTRY", "REQUEST", "TEXT", "LogEntryReader"]
