"""Events, published without pause: out of order, some malformed, some sent again; and what the broker acknowledged."""

import datetime
import json
import random
import threading
import time

from dataflow.errors import NorenError
from scripts.main_job.simulate import simulate
from scripts.stack.streams import LocalTopics

EVENTS = 500
"""That are simulated and shuffled at once."""

AGAIN_SHARE = 0.03
"""Of the events that are sent once more, some time later."""

REMEMBERED = 5_000
"""Events of earlier that may be sent again."""

REQUESTS_A_SECOND = 10


class Traffic:
    """One round's. rate: events a second.

    acknowledged: (message id, identity) of what the broker accepted and said so; the identity is None where the payload
    has none to be read.
    """

    def __init__(self, topics: LocalTopics, stream: str, seed: str, rate: int) -> None:
        self._topics = topics
        self._stream = stream
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311  (a simulation)
        self._rate = rate
        self._again: list[bytes] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
        self._failure: BaseException | None = None
        self.began = datetime.datetime.now(datetime.UTC)
        self.acknowledged: list[tuple[str, str | None]] = []
        self.refused = 0
        """Requests without an answer: sent again until there is one, so the broker may have them twice."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop when what is being sent is acknowledged. Raises what the thread died of."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.check()

    def check(self) -> None:
        """Raises what the thread died of, if it did."""
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            size = max(1, self._rate // REQUESTS_A_SECOND)
            due = time.monotonic()
            waiting: list[bytes] = []
            while not self._stopped.is_set():
                if len(waiting) < size:
                    waiting += self._more()
                request, waiting = waiting[:size], waiting[size:]
                self._send(request)
                due = max(due + 1 / REQUESTS_A_SECOND, time.monotonic() - 1.0)  # no burst after a long outage
                self._stopped.wait(max(0.0, due - time.monotonic()))
        except BaseException as error:  # noqa: BLE001  (handed to the main thread, which raises it)
            self._failure = error

    def _more(self) -> list[bytes]:
        payloads = simulate(EVENTS, self._random.getrandbits(64), self.began).payloads
        if self._again:
            payloads += self._random.choices(self._again, k=int(EVENTS * AGAIN_SHARE))
        self._random.shuffle(payloads)
        self._again = [*self._again, *payloads][-REMEMBERED:]
        return payloads

    def _send(self, payloads: list[bytes]) -> None:
        pause = 0.05
        while True:
            try:
                ids = self._topics.publish(self._stream, payloads)
            except NorenError:
                self.refused += 1
                if self._stopped.wait(pause):
                    return
                pause = min(1.0, 2 * pause)
                continue
            self.acknowledged += zip(ids, map(identity, payloads), strict=True)
            return


def identity(payload: bytes) -> str | None:
    """The event's id, None where none can be read."""
    try:
        found = json.loads(payload).get("event_id")
    except (ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None
