"""Operators in the pull loop: their steps are part of the journal entry, their state a cache of the journal."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import polars as pl

from dataflow.contract import Contract
from dataflow.journal import Entry
from dataflow.operators.base import Operator
from dataflow.operators.index import Index
from dataflow.operators.minutes import MinuteMetrics
from dataflow.operators.state import Changes, LocalState, StateByOperator
from dataflow.operators.watermark import NEVER
from dataflow.policy import Policy
from dataflow.schemas import Table

Make = Callable[[Contract, Policy], Sequence[Operator]]
"""Makes the operators of a version."""


def operators(contract: Contract, policy: Policy) -> list[Operator]:
    """What every stream's pipeline runs."""
    return [MinuteMetrics(contract, policy)]


def nothing(tables: Mapping[str, Table]) -> dict[str, pl.DataFrame]:
    """No rows, by role."""
    return {
        role: pl.DataFrame(schema={name: kind for name, kind in table.polars().items() if name != "batch_id"})
        for role, table in tables.items()
    }


class PublishWatermark:
    """The watermark of publish time: the newest that was seen, and while the source has nothing, so much later.

    Behind the newest message an idle source is as old as it is silent. That is measured, not read off a clock that may
    jump; clock: seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()
        self._value = NEVER

    def seen(self, newest: int) -> int:
        """A batch came. newest: its latest publish time, microseconds; 0 for none. The watermark."""
        self._since = self._clock()
        self._value = max(self._value, newest or NEVER)
        return self._value

    def idle(self) -> int:
        """The source has had nothing since. The watermark; what was seen last stays what it is counted from."""
        return self._value if self._value == NEVER else self._value + int((self._clock() - self._since) * 1e6)


class Operating:
    """The operators of one stream, with their state."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.states: dict[str, LocalState] = {}
        self.tables: dict[str, Table] = {}
        self._operators: Sequence[Operator] = ()
        self._watermark = PublishWatermark(clock)
        self._nothing: dict[str, pl.DataFrame] = {}

    def change(self, operators: Sequence[Operator]) -> None:
        """Run these from now on; the state of an operator outlives its versions."""
        self._operators = operators
        self.tables = {role: table for operator in operators for role, table in operator.tables.items()}
        self._nothing = nothing(self.tables)
        for operator in operators:
            self.states.setdefault(operator.name, LocalState())

    def step(self, entry: Entry) -> Entry:
        """The entry with what the operators make of it. Changes nothing: first it must be durable."""
        return self._stepped(entry, self._watermark.seen(entry.index.newest))

    def idle(self, tables: Mapping[str, Table]) -> Entry | None:
        """An entry of what is due by time alone, with no rows for the other tables; None when nothing is due."""
        entry = self._stepped(Entry(Index(), nothing(tables)), self._watermark.idle())
        return entry if any(not entry.rows[role].is_empty() for role in self.tables) else None

    def learn(self, index: Index, state: StateByOperator) -> None:
        """Take over what an entry did."""
        if index.newest:
            self._watermark.seen(index.newest)
        for name, changes in state.items():
            self.states.setdefault(name, LocalState()).apply(changes)

    def _stepped(self, entry: Entry, watermark: int) -> Entry:
        # frames of its own for each entry: polars holds a frame's lock while it waits for the interpreter's
        rows = {role: frame.clone() for role, frame in self._nothing.items()}
        state: dict[str, Changes] = {}
        for operator in self._operators:
            step = operator.step(entry.index, entry.rows, watermark, self.states[operator.name])
            rows |= step.rows
            if step.changes:
                state[operator.name] = step.changes
        return replace(entry, rows=entry.rows | rows, state=state)
