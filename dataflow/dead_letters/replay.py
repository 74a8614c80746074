"""Replay: dead letters that would be accepted now are published to their stream's topic again.

A replay is a new publication and goes the way of every event; nothing is written past the pipeline. So its message is
counted like any other, and published = raw + dead + duplicates holds. See README.md.
"""

import datetime
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl
from google.api_core import exceptions as api
from google.cloud import bigquery

from dataflow.core import Anonymizer
from dataflow.dead_letters.envelope import open_dead_letter
from dataflow.dead_letters.table import DeadLetters, Envelope, Filter
from dataflow.errors import NorenError
from dataflow.keys import Sealer
from dataflow.schemas import anonymized_table, raw_table, replay_table
from dataflow.sinks.base import Sink

CHUNK = 1_000
"""Letters that are checked, published and recorded together: what a crash may publish once more."""

CHUNK_BYTES = 32 << 20
"""Of payload in a chunk: bounds memory."""

ORIGIN = "noren-replay-of"
MESSAGE_ID = "noren-original-message-id"
PUBLISH_TIME = "noren-original-publish-time"

type Message = tuple[bytes, Mapping[str, str]]
"""(data, attributes) to publish."""

type Publish = Callable[[str, Sequence[Message]], list[str]]
"""(stream, messages) -> the ids of the accepted messages, in order."""


@dataclass
class Report:
    """What became of the letters that were asked for; each is in exactly one of the counts.

    published: reason -> published again (with `dry_run`: would be). refused: (old reason, new reason) -> the contract
    of now refuses them still. landed: reason -> a row of the same identity is in the tables already. unread: reason ->
    cannot be opened with this key ring.
    """

    stream: str
    contract_version: str
    policy_version: str
    dry_run: bool
    published: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    landed: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)

    @property
    def letters(self) -> int:
        return sum(sum(part.values()) for part in (self.published, self.refused, self.landed, self.unread))

    def to_dict(self) -> dict[str, object]:
        refused = [{"reason": old, "now": new, "letters": count} for (old, new), count in sorted(self.refused.items())]
        return {
            "stream": self.stream,
            "contract_version": self.contract_version,
            "policy_version": self.policy_version,
            "dry_run": self.dry_run,
            "letters": self.letters,
            "published": dict(self.published),
            "refused": refused,
            "landed": dict(self.landed),
            "unread": dict(self.unread),
        }


@dataclass(frozen=True)
class _Opened:
    envelope: Envelope
    data: bytes
    attributes: Mapping[str, str]


class Replayer:
    """Replays the dead letters of one stream.

    anonymizer: what the stream's pipeline runs under now. sealer: opens the letters. sink: writes the record.
    """

    def __init__(
        self, client: bigquery.Client, anonymizer: Anonymizer, sealer: Sealer, sink: Sink, publish: Publish
    ) -> None:
        self._client = client
        self._letters = DeadLetters(client)
        self._anonymizer = anonymizer
        self._sealer = sealer
        self._sink = sink
        self._publish = publish

    def replay(
        self,
        wanted: Filter,
        limit: int | None = None,
        dry_run: bool = False,
        report: Callable[[Report], None] = lambda _: None,
    ) -> Report:
        """Publish those of `wanted` that would be accepted now and are in no table yet.

        wanted: its stream has to be the anonymizer's. limit: at most so many letters are looked at, oldest first.
        report: called after each chunk. Raises NorenError when the broker or the warehouse refuses; what was published
        until then is recorded.
        """
        contract = self._anonymizer.contract
        if wanted.streams != (contract.stream,):
            raise ValueError(f"the filter is not of the stream {contract.stream}")
        result = Report(contract.stream, contract.version, self._anonymizer.policy.version, dry_run)
        if not dry_run:
            self._sink.ensure(replay_table())
        run = uuid.uuid4().hex[:12]
        for number, chunk in enumerate(_chunks(self._letters.sealed(wanted, limit))):
            good = self._acceptable(self._opened(chunk, result), result)
            if good and not dry_run:
                ids = self._publish(contract.stream, [_message(letter) for letter in good])
                self._record(good, ids, f"replay-{run}-{number:06d}")
            result.published.update(letter.envelope.reason for letter in good)
            report(result)
        return result

    def _opened(self, chunk: Iterable[tuple[Envelope, bytes]], result: Report) -> list[_Opened]:
        opened: list[_Opened] = []
        for envelope, sealed in chunk:
            try:
                opened.append(_Opened(envelope, *open_dead_letter(sealed, envelope.dead_token, self._sealer)))
            except NorenError:
                result.unread[envelope.reason] += 1
        return opened

    def _acceptable(self, letters: list[_Opened], result: Report) -> list[_Opened]:
        """Those of which the core accepts an event, by the clock of now, whose token is in no table."""
        if not letters:
            return []
        now = time.time_ns() // 1_000
        unpacked = self._anonymizer.unpack(
            [letter.data for letter in letters],
            [letter.attributes for letter in letters],
            [now] * len(letters),
        )
        outcome = self._anonymizer.process(unpacked.batch)
        refused: dict[int, str] = {}
        for reject in outcome.rejects:
            refused.setdefault(unpacked.message[reject.index], reject.reason.value)
        tokens: dict[int, list[str]] = {}
        for index, token in zip(outcome.index, outcome.raw["event_token"], strict=True):
            tokens.setdefault(unpacked.message[index], []).append(token)
        known = self._known([token for several in tokens.values() for token in several])
        good: list[_Opened] = []
        for place, letter in enumerate(letters):
            if place not in tokens:
                result.refused[letter.envelope.reason, refused[place]] += 1
            elif known.issuperset(tokens[place]):
                result.landed[letter.envelope.reason] += 1
            else:
                good.append(letter)
        return good

    def _known(self, tokens: list[str]) -> set[str]:
        """Those of the event tokens that a table has: deduplication remembers eight days, the tables longer."""
        contract, policy = self._anonymizer.contract, self._anonymizer.policy
        found: set[str] = set()
        for table in (raw_table(contract), anonymized_table(contract, policy)):
            query = (
                f"SELECT DISTINCT event_token FROM `{self._client.project}.{table.id}` "  # noqa: S608
                "WHERE event_token IN UNNEST(@tokens)"
            )
            config = bigquery.QueryJobConfig(
                query_parameters=[bigquery.ArrayQueryParameter("tokens", "STRING", sorted(set(tokens) - found))]
            )
            try:
                found |= {row["event_token"] for row in self._client.query_and_wait(query, job_config=config)}
            except api.NotFound:  # the pipeline never ran
                continue
        return found

    def _record(self, letters: list[_Opened], ids: list[str], batch_id: str) -> None:
        now = datetime.datetime.now(datetime.UTC)
        rows = [
            {
                "dead_token": letter.envelope.dead_token,
                "stream": letter.envelope.stream,
                "reason": letter.envelope.reason,
                "replay_time": now,
                "message_id": message_id,
            }
            for letter, message_id in zip(letters, ids, strict=True)
        ]
        schema = {name: kind for name, kind in replay_table().polars().items() if name != "batch_id"}
        self._sink.write(replay_table(), pl.DataFrame(rows, schema=schema, orient="row"), batch_id)


def _message(letter: _Opened) -> Message:
    """The message to publish: data and attributes as they were, and where they come from.

    What the broker itself adds is left out: it refuses attributes that begin with `goog`
    (https://cloud.google.com/pubsub/docs/publisher#using-attributes), and a new message was not given up yet.
    """
    attributes = {
        name: value
        for name, value in letter.attributes.items()
        if not name.startswith(("goog", "CloudPubSubDeadLetterSource"))
    }
    attributes[ORIGIN] = letter.envelope.dead_token
    # of a letter that was a replay itself the first message counts
    attributes.setdefault(MESSAGE_ID, letter.envelope.message_id)
    attributes.setdefault(PUBLISH_TIME, letter.envelope.received.isoformat().replace("+00:00", "Z"))
    return letter.data, attributes


def _chunks(letters: Iterable[tuple[Envelope, bytes]]) -> Iterator[list[tuple[Envelope, bytes]]]:
    chunk: list[tuple[Envelope, bytes]] = []
    size = 0
    for letter in letters:
        if chunk and (len(chunk) >= CHUNK or size + len(letter[1]) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(letter)
        size += len(letter[1])
    if chunk:
        yield chunk
