"""From messages to a staged entry: anonymize, deduplicate, stage. What is accepted is decided here, once."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

from dataflow.candidates import Candidates, Preparer
from dataflow.core import Anonymizer
from dataflow.dead_letters import GivenUp
from dataflow.journal import Entry, Journal, Taken
from dataflow.keys import Sealer
from dataflow.operators.deduplicate import Deduplicator
from dataflow.operators.index import Index
from dataflow.operators.state import StateByOperator
from dataflow.pull.operate import Make, Operating
from dataflow.schemas import Table, tables
from dataflow.sources.message import Message
from dataflow.telemetry.catalogue import Stage
from dataflow.telemetry.pipeline import Telemetry
from dataflow.telemetry.trace import NO_TRACE, BatchTrace


@dataclass(frozen=True, eq=False)
class Staged:
    """A batch on its way to commit.

    number: its journal entry, None when nothing in it was new: then the messages only wait for what was staged before.
    tables: by role, of the version that it was anonymized under.
    oldest: the earliest publish time in it, microseconds; 0 where nothing came.
    trace: follows it to its rows.
    """

    number: int | None
    entry: Entry
    ack_ids: list[str] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    oldest: int = 0
    trace: BatchTrace = NO_TRACE

    @functools.cached_property
    def bytes(self) -> int:
        """Memory of its rows, about."""
        return int(sum(frame.estimated_size() for frame in self.entry.rows.values()))


class Stager:
    """Turns batches of messages into journal entries, and keeps the deduplication state in step with the journal."""

    def __init__(
        self,
        anonymizer: Anonymizer,
        journal: Journal,
        deduplicator: Deduplicator,
        sealer: Sealer,
        telemetry: Telemetry | None = None,
        operators: Make = lambda _contract, _policy: [],
    ) -> None:
        self.operating = Operating()
        self._operators = operators
        self._telemetry = telemetry or Telemetry()
        self._sealer = sealer
        self._journal = journal
        self._deduplicator = deduplicator
        self.change(anonymizer)

    def change(self, anonymizer: Anonymizer) -> None:
        """Anonymize all batches from now on under another version."""
        self._preparer = Preparer(anonymizer, self._sealer)
        self.operating.change(self._operators(anonymizer.contract, anonymizer.policy))
        self._tables = tables(anonymizer.contract, anonymizer.policy) | self.operating.tables

    def idle(self) -> Staged | None:
        """Stage what is due because time went on, where the source has nothing; None when nothing is."""
        entry = self.operating.idle(self._tables)
        if entry is None:
            return None
        try:
            number = self._journal.stage(entry)
        except Taken as taken:
            self.learn(taken.entry.index, taken.entry.state)
            return None  # the next call asks again
        self.learn(entry.index, entry.state)
        return Staged(number, entry, tables=self._tables)

    def learn(self, index: Index, state: StateByOperator) -> None:
        """Take over what an entry of the journal did."""
        self._deduplicator.learn(index)
        self.operating.learn(index, state)

    def stage(self, messages: Sequence[Message], trace: BatchTrace = NO_TRACE) -> Staged:
        """Anonymize and stage one batch, durably."""
        with self._telemetry.timed(Stage.ANONYMIZE, trace):
            candidates = self._preparer.prepare(messages)
        with self._telemetry.timed(Stage.STAGE, trace) as attributes:
            staged = self._staged(candidates, messages, [message.ack_id for message in messages], trace)
            if staged.number is not None:
                attributes["entry"] = staged.number
        if staged.number is not None:
            self._telemetry.staged(staged.entry, messages)
        return staged

    def stage_given_up(self, given_up: Sequence[GivenUp]) -> Staged:
        """Stage what the broker gave up, each message as one dead event; its ack ids are of another subscription."""
        staged = self._staged(self._preparer.given_up(given_up), [item.message for item in given_up], [], NO_TRACE)
        if staged.number is not None:
            self._telemetry.staged(staged.entry, [])
        return staged

    def _staged(
        self, candidates: Candidates, messages: Sequence[Message], ack_ids: list[str], trace: BatchTrace
    ) -> Staged:
        oldest = min([message.received for message in messages], default=0)
        while True:
            entry = candidates.decide(self._deduplicator, self._preparer.contract)
            if not len(entry.index):
                return Staged(None, entry, ack_ids, self._tables, oldest, trace)
            entry = self.operating.step(entry)
            try:
                number = self._journal.stage(entry)
            except Taken as taken:
                self.learn(taken.entry.index, taken.entry.state)
                continue
            self.learn(entry.index, entry.state)
            return Staged(number, entry, ack_ids, self._tables, oldest, trace)
