"""From messages to a staged entry: anonymize, deduplicate, stage. What is accepted is decided here, once."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from dataflow.candidates import Candidates, Preparer
from dataflow.core import Anonymizer
from dataflow.dead_letters import GivenUp
from dataflow.journal import Entry, Journal, Taken
from dataflow.journal.neighbours import Neighbours, NoNeighbours
from dataflow.keys import Sealer
from dataflow.operators.base import Operator
from dataflow.operators.deduplicate import Deduplicator
from dataflow.operators.index import Index
from dataflow.operators.state import StateByOperator
from dataflow.pull.operate import Make, Operating
from dataflow.schemas import Table, tables
from dataflow.sources.message import Message, Messages, texts
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
    ack_ids: pl.Series = field(default_factory=lambda: texts([]))
    tables: dict[str, Table] = field(default_factory=dict)
    oldest: int = 0
    trace: BatchTrace = NO_TRACE

    @functools.cached_property
    def bytes(self) -> int:
        """Memory of its rows, about."""
        return int(sum(frame.estimated_size() for frame in self.entry.rows.values()))


@dataclass(frozen=True, eq=False)
class Version:
    """What a batch is anonymized and staged under: from contract and policy.

    tables: by role, those of the operators included.
    """

    preparer: Preparer
    operators: Sequence[Operator]
    tables: dict[str, Table]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A batch that is anonymized; what is new in it is not decided yet."""

    candidates: Candidates
    messages: Messages
    version: Version
    trace: BatchTrace = NO_TRACE


class Stager:
    """Turns batches of messages into journal entries, and keeps the deduplication state in step with the journal.

    others: drivers that write the same tables.
    `prepare` may run in another thread than everything else: it depends on no batch before.
    """

    def __init__(
        self,
        anonymizer: Anonymizer,
        journal: Journal,
        deduplicator: Deduplicator,
        sealer: Sealer,
        telemetry: Telemetry | None = None,
        operators: Make = lambda _contract, _policy: [],
        others: Neighbours | NoNeighbours | None = None,
    ) -> None:
        self._others = others or NoNeighbours()
        self.operating = Operating()
        self._operators = operators
        self._telemetry = telemetry or Telemetry()
        self._sealer = sealer
        self._journal = journal
        self._deduplicator = deduplicator
        self.change(anonymizer)
        self._version = self._next
        self.operating.change(self._version.operators)

    def change(self, anonymizer: Anonymizer) -> None:
        """Prepare all batches from now on under another version."""
        contract, policy = anonymizer.contract, anonymizer.policy
        made = self._operators(contract, policy)
        own = {role: table for operator in made for role, table in operator.tables.items()}
        self._next = Version(Preparer(anonymizer, self._sealer), made, tables(contract, policy) | own)

    def _enter(self, version: Version) -> None:
        """Stage under this version."""
        if version is not self._version:
            self._version = version
            self.operating.change(version.operators)

    def idle(self) -> Staged | None:
        """Stage what is due because time went on, where the source has nothing; None when nothing is.

        Only while no batch is prepared and not staged.
        """
        self._enter(self._next)
        entry = self.operating.idle(self.tables)
        if entry is None:
            return None
        try:
            number = self._journal.stage(entry)
        except Taken as taken:
            self.learn(taken.entry.index, taken.entry.state)
            return None  # the next call asks again
        self.learn(entry.index, entry.state)
        return Staged(number, entry, tables=self.tables)

    def learn(self, index: Index, state: StateByOperator) -> None:
        """Take over what an entry of the journal did."""
        self._deduplicator.learn(index)
        self.operating.learn(index, state)

    @property
    def tables(self) -> dict[str, Table]:
        """By role, of the version that batches are staged under."""
        return self._version.tables

    def stage(self, messages: Sequence[Message], trace: BatchTrace = NO_TRACE) -> Staged:
        """Anonymize and stage one batch, durably."""
        return self.stage_prepared(self.prepare(messages, trace))

    def prepare(self, messages: Sequence[Message], trace: BatchTrace = NO_TRACE) -> Prepared:
        """Anonymize one batch, which is not empty; changes nothing.

        Raises SchemasAwayError like `Anonymizer.unpack`.
        """
        version, columns = self._next, Messages.of(messages)
        with self._telemetry.timed(Stage.ANONYMIZE, trace):
            return Prepared(version.preparer.prepare(columns), columns, version, trace)

    def stage_prepared(self, prepared: Prepared) -> Staged:
        """Stage one batch, durably, in the order that batches were prepared in."""
        self._enter(prepared.version)
        messages, trace = prepared.messages, prepared.trace
        with self._telemetry.timed(Stage.STAGE, trace) as attributes:
            staged = self._staged(prepared.candidates, messages, messages.ack_ids, trace)
            if staged.number is not None:
                attributes["entry"] = staged.number
        if staged.number is not None:
            self._telemetry.staged(staged.entry, messages)
        return staged

    def stage_given_up(self, given_up: Sequence[GivenUp]) -> Staged:
        """Stage what the broker gave up, each message as one dead event; its ack ids are of another subscription."""
        candidates = self._version.preparer.given_up(given_up)
        staged = self._staged(candidates, Messages.of(item.message for item in given_up), texts([]), NO_TRACE)
        if staged.number is not None:
            self._telemetry.staged(staged.entry, Messages.of(()))
        return staged

    def _staged(self, candidates: Candidates, messages: Messages, ack_ids: pl.Series, trace: BatchTrace) -> Staged:
        oldest = int(messages.received.min()) if messages else 0
        with self._others.turn() as taken:
            for events in taken:
                self._deduplicator.learn_taken(events, candidates.newest)
            number, entry = self._decided(candidates)
        return Staged(number, entry, ack_ids, self.tables, oldest, trace)

    def _decided(self, candidates: Candidates) -> tuple[int | None, Entry]:
        """The entry of what is new, and its number; None when nothing is."""
        while True:
            entry = candidates.decide(self._deduplicator, self._version.preparer.contract)
            if not len(entry.index):
                return None, entry
            entry = self.operating.step(entry)
            try:
                number = self._journal.stage(entry)
            except Taken as taken:
                self.learn(taken.entry.index, taken.entry.state)
                continue
            self.learn(entry.index, entry.state)
            return number, entry
