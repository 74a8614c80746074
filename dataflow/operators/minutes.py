"""One-minute metrics: what became of a stream's events, by minute of event time and event type.

An accepted event counts in the minute of its event time, as coarse as the policy leaves it, under its type. What has no
event time to go by, a dead letter, a duplicate, an event later than the allowed lateness, counts in the minute of its
publish time, under no type. So over all rows of a stream

    published = events + late + errors + duplicates

Only anonymized values come in here: nothing in the metrics is finer than in the anonymized table.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from dataflow.contract import Contract
from dataflow.methods.times import TruncateTime
from dataflow.operators.base import Step
from dataflow.operators.deduplicate import Index
from dataflow.operators.sketches import (
    count_distinct,
    distinct_of,
    merge_distinct,
    merge_quantiles,
    quantiles,
    quantiles_of,
)
from dataflow.operators.state import State
from dataflow.operators.watermark import NEVER, SECOND
from dataflow.operators.windows import Pane, Windows
from dataflow.policy import Policy
from dataflow.schemas import Table, anonymized_table, minute_metrics_table

MINUTE = 60 * SECOND

ALLOWED_LATENESS = 24 * 60 * MINUTE
"""Telephones send what they gathered while they were away; a pane more costs a row."""

PSEUDONYMS = frozenset({"token", "encrypt"})
"""Methods whose outputs may go into a sketch of persons: keyed, and stable."""

_DAY = 86_400 * SECOND
_COARSENESS = {
    "second": SECOND,
    "minute": MINUTE,
    "hour": 60 * MINUTE,
    "day": _DAY,
    "week": 7 * _DAY,
    "month": 31 * _DAY,
    "quarter": 92 * _DAY,
    "year": 366 * _DAY,
}
"""By the unit of `truncate_time`, microseconds, the longest there is."""


class Counts(msgspec.Struct, array_like=True):
    """What one minute and type gathered.

    errors: dead letters by reason. users: sketch of the persons' tokens. latency: sketch of milliseconds from publish
    to staged, of the events.
    """

    events: int = 0
    late: int = 0
    duplicates: int = 0
    errors: dict[str, int] = msgspec.field(default_factory=dict)
    users: bytes = b""
    latency: bytes = b""


Minute = dict[str, Counts]
"""What one minute gathered, by event type; under the empty one what has none."""

Times = npt.NDArray[np.int64]

_MINUTE = msgspec.msgpack.Decoder(Minute)


def now() -> int:
    """Microseconds since 1970 by the clock of this machine."""
    return time.time_ns() // 1_000


class MinuteMetrics:
    """The operator, for one stream under one version of contract and policy; its state outlives versions.

    A type or person that the policy drops is not counted by; a person only where the policy makes a pseudonym of it.
    lateness: allowed on top of the coarseness that the policy gives to event times. clock: says when a batch is staged,
    in microseconds since 1970; the latency hangs on it, and nothing else.
    """

    name = "minute-metrics"

    def __init__(
        self, contract: Contract, policy: Policy, lateness: int = ALLOWED_LATENESS, clock: Callable[[], int] = now
    ) -> None:
        self.tables: Mapping[str, Table] = {"minutes": minute_metrics_table()}
        self._contract = contract
        self._policy = policy
        self._clock = clock
        columns = {leaf.path: leaf for leaf in anonymized_table(contract, policy).leaves() if not leaf.repeated}
        kind, person = columns.get(contract.event_type or ""), columns.get(contract.subject or "")
        self._type = kind.path if kind else ""
        self._person = person.path if person and person.method in PSEUDONYMS else ""
        moment = next(leaf for leaf in contract.leaves() if leaf.path == contract.event_time)
        method = policy.method(contract, moment)
        coarseness = _COARSENESS[method.unit] if isinstance(method, TruncateTime) else 0
        self._windows = Windows(MINUTE, lateness + max(0, coarseness - MINUTE), merge)
        self._schema = {name: kind for name, kind in minute_metrics_table().polars().items() if name != "batch_id"}

    def step(self, index: Index, rows: Mapping[str, pl.DataFrame], watermark: int, state: State) -> Step:
        """Counts a batch, and puts out the minutes that are due. Nothing but the latency hangs on the clock."""
        minutes: dict[int, Minute] = {}
        greatest = NEVER
        if index.accepted:
            frame, received = rows["anonymized"], index.accepted.times
            at = frame["event_time"].cast(pl.Int64).to_numpy()
            greatest = int(at.max())
            starts = at - at % MINUTE
            late = starts < self._windows.closed_before(state)
            if late.any():
                for moment, events in _by_minute(received[late]):
                    self._loose(minutes, moment).late += events
                frame, received, starts = frame.filter(pl.Series(~late)), received[~late], starts[~late]
            if len(starts):
                self._count(minutes, frame, received, starts)
        if index.dead:
            for reason, received in zip(rows["dead"]["reason"], index.dead.times.tolist(), strict=True):
                counts = self._loose(minutes, received)
                counts.errors[reason] = counts.errors.get(reason, 0) + 1
        for moment, events in _by_minute(index.duplicates.times):
            self._loose(minutes, moment).duplicates += events
        added = {minute: msgspec.msgpack.encode(kinds) for minute, kinds in minutes.items()}
        panes, changes = self._windows.step(state, added, greatest, watermark)
        return Step({"minutes": self._rows(panes)} if panes else {}, changes)

    def _loose(self, minutes: dict[int, Minute], moment: int) -> Counts:
        """Where to count what has no event time to go by."""
        return minutes.setdefault(self._windows.start_of(moment), {}).setdefault("", Counts())

    def _count(self, minutes: dict[int, Minute], frame: pl.DataFrame, received: Times, starts: Times) -> None:
        """frame: anonymized rows that are not late. received, starts: when each was published, start of its minute."""
        waited = (np.maximum(self._clock() - received, 0) / 1_000).astype(np.float32)
        people = _text(frame, self._person) if self._person else None
        for minute, kind, chosen in _groups(starts, _text(frame, self._type) if self._type else None):
            counts = minutes.setdefault(minute, {}).setdefault(kind, Counts())
            counts.events = len(chosen)
            if people is not None:
                users = dict.fromkeys(people[pl.Series(chosen)].to_list())
                users.pop(None, None)
                counts.users = distinct_of(users)
            counts.latency = quantiles_of(waited[chosen])

    def _rows(self, panes: Iterable[Pane]) -> pl.DataFrame:
        rows = [
            self._row(pane, kind, counts)
            for pane in panes
            for kind, counts in sorted(_MINUTE.decode(pane.content).items())
        ]
        frame = pl.DataFrame(rows, schema=self._schema | {"minute": pl.Int64()}, orient="row")
        return frame.with_columns(pl.col("minute").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))

    def _row(self, pane: Pane, kind: str, counts: Counts) -> dict[str, object]:
        p50, p95, p99 = quantiles(counts.latency) or (None, None, None)
        return {
            "stream": self._contract.stream,
            "minute": pane.start,
            "event_type": kind or None,
            "firing": pane.firing,
            "timing": pane.timing.value,
            "events": counts.events,
            "late": counts.late,
            "errors": sum(counts.errors.values()),
            "duplicates": counts.duplicates,
            "error_reasons": [{"reason": reason, "errors": n} for reason, n in sorted(counts.errors.items())],
            "users": count_distinct(counts.users) if counts.users else None,
            "users_sketch": counts.users or None,
            "latency_p50_ms": p50,
            "latency_p95_ms": p95,
            "latency_p99_ms": p99,
            "latency_sketch": counts.latency or None,
            "contract_version": self._contract.version,
            "policy_version": self._policy.version,
        }


def _by_minute(times: Times) -> list[tuple[int, int]]:
    """(minute's start, how many) of times in microseconds: an import may bring nothing but late events."""
    starts, counts = np.unique(times - times % MINUTE, return_counts=True)
    return list(zip(starts.tolist(), counts.tolist(), strict=True))


def _groups(starts: Times, types: pl.Series | None) -> Iterator[tuple[int, str, npt.NDArray[np.intp]]]:
    """(minute's start, event type, rows) of events; the type is empty where there is none.

    In numpy: polars plans a query for each of these steps, which takes a small batch longer than the counting.
    """
    names, codes = [""], np.zeros(len(starts), np.int64)
    if types is not None:
        coded = types.to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
        names += coded.dictionary.to_pylist()
        codes = coded.indices.fill_null(-1).to_numpy().astype(np.int64) + 1
    first = int(starts.min())
    groups = (starts - first) // MINUTE * len(names) + codes
    order = np.argsort(groups.astype(np.min_scalar_type(groups.max())), kind="stable")  # numbers of 16 bits in no time
    for chosen in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        place, code = divmod(int(groups[chosen[0]]), len(names))
        yield first + place * MINUTE, names[code], chosen


def _text(frame: pl.DataFrame, path: str) -> pl.Series:
    """The column at a dotted path, as text."""
    first, *rest = path.split(".")
    column = frame[first]
    for name in rest:
        column = column.struct.field(name)
    return column.cast(pl.String)


def merge(contents: Sequence[bytes]) -> bytes:
    """One encoded Minute of several."""
    if len(contents) == 1:
        return contents[0]
    kinds: dict[str, list[Counts]] = {}
    for content in contents:
        for kind, counts in _MINUTE.decode(content).items():
            kinds.setdefault(kind, []).append(counts)
    return msgspec.msgpack.encode({kind: _merged(parts) for kind, parts in kinds.items()})


def _merged(parts: Sequence[Counts]) -> Counts:
    errors: Counter[str] = Counter()
    for counts in parts:
        errors.update(counts.errors)
    return Counts(
        events=sum(counts.events for counts in parts),
        late=sum(counts.late for counts in parts),
        duplicates=sum(counts.duplicates for counts in parts),
        errors=dict(errors),
        users=merge_distinct(counts.users for counts in parts),
        latency=merge_quantiles(counts.latency for counts in parts),
    )
