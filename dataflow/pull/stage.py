"""From messages to a staged entry: anonymize, deduplicate, stage. What is accepted is decided here, once."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from dataflow.candidates import Preparer
from dataflow.core import Anonymizer
from dataflow.journal import Entry, Journal, Taken
from dataflow.keys import Sealer
from dataflow.operators.deduplicate import Deduplicator
from dataflow.schemas import Table, tables
from dataflow.sources.message import Message


@dataclass(frozen=True)
class Staged:
    """A batch on its way to commit.

    number: its journal entry, None when nothing in it was new: then the messages only wait for what was staged before.
    tables: by role, of the version that it was anonymized under.
    """

    number: int | None
    entry: Entry
    ack_ids: list[str] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)


class Stager:
    """Turns batches of messages into journal entries, and keeps the deduplication state in step with the journal."""

    def __init__(self, anonymizer: Anonymizer, journal: Journal, deduplicator: Deduplicator, sealer: Sealer) -> None:
        self._sealer = sealer
        self._journal = journal
        self._deduplicator = deduplicator
        self.change(anonymizer)

    def change(self, anonymizer: Anonymizer) -> None:
        """Anonymize all batches from now on under another version."""
        self._preparer = Preparer(anonymizer, self._sealer)
        self._tables = tables(anonymizer.contract, anonymizer.policy)

    def stage(self, messages: Sequence[Message]) -> Staged:
        """Anonymize and stage one batch, durably."""
        candidates = self._preparer.prepare(messages)
        ack_ids = [message.ack_id for message in messages]
        while True:
            entry = candidates.decide(self._deduplicator, self._preparer.contract)
            if not len(entry.index):
                return Staged(None, entry, ack_ids, self._tables)
            try:
                number = self._journal.stage(entry)
            except Taken as taken:
                self._deduplicator.learn(taken.entry.index)
                continue
            self._deduplicator.learn(entry.index)
            return Staged(number, entry, ack_ids, self._tables)
