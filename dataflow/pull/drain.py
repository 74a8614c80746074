"""The side loop: what the broker gave up, drained from its dead-letter topic into the same journal as everything else.

dead-letter subscription --a thread: pull, ask whether it was counted--> take() --the main thread: stage--> commit
"""

import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from google.api_core.exceptions import GoogleAPIError
from requests.exceptions import RequestException

from dataflow.core import SchemasAwayError
from dataflow.dead_letters import GivenUp
from dataflow.dead_letters.counted import Counted
from dataflow.errors import NorenError
from dataflow.pull.prefetch import Prefetcher
from dataflow.sources.pubsub import PubSubSubscription

log = logging.getLogger(__name__)

MOST_MESSAGES = 200
"""Asked for at once: two queries."""

PAUSE_SECONDS = 0.05
"""Between two looks whether what was pulled before is committed."""

AWAY_SECONDS = 2.0


@dataclass(frozen=True)
class Drained:
    """given_up: to be staged as dead. ack_ids: of these, and of those that were counted before."""

    given_up: Sequence[GivenUp]
    ack_ids: pl.Series


class Drain:
    """Drains one dead-letter subscription while it runs. A message is acknowledged when its row is committed."""

    def __init__(self, subscription: PubSubSubscription, counted: Counted) -> None:
        self._subscription = subscription
        self._counted = counted
        self._prefetcher = Prefetcher(subscription)
        self._ready: queue.Queue[Drained] = queue.Queue(2)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)
        self._staged: list[tuple[int, pl.Series]] = []
        self._failure: BaseException | None = None

    def start(self, stream: Prefetcher) -> None:
        """stream: pulls what may be given up. Before a message is asked for, all that it had pulled by then is in the
        tables: the message may be there, delivered once more just before it was given up."""
        self._stream = stream
        self._prefetcher.start()
        self._thread.start()

    def take(self) -> Drained | None:
        """What is ready to be staged, None when nothing is; never waits. Raises what the thread died of."""
        if self._failure is not None:
            raise self._failure
        try:
            return self._ready.get_nowait()
        except queue.Empty:
            return None

    def staged(self, number: int | None, drained: Drained) -> None:
        """It stands in the journal's entry `number`; None when nothing of it was new."""
        self._staged.append((-1 if number is None else number, drained.ack_ids))

    def acknowledge(self, committed: int) -> None:
        """Acknowledge what stands in entries below `committed`."""
        while self._staged and self._staged[0][0] < committed:
            _, ack_ids = self._staged.pop(0)
            self._subscription.acknowledge(ack_ids)
            self._prefetcher.release(len(ack_ids))

    def stop(self) -> None:
        """Stop pulling; what was not staged goes back."""
        self._stopped.set()
        if self._thread.ident is not None:  # it was started
            self._thread.join()
            self._prefetcher.stop()

    def close(self) -> None:
        self._subscription.close()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                messages = self._prefetcher.take(MOST_MESSAGES, wait=0.5)
                for start in range(0, len(messages), MOST_MESSAGES):
                    part = messages[start : start + MOST_MESSAGES]
                    given_up = [GivenUp.of(message) for message in part]
                    if (counted := self._asked(given_up)) is None:
                        return
                    new = [message for message, known in zip(given_up, counted, strict=True) if not known]
                    self._hand_over(Drained(new, part.ack_ids))
        except BaseException as error:  # noqa: BLE001  (handed to the main thread, which raises it)
            self._failure = error

    def _asked(self, given_up: list[GivenUp]) -> list[bool] | None:
        """Whether each was counted; waits while the warehouse or the schemas are away. None when it is to stop."""
        mark = self._stream.mark()
        while not self._stream.passed(mark):
            if self._stopped.wait(PAUSE_SECONDS):
                return None
        while not self._stopped.is_set():
            try:
                return self._counted.sort_out(given_up)
            except (SchemasAwayError, GoogleAPIError, RequestException, NorenError) as error:
                why = str(error) if isinstance(error, NorenError) else type(error).__name__
                log.warning("messages that the broker gave up wait: %s", why)
                self._stopped.wait(AWAY_SECONDS)
        return None

    def _hand_over(self, drained: Drained) -> None:
        while not self._stopped.is_set():
            try:
                self._ready.put(drained, timeout=0.5)
            except queue.Full:
                continue
            return
