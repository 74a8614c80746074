"""From messages to a staged entry: anonymize, deduplicate, stage. What is accepted is decided here, once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from dataflow.core import Anonymizer, Batch, Outcome, Reject
from dataflow.dead_letters import DeadLetter, dead_letter_rows
from dataflow.journal import Entry, Journal, Taken
from dataflow.keys import Sealer
from dataflow.operators.deduplicate import Deduplicator, Index
from dataflow.schemas import unknown_field_table
from dataflow.sources.message import Message


@dataclass(frozen=True)
class Staged:
    """A batch on its way to commit.

    number: its journal entry, None when nothing in it was new: then the messages only wait for what was staged before.
    """

    number: int | None
    entry: Entry
    ack_ids: list[str] = field(default_factory=list)


class Stager:
    """Turns batches of messages into journal entries, and keeps the deduplication state in step with the journal."""

    def __init__(self, anonymizer: Anonymizer, journal: Journal, deduplicator: Deduplicator, sealer: Sealer) -> None:
        self._anonymizer = anonymizer
        self._journal = journal
        self._deduplicator = deduplicator
        self._sealer = sealer

    def stage(self, messages: Sequence[Message]) -> Staged:
        """Anonymize and stage one batch, durably."""
        outcome = self._anonymizer.process(
            Batch([message.data for message in messages], [message.received for message in messages])
        )
        ack_ids = [message.ack_id for message in messages]
        while True:
            entry = self._entry(messages, outcome)
            if not (entry.index.accepted or entry.index.dead or entry.index.duplicates):
                return Staged(None, entry, ack_ids)
            try:
                number = self._journal.stage(entry)
            except Taken as taken:
                self._deduplicator.learn(taken.entry.index)
                continue
            self._deduplicator.learn(entry.index)
            return Staged(number, entry, ack_ids)

    def _entry(self, messages: Sequence[Message], outcome: Outcome) -> Entry:
        rows = [messages[index] for index in outcome.index]
        tokens = outcome.raw["event_token"].to_list()
        verdict = self._deduplicator.sort_out(tokens, [message.position for message in rows])
        dead, seen = [], set()
        for reject in outcome.rejects:
            position = messages[reject.index].position
            if not self._deduplicator.counted(position) and position not in seen:
                seen.add(position)
                dead.append(reject)
        index = Index(
            accepted=[(tokens[row], rows[row].position, rows[row].received) for row in verdict.new],
            dead=[(messages[reject.index].position, messages[reject.index].received) for reject in dead],
            duplicates=_distinct([(rows[row].position, rows[row].received) for row in verdict.duplicates]),
        )
        everything = len(verdict.new) == len(rows)
        new = {rows[row].position for row in verdict.new}
        return Entry(
            index,
            {
                "raw": outcome.raw if everything else outcome.raw[verdict.new],
                "anonymized": outcome.anonymized if everything else outcome.anonymized[verdict.new],
                "dead": self._dead(messages, dead),
                "unknown": self._unknown(messages, outcome, new),
            },
        )

    def _dead(self, messages: Sequence[Message], rejects: list[Reject]) -> pl.DataFrame:
        letters = []
        for reject in rejects:
            message = messages[reject.index]
            letters.append(
                DeadLetter(
                    reject, message.data, message.attributes, message.message_id, message.position, message.received
                )
            )
        return dead_letter_rows(letters, self._anonymizer.contract, self._anonymizer.policy, self._sealer)

    def _unknown(self, messages: Sequence[Message], outcome: Outcome, new: set[str]) -> pl.DataFrame:
        """Counts of undeclared fields, of new events only: a redelivery is not counted again."""
        counts = Counter((path, kind) for index, path, kind in outcome.unknown if messages[index].position in new)
        contract = self._anonymizer.contract
        newest = max(message.received for message in messages)
        schema = {name: kind for name, kind in unknown_field_table().polars().items() if name != "batch_id"}
        frame = pl.DataFrame(
            {
                "stream": [contract.stream] * len(counts),
                "field": [path for path, _ in counts],
                "type": [kind for _, kind in counts],
                "events": list(counts.values()),
                "contract_version": [contract.version] * len(counts),
                "receive_time": [newest] * len(counts),
            },
            schema_overrides={"events": pl.Int64(), "receive_time": pl.Int64()},
        )
        return frame.cast({name: kind for name, kind in schema.items() if name != "receive_time"}).with_columns(
            pl.col("receive_time").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        )


def _distinct(pairs: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """A message delivered twice in one batch counts once."""
    return list(dict(pairs).items())
