"""The catalogue of reason codes: why an event was not accepted. They stand in dead_letter.events and in metrics."""

from enum import StrEnum


class Reason(StrEnum):
    """One reason code. A code is never renamed or used for something else: dashboards and replays name it.

    meaning: one sentence; the table in dataflow/dead_letters/README.md is the same.
    """

    meaning: str

    def __new__(cls, code: str, meaning: str) -> "Reason":
        reason = str.__new__(cls, code)
        reason._value_ = code
        reason.meaning = meaning
        return reason

    EMPTY_MESSAGE = "empty_message", "The message has no data."
    TOO_LARGE = "too_large", "The message, or what it unpacks to, is larger than the contract allows."
    INVALID_UTF8 = "invalid_utf8", "Text is not UTF-8."
    MALFORMED_JSON = "malformed_json", "The message is no JSON object."
    TOO_DEEP = "too_deep", "The JSON is nested too deeply to be read safely."
    WRONG_TYPE = "wrong_type", "The field holds another type than the contract declares."
    MISSING_FIELD = "missing_field", "A required field is missing."
    NOT_ALLOWED = "not_allowed", "The value is none of those that the contract lists."
    OUT_OF_RANGE = "out_of_range", "The number lies outside the contract's limits."
    WRONG_LENGTH = "wrong_length", "The text or array is shorter or longer than the contract allows."
    INVALID_TIMESTAMP = "invalid_timestamp", "The time is not RFC 3339 with a zone."
    INVALID_DATE = "invalid_date", "The date is not of the form 2024-01-15."
    INVALID_FORMAT = "invalid_format", "The text does not match the contract's pattern or format."
    FUTURE_EVENT = "future_event", "The event happened after the broker received it: the sender's clock is wrong."
    TOO_OLD = "too_old", "The event happened before the year 2000: the sender's clock was never set."
    MALFORMED_COMPRESSION = "malformed_compression", "The message cannot be decompressed."
    MALFORMED_AVRO = "malformed_avro", "The message is not what its Avro schema says."
    MALFORMED_PROTOBUF = "malformed_protobuf", "The message is not what its Protocol Buffers schema says."
    UNKNOWN_SCHEMA = "unknown_schema", "The message names a schema that is not known or cannot be used."
    UNDELIVERABLE = "undeliverable", "The broker gave the message up after too many deliveries; nobody looked into it."


def meaning(code: str) -> str | None:
    """The sentence of a reason code; None for a code of another version of the catalogue."""
    return {reason.value: reason.meaning for reason in Reason}.get(code)
