"""Pulling ahead of the work, and keeping the leases of what was pulled."""

import collections
import queue
import threading
import time
from dataclasses import dataclass

import polars as pl

from dataflow.sources.message import Messages
from dataflow.sources.pubsub import LEASE_SECONDS, PubSubSubscription

PULL_MESSAGES = 1_000
"""The service's maximum a pull."""

PULL_SECONDS = 2.0
"""A pull waits this long for a message."""

FULL_BYTES = 64 << 10
"""An answer below that has not all that a pull may have: the source has no backlog."""

PACE_SECONDS = 0.015
"""From such an answer until the next pull. A pull, a batch and an entry cost the same for 1 message and for 100."""

LINGER_SECONDS = 0.01
"""For what comes behind a full answer, a batch waits so long."""

MOST_AHEAD_BYTES = 32 << 20
"""Bytes that may be pulled and not yet taken, but for one more pull: bounds memory."""

FIRST_RENEWAL_SECONDS = 4
"""A subscription's own deadline is 10 seconds at least; most messages are acknowledged before they need a renewal."""

RENEWAL_SECONDS = LEASE_SECONDS / 2
"""Between later renewals of one lease."""


@dataclass(frozen=True)
class _Pulled:
    """arrived: of the monotonic clock. size: bytes of the answer, attributes and ids too: they may be all there is."""

    arrived: float
    messages: Messages
    size: int

    @property
    def full(self) -> bool:
        """More is there for the asking."""
        return self.size >= FULL_BYTES


@dataclass
class _Leases:
    """Of the messages of one pull that are not acknowledged. due: when they are to be renewed."""

    ack_ids: pl.Series
    due: float


class Prefetcher:
    """Pulls in threads of its own until stopped: one asks, another reads what came.

    What was pulled is taken, and released, in the order that it was pulled in.
    """

    def __init__(self, subscription: PubSubSubscription) -> None:
        self._subscription = subscription
        self._answers: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()  # (when it came, a pull's answer)
        self._ready: queue.Queue[_Pulled] = queue.Queue()
        self._ahead = 0
        self._unread = 0
        self._came, self._passed = 0, 0  # answers in all; those of which every message is acknowledged
        self._changed = threading.Condition()
        self._leases: collections.deque[_Leases] = collections.deque()
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._guard, args=(target,), name=name, daemon=True)
            for name, target in (("puller", self._pull), ("reader", self._read), ("leases", self._renew))
        ]
        self.failure: BaseException | None = None
        self.answering = False
        """Whether the source answered the last pull."""
        self.arrived = 0.0
        """When the first messages that were taken last arrived here, of the monotonic clock."""

    @property
    def ahead(self) -> int:
        """Bytes pulled and not yet taken."""
        return self._ahead + self._unread

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def take(self, most: int, wait: float, most_bytes: int = 1 << 62) -> Messages:
        """About `most` messages or `most_bytes`: waits up to `wait` seconds for the first, and for more where the
        source has a backlog.

        Raises what the pulling thread died of.
        """
        if self.failure is not None:
            raise self.failure
        try:
            pulled = self._ready.get(timeout=wait)
        except queue.Empty:
            return Messages.of(())
        self.arrived = pulled.arrived
        end = self.arrived + LINGER_SECONDS
        taken, count, size = [pulled.messages], len(pulled.messages), pulled.size
        while count < most and size < most_bytes:
            try:
                pulled = self._ready.get(timeout=max(0.0, end - time.monotonic()) if pulled.full else 0.0)
            except queue.Empty:
                break
            taken.append(pulled.messages)
            count += len(pulled.messages)
            size += pulled.size
        with self._changed:
            self._ahead -= size
            self._changed.notify()
        return Messages.joined(taken)

    def release(self, count: int) -> None:
        """So many, the first that are not, are acknowledged: their leases are no longer kept."""
        with self._changed:
            while count:
                first = self._leases[0]
                if len(first.ack_ids) > count:
                    first.ack_ids = first.ack_ids[count:]
                    return
                count -= len(first.ack_ids)
                self._leases.popleft()
                self._passed += 1

    def mark(self) -> int:
        """What `passed` is asked with: everything that arrived until now."""
        with self._changed:
            return self._came

    def passed(self, mark: int) -> bool:
        """Whether everything that had arrived then is acknowledged."""
        with self._changed:
            return self._passed >= mark

    def stop(self, also: pl.Series | None = None) -> None:
        """Stop pulling; what was pulled and not taken goes back at once, and so do these ack ids."""
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        left = [] if also is None else [also]
        while not self._ready.empty():
            left.append(self._ready.get().messages.ack_ids)
        if left:
            self._subscription.extend(pl.concat(left), 0)

    def _guard(self, target: object) -> None:
        assert callable(target)
        try:
            target()
        except BaseException as error:  # noqa: BLE001  (handed to the main thread, which raises it)
            self.failure = error
            self._stopped.set()

    def _pull(self) -> None:
        try:
            self._ask()
        finally:
            self._answers.put((0.0, b""))

    def _ask(self) -> None:
        """Again and again, also while the last answer is read, unless there is no room: from its answer on a message's
        lease runs."""
        away = 0.05
        while not self._stopped.is_set():
            asked = time.monotonic()
            answer = self._subscription.fetch(PULL_MESSAGES, PULL_SECONDS)
            arrived = time.monotonic()
            if not answer:
                # a server that is away answers at once: do not hammer it
                self.answering = arrived - asked >= 0.05
                if not self.answering:
                    self._stopped.wait(away)
                    away = min(away * 2, 2.0)
                continue
            away, self.answering = 0.05, True
            with self._changed:
                self._unread += len(answer)
                self._came += 1
            self._answers.put((arrived, answer))
            if len(answer) < FULL_BYTES:
                self._stopped.wait(PACE_SECONDS)
            with self._changed:
                while self.ahead > MOST_AHEAD_BYTES and not self._stopped.is_set():
                    self._changed.wait(1.0)

    def _read(self) -> None:
        while (came := self._answers.get())[1]:
            arrived, answer = came
            messages = self._subscription.read(answer)
            with self._changed:
                self._unread -= len(answer)
                if not messages:
                    self._passed += 1
                    continue
                self._leases.append(_Leases(messages.ack_ids, arrived + FIRST_RENEWAL_SECONDS))
                self._ahead += len(answer)
                self._changed.notify_all()
                self._ready.put(_Pulled(arrived, messages, len(answer)))

    def _renew(self) -> None:
        while not self._stopped.wait(1):
            now = time.monotonic()
            with self._changed:
                old = [leases for leases in self._leases if leases.due <= now]
                ack_ids = [leases.ack_ids for leases in old]
            if ack_ids and self._subscription.extend(pl.concat(ack_ids)):
                for leases in old:  # else again in a second: the first deadline may be near
                    leases.due = now + RENEWAL_SECONDS
