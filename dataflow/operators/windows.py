"""Tumbling windows of event time: contents are held until the watermark has passed, then fire as a pane.

A pane holds what came *since the last one* of its window (Beam calls this discarding), so panes add up: whoever merges
all panes of a window has it whole, however many there are. Within the allowed lateness what comes behind a window's
pane gathers until the watermark enters its next window and goes into a pane then; after that it is late, and the caller
may only count it.

A window is a bucket of the state, its items are what the batches brought; one bucket more holds the mark, how far
things are. So a window whose pane is durable is dropped by the very change that is durable with it, and what fired is
what was recorded, under whatever settings that was decided.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from dataflow.operators.state import Changes, State
from dataflow.operators.watermark import DISORDER, NEVER, STALL, Watermark

MOST_HELD_BYTES = 16 << 20
"""Held contents; when there are more, all windows fire early. Bounds memory."""

MOST_HELD_WINDOWS = 2_000

MOST_ITEMS = 16
"""Contents of one window that wait side by side; with one more they are merged."""

MARK = -(1 << 40)
"""The bucket of the mark; no window has this number."""

Merge = Callable[[Sequence[bytes]], bytes]
"""One content of one or several; associative and commutative."""


class Timing(StrEnum):
    """When a pane fired. early: before its window was complete. late: all of it came after that."""

    EARLY = "early"
    ON_TIME = "on_time"
    LATE = "late"


class Mark(msgspec.Struct, array_like=True):
    """events, published: of the watermark. firing: the number of the last firing."""

    events: int = NEVER
    published: int = NEVER
    firing: int = 0


@dataclass(frozen=True)
class Pane:
    """start: of its window, microseconds since 1970. firing: panes of one window have different ones, in order."""

    start: int
    firing: int
    timing: Timing
    content: bytes


_MARK = msgspec.msgpack.Decoder(Mark)


@dataclass(frozen=True)
class Windows:
    """size: of a window. lateness: how long after its end a window still takes contents. All times in microseconds.

    disorder, stall: of the Watermark.
    """

    size: int
    lateness: int
    merge: Merge
    disorder: int = DISORDER
    stall: int = STALL
    most_bytes: int = MOST_HELD_BYTES
    most_windows: int = MOST_HELD_WINDOWS

    def start_of(self, moment: int) -> int:
        """Start of the window that a moment lies in."""
        return moment - moment % self.size

    def watermark(self, state: State) -> int:
        """Where the watermark stands, by what the state has learned."""
        return self._watermark(_mark(state)).value

    def closed_before(self, state: State) -> int:
        """Windows that start before this moment take no contents any more."""
        at = self.watermark(state)
        return NEVER if at == NEVER else at - self.lateness - self.size + 1

    def step(self, state: State, added: Mapping[int, bytes], events: int, published: int) -> tuple[list[Pane], Changes]:
        """The panes that are due, and what becomes of the state.

        added: start of a window -> content. events: the greatest event time of a batch's accepted events, NEVER where
        it has none. published: the driver's watermark of publish time.
        """
        mark = _mark(state)
        now = self._watermark(mark)
        then = now.seeing(events, published)
        before, at = now.value, then.value
        after = Mark(then.events, then.published, mark.firing)
        held = {bucket: state.read(bucket) for bucket in state.buckets() if bucket != MARK}
        new = {start // self.size: content for start, content in added.items()}
        due = list(self._due(held, new, before, at))
        panes = []
        if due:
            after.firing += 1
            for bucket in due:
                contents = [*held.get(bucket, ()), *([new[bucket]] if bucket in new else ())]
                timing = self._timing((bucket + 1) * self.size, before, at)
                panes.append(Pane(bucket * self.size, after.firing, timing, self.merge(contents)))
        changes = Changes([bucket for bucket in due if bucket in held])
        for bucket in sorted(new.keys() - set(due)):
            items = held.get(bucket, ())
            if len(items) < MOST_ITEMS:
                changes.added[bucket] = [new[bucket]]
            else:
                changes.dropped.append(bucket)
                changes.added[bucket] = [self.merge([*items, new[bucket]])]
        if after != mark:
            changes.dropped.append(MARK)
            changes.added[MARK] = [msgspec.msgpack.encode(after)]
        return panes, changes

    def _due(
        self, held: Mapping[int, Sequence[bytes]], new: Mapping[int, bytes], before: int, at: int
    ) -> Iterator[int]:
        buckets = sorted({*held, *new})
        size = sum(map(len, new.values())) + sum(len(item) for items in held.values() for item in items)
        if size > self.most_bytes or len(buckets) > self.most_windows:
            yield from buckets
        elif at != NEVER and (before == NEVER or before // self.size < at // self.size):
            yield from (bucket for bucket in buckets if (bucket + 1) * self.size <= at)

    @staticmethod
    def _timing(end: int, before: int, at: int) -> Timing:
        if end > at:
            return Timing.EARLY
        return Timing.LATE if end <= before else Timing.ON_TIME

    def _watermark(self, mark: Mark) -> Watermark:
        return Watermark(self.disorder, self.stall, mark.events, mark.published)


def _mark(state: State) -> Mark:
    items = state.read(MARK)
    return _MARK.decode(items[-1]) if items else Mark()
