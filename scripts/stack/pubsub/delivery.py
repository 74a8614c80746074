"""The delivery state of one subscription: what waits, what is leased to whom, what comes back when.

A message waits in `ready`, is leased to a consumer under an acknowledgment id until a deadline, and leaves the backlog
by an acknowledgment. A lease that is given up (deadline 0) or runs out is a failed delivery: the message waits again,
at once or after the retry policy's backoff, or is exhausted where a dead-letter policy sets a limit.

Messages with an ordering key go through a lane of their key. A lane gives out a run of messages in order and no more
until that run is acknowledged. When one fails, it and everything after it comes back, acknowledged or not, as Google's
service does: so an acknowledgment counts only once everything before it in its lane is acknowledged.
https://cloud.google.com/pubsub/docs/ordering

Times are seconds of the event loop's clock, except publish times: nanoseconds since 1970.
"""

import asyncio
import bisect
import heapq
import itertools
import re
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from operator import attrgetter

from .lease import Entry, Holder, Lane, Rules
from .message import Message, Openings

_ACK_ID = re.compile(r"([0-9a-f]+)-([0-9a-f]+)-([0-9]+)-[0-9a-f]+")
_SLACK = 10_000
"""Ended leases that may be remembered, see `_expire_at`."""
_RECEIVED, _ACK, _ATTEMPT = Openings(b"\x0a"), Openings(b"\x0a"), Openings(b"\x18")
_NUMBER: Callable[[Entry], int] = attrgetter("message.number")


class AckIdError(ValueError):
    """An acknowledgment id that this subscription never gave out."""


class Delivery:
    """See the module. Not thread-safe: everything runs on one event loop.

    failed: called with the entries whose deadline has passed; the owner logs them and forwards what is exhausted.
    """

    def __init__(self, serial: int, failed: Callable[[list[Entry]], None]) -> None:
        self.rules = Rules()
        self.serial = serial
        self.seeks = 0
        self.backlog: dict[int, Entry] = {}
        self.leases: dict[str, Entry] = {}
        self.consumers: set[asyncio.Event] = set()
        self._failed = failed
        self._ready: deque[Entry | Lane] = deque()
        self._lanes: dict[str, Lane] = {}
        self._expiring: list[tuple[float, int, list[Entry]]] = []
        self._watched = 0
        self._delayed: list[tuple[float, int, Entry | Lane]] = []
        self._order = itertools.count()
        self._takes = 0
        self._nonce = secrets.token_hex(2)
        self._timer: asyncio.TimerHandle | None = None

    # --- into the backlog

    def offer(self, messages: Iterable[Message]) -> None:
        """Take messages into the backlog, in the order of their numbers."""
        if self.rules.ordered:
            for message in messages:
                lane = self._lane(message.key) if message.key else None
                entry = self.backlog[message.number] = Entry(message, lane)
                if lane is None:
                    self._ready.append(entry)
                else:
                    lane.waiting.append(entry)
                    self._queue_lane(lane)
        else:
            entries = {message.number: Entry(message) for message in messages}
            self._ready.extend(entries.values())
            self.backlog.update(entries)
        self.wake()

    def reset(self, messages: Iterable[Message]) -> None:
        """Replace the backlog; every lease ends and the ack ids given out so far are void."""
        for entry in self.leases.values():
            self._let_go(entry)
            entry.ack_id = None
        self.leases.clear()
        self.backlog.clear()
        self._ready.clear()
        self._lanes.clear()
        self._delayed.clear()
        self._expiring.clear()
        self._watched = 0
        self.seeks += 1
        self.offer(messages)

    def tidy(self) -> None:
        """Forget queued entries that have left the backlog; after a restart these are most."""
        live = self.backlog.get
        self._ready = deque(item for item in self._ready if isinstance(item, Lane) or live(item.message.number) is item)
        for lane in self._lanes.values():
            lane.waiting = deque(entry for entry in lane.waiting if live(entry.message.number) is entry)

    def wake(self) -> None:
        for event in self.consumers:
            event.set()

    def _lane(self, key: str) -> Lane:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key)
        return lane

    def _queue_lane(self, lane: Lane) -> None:
        if lane.queued or lane.out:
            return
        if not lane.waiting:
            self._lanes.pop(lane.key, None)
        elif not lane.blocked_until or lane.blocked_until <= self._now():
            lane.queued = True
            self._ready.append(lane)

    # --- out to consumers

    def take(self, limit: int, size_limit: int, deadline: float, holder: Holder | None = None) -> tuple[bytes, int]:
        """Lease up to `limit` messages of about `size_limit` bytes in all (one at least) for `deadline` seconds.

        Returns them as serialized `received_messages` (field 1 of PullResponse and of StreamingPullResponse), and how
        many they are.
        """
        group = self._in_order(limit, size_limit) if self.rules.ordered else self._any(limit, size_limit)
        if not group:
            return b"", 0
        until = self._now() + deadline
        self._takes += 1
        opening, ending = f"{self.serial:x}-{self.seeks:x}-", f"-{self._nonce}{self._takes:x}"
        messages = [entry.message for entry in group]
        ack_ids = [f"{opening}{message.number}{ending}" for message in messages]
        self.leases.update(zip(ack_ids, group, strict=True))
        for entry, ack_id in zip(group, ack_ids, strict=True):
            entry.ack_id, entry.deadline, entry.holder = ack_id, until, holder
        chunks = [message.chunk for message in messages]
        if holder is not None:
            holder.messages += len(group)
            holder.bytes += sum(map(len, chunks))
        self._expire_at(until, group)
        return self._received(ack_ids, chunks, group), len(group)

    def _received(self, ack_ids: list[str], chunks: list[bytes], group: list[Entry]) -> bytes:
        """Acknowledgment id, message and, where they are counted, delivery attempt: `ReceivedMessage`s."""
        counted = self.rules.max_attempts > 0
        ends = [_ATTEMPT[entry.failures + 1] for entry in group] if counted else [b""] * len(group)
        sizes = [
            2 + len(ack_id) + len(chunk) + len(end) for ack_id, chunk, end in zip(ack_ids, chunks, ends, strict=True)
        ]
        parts = zip(
            map(_RECEIVED.__getitem__, sizes),
            map(_ACK.__getitem__, map(len, ack_ids)),
            map(str.encode, ack_ids),
            chunks,
            ends,
            strict=True,
        )
        return b"".join(itertools.chain.from_iterable(parts))

    def _any(self, limit: int, size_limit: int) -> list[Entry]:
        """The next entries, where no order is kept."""
        ready, live = self._ready, self.backlog.get
        group: list[Entry] = []
        while ready and len(group) < limit:
            for _ in range(min(limit - len(group), len(ready))):
                item = ready.popleft()
                if type(item) is Entry and live(item.message.number) is item:
                    group.append(item)
        ends = list(itertools.accumulate([len(entry.message.chunk) for entry in group]))
        if group and ends[-1] > size_limit:
            count = max(1, bisect.bisect_right(ends, size_limit))
            ready.extendleft(reversed(group[count:]))
            del group[count:]
        return group

    def _in_order(self, limit: int, size_limit: int) -> list[Entry]:
        """The next entries, runs of their lanes among them."""
        backlog, ready = self.backlog, self._ready
        group: list[Entry] = []
        size = 0
        while ready and len(group) < limit:
            item = ready.popleft()
            if type(item) is Lane:
                head = self._next(item)
                if head is None:
                    item.queued = False
                    self._queue_lane(item)
                    continue
                entry = head
            else:
                entry = item
            message = entry.message
            if backlog.get(message.number) is not entry:
                continue
            if group and size + len(message.chunk) > size_limit:
                ready.appendleft(item)
                break
            if type(item) is Lane:
                item.waiting.popleft()
                item.out[message.number] = entry
                if item.waiting:
                    ready.appendleft(item)
                else:
                    item.queued = False
            size += len(message.chunk)
            group.append(entry)
        if ready and type(lane := ready[0]) is Lane and lane.out:  # a run ends with this response
            ready.popleft()
            lane.queued = False
        return group

    def _next(self, lane: Lane) -> Entry | None:
        while lane.waiting and self.backlog.get(lane.waiting[0].message.number) is not lane.waiting[0]:
            lane.waiting.popleft()
        return lane.waiting[0] if lane.waiting else None

    # --- back from consumers

    def acknowledge(self, ack_ids: Iterable[str]) -> tuple[list[Message], list[str]]:
        """The messages that leave the backlog, and the ids that hold no lease any more.

        Without exactly-once delivery an id whose lease ran out, even one of the server's last run, still counts.
        Raises AckIdError for an id that was never given out; then nothing has changed.
        """
        known = self._check(ack_ids)
        backlog, leases = self.backlog, self.leases
        done: list[Message] = []
        stale: list[str] = []
        lanes: dict[str, Lane] = {}
        for ack_id in known:
            entry = leases.pop(ack_id, None)
            if entry is None:
                entry = self._late(ack_id)
                if entry is None:
                    stale.append(ack_id)
                    continue
            entry.ack_id = None
            if entry.holder is not None:
                self._let_go(entry)
            if entry.lane is not None:
                entry.acked = True
                lanes[entry.lane.key] = entry.lane
            else:
                message = entry.message
                done.append(message)
                del backlog[message.number]
        for lane in lanes.values():
            done += self._commit(lane)
        return done, stale

    def modify(self, ack_ids: Iterable[str], seconds: float) -> tuple[list[Entry], list[str]]:
        """Lease for `seconds` from now, or give up where 0. Returns the entries given up and the ids without a lease.

        The entries given up count as failed and wait again, but those that are now exhausted are left to the caller, as
        with the callback `failed`. Raises AckIdError as `acknowledge` does.
        """
        known = self._check(ack_ids)
        stale = [ack_id for ack_id in known if ack_id not in self.leases]
        entries = [self.leases[ack_id] for ack_id in known if ack_id in self.leases]
        if seconds <= 0:
            self._fail(entries)
            return entries, stale
        until = self._now() + seconds
        for entry in entries:
            entry.deadline = until
        if entries:
            self._expire_at(until, entries)
        return [], stale

    def exhausted(self, entry: Entry) -> bool:
        return 0 < self.rules.max_attempts <= entry.failures

    def requeue(self, entries: Iterable[Entry]) -> None:
        """Let failed entries wait for their next delivery."""
        for entry in sorted(entries, key=_NUMBER, reverse=True):
            if entry.lane is not None:
                self._rewind(entry.lane, entry.message.number)
            elif self.rules.backoff:
                self._delay(entry, self._backoff(entry))
            else:
                self._ready.appendleft(entry)
        self.wake()

    def drop(self, numbers: Iterable[int]) -> list[Message]:
        """Take messages out of the backlog, whoever holds them; unknown numbers are ignored. Returns the messages."""
        dropped: list[Message] = []
        lanes: dict[str, Lane] = {}
        for number in numbers:
            entry = self.backlog.pop(number, None)
            if entry is None:
                continue
            dropped.append(entry.message)
            if entry.ack_id is not None:
                self.leases.pop(entry.ack_id, None)
                self._release(entry)
            if entry.lane is not None:
                entry.lane.out.pop(number, None)
                lanes[entry.lane.key] = entry.lane
        for lane in lanes.values():
            dropped += self._commit(lane)
        return dropped

    def close(self) -> None:
        """Nothing is delivered any more: consumers are woken, to find out why."""
        if self._timer is not None:
            self._timer.cancel()
        self.reset(())

    def _check(self, ack_ids: Iterable[str]) -> list[str]:
        known = dict.fromkeys(ack_ids)
        if not known.keys() <= self.leases.keys():
            for ack_id in known.keys() - self.leases.keys():
                match = _ACK_ID.fullmatch(ack_id)
                if not match or int(match[1], 16) != self.serial:
                    raise AckIdError(ack_id)
        return list(known)

    def _late(self, ack_id: str) -> Entry | None:
        match = _ACK_ID.fullmatch(ack_id)
        if match is None or self.rules.exactly_once or int(match[2], 16) != self.seeks:
            return None
        entry = self.backlog.get(int(match[3]))
        if entry is None or entry.lane is not None:
            return None
        if entry.ack_id is not None:
            self.leases.pop(entry.ack_id, None)
        return entry

    def _let_go(self, entry: Entry) -> None:
        holder = entry.holder
        if holder is not None:
            holder.messages -= 1
            holder.bytes -= len(entry.message.chunk)
            holder.wake.set()
            entry.holder = None

    def _release(self, entry: Entry) -> None:
        entry.ack_id = None
        if entry.holder is not None:
            self._let_go(entry)

    def _commit(self, lane: Lane) -> list[Message]:
        """Acknowledge the head of a lane's run for good, as far as it is acknowledged without a gap."""
        done: list[Message] = []
        for number, entry in list(lane.out.items()):
            if not entry.acked:
                break
            del lane.out[number]
            if self.backlog.pop(number, None) is not None:
                done.append(entry.message)
        self._queue_lane(lane)
        if lane.queued:
            self.wake()
        return done

    def _rewind(self, lane: Lane, number: int) -> None:
        """Put a lane's messages from `number` on back; leases after it end, acknowledgments after it are void."""
        back = [entry for at, entry in lane.out.items() if at >= number]
        for entry in reversed(back):
            del lane.out[entry.message.number]
            if entry.ack_id is not None:
                self.leases.pop(entry.ack_id, None)
                self._release(entry)
            entry.acked = False
            lane.waiting.appendleft(entry)
        if back and self.rules.backoff:
            self._delay(lane, self._backoff(back[0]))
        self._queue_lane(lane)

    def _backoff(self, entry: Entry) -> float:
        shortest, longest = self.rules.backoff or (0.0, 0.0)
        return min(longest, shortest * 2.0 ** min(max(entry.failures, 1) - 1, 60))

    def _delay(self, item: Entry | Lane, seconds: float) -> None:
        until = self._now() + seconds
        if isinstance(item, Lane):
            item.blocked_until = until
        heapq.heappush(self._delayed, (until, next(self._order), item))
        self._arm()

    def _fail(self, entries: list[Entry]) -> None:
        """End the leases of entries and count the failures; what is not exhausted waits again."""
        for entry in entries:
            if entry.ack_id is not None:
                self.leases.pop(entry.ack_id, None)
            self._release(entry)
            entry.failures += 1
        self.requeue([entry for entry in entries if not self.exhausted(entry)])

    # --- time

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _expire_at(self, until: float, entries: list[Entry]) -> None:
        """Look at the entries again when their leases run out.

        What was acknowledged by then would be kept in memory for as long; so from time to time it is swept out.
        """
        heapq.heappush(self._expiring, (until, next(self._order), entries))
        self._watched += len(entries)
        if self._watched > 2 * len(self.leases) + _SLACK:
            groups = [(at, order, [each for each in group if each.ack_id]) for at, order, group in self._expiring]
            self._expiring = [group for group in groups if group[2]]
            heapq.heapify(self._expiring)
            self._watched = sum(len(group) for _, _, group in self._expiring)
        self._arm()

    def _arm(self) -> None:
        times = [heap[0][0] for heap in (self._expiring, self._delayed) if heap]
        if not times:
            return
        if self._timer is not None:
            if self._timer.when() <= min(times):
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(min(times), self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._now() + 0.001
        due: list[Entry] = []
        while self._expiring and self._expiring[0][0] <= now:
            group = heapq.heappop(self._expiring)[2]
            self._watched -= len(group)
            due += [entry for entry in group if entry.ack_id is not None and entry.deadline <= now]
        while self._delayed and self._delayed[0][0] <= now:
            item = heapq.heappop(self._delayed)[2]
            if isinstance(item, Lane):
                if item.blocked_until <= now:
                    item.blocked_until = 0.0
                    self._queue_lane(item)
            else:
                self._ready.append(item)
            self.wake()
        self._arm()
        if due:
            due = list(dict.fromkeys(due))
            self._fail(due)
            self._failed(due)
