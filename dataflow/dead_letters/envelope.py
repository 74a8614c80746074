"""The envelope of a dead letter: a row of `dead_letter.events` for an event that could not be accepted.

In clear stand the reason, the names that the contract declares and the attributes that the policy allows; the
message itself only sealed. Error text that quotes the message would leak it (mozilla/gcp-ingestion#1096).
"""

import datetime
import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import polars as pl

from dataflow.contract import Contract
from dataflow.core import Reject
from dataflow.core.redact import redacted
from dataflow.keys import Sealer
from dataflow.policy import Policy
from dataflow.schemas import dead_letter_table

PURPOSE = "dead_letter"
"""The key purpose that messages are sealed under."""

UNIX = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class DeadLetter:
    """One refused event.

    payload: its own bytes: what is sealed, and with the attributes can be published again.
    received: microseconds of broker publish time.
    text: the event as JSON, where the payload is another format; empty when there is none.
    opaque: nobody may look into the payload, not even for its shape: it may kill who does.
    """

    reject: Reject
    payload: bytes
    attributes: Mapping[str, str]
    message_id: str
    position: str
    received: int
    text: bytes = b""
    opaque: bool = False


def dead_letter_rows(letters: Sequence[DeadLetter], contract: Contract, policy: Policy, sealer: Sealer) -> pl.DataFrame:
    """Rows of the dead-letter table, without `batch_id`."""
    if not letters:
        return _none()
    rows = []
    for letter in letters:
        token = dead_token(contract.stream, letter.position)
        clear = [
            {"name": name, "value": value}
            for name, value in sorted(letter.attributes.items())
            if name in policy.clear_attributes
        ]
        content = msgspec.msgpack.encode((letter.payload, dict(letter.attributes)))
        rows.append(
            {
                "dead_token": token,
                "stream": contract.stream,
                "reason": letter.reject.reason.value,
                "field": letter.reject.field,
                "message": letter.reject.message,
                "contract_version": contract.version,
                "policy_version": policy.version,
                "receive_time": UNIX + datetime.timedelta(microseconds=letter.received),
                "message_id": letter.message_id,
                "payload_bytes": len(letter.payload),
                "attributes": clear,
                "payload_redacted": None if letter.opaque else redacted(letter.text or letter.payload, contract),
                "sealed": sealer.seal(content, token.encode()),
            }
        )
    return pl.DataFrame(rows, schema=_none().schema, orient="row")


@functools.cache
def _none() -> pl.DataFrame:
    """No rows, made once: most batches have none."""
    schema = {name: kind for name, kind in dead_letter_table().polars().items() if name != "batch_id"}
    return pl.DataFrame(schema=schema)


def dead_token(stream: str, position: str) -> str:
    """Names a dead letter: a position is unique within its stream only (Pub/Sub numbers messages by topic)."""
    return hashlib.sha256(f"{stream}\0{position}".encode()).hexdigest()[:32]


def open_dead_letter(sealed: bytes, dead_token: str, sealer: Sealer) -> tuple[bytes, dict[str, str]]:
    """(data, attributes) of the message behind a dead letter. Raises NorenError with another key."""
    return msgspec.msgpack.decode(sealer.open(sealed, dead_token.encode()), type=tuple[bytes, dict[str, str]])
