"""What happens to a call on its way."""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

HANG_SECONDS = 3_600.0
"""Longer than any client waits."""


@dataclass(frozen=True)
class Fault:
    """One failure.

    kind: `refuse` answers with an error and asks nobody; `lose` answers with an error after the server did the work;
        `cut` closes the connection after the server did the work; `hang` gives no answer until the client gives up or
        the faults stop.
    status: of the error: an HTTP status, for gRPC translated (429 is RESOURCE_EXHAUSTED, 504 DEADLINE_EXCEEDED, 500
        INTERNAL, else UNAVAILABLE).
    reason: BigQuery's word for it.
    """

    kind: str
    status: int = 503
    reason: str = "backendError"


KINDS = (
    Fault("refuse", 429, "rateLimitExceeded"),
    Fault("refuse", 403, "quotaExceeded"),
    Fault("refuse", 500, "internalError"),
    Fault("refuse", 503),
    Fault("lose", 500, "internalError"),
    Fault("lose", 503),
    Fault("cut"),
)


class Faults:
    """Decides about each call. Calls may come at once.

    plan: one entry a call that `only` picks, first to last; None and everything after the plan is passed on.
    chance, seed: instead of a plan, how many calls of 1 fail, with faults of KINDS by a seeded generator.
    only: picks the calls that may fail, by a text that names one: method and path, or the gRPC method.
    """

    def __init__(
        self,
        *plan: Fault | None,
        chance: float = 0.0,
        seed: int = 0,
        only: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self.over = threading.Event()
        """Set while everything passes."""
        self._kinds: Sequence[Fault] = KINDS
        self._plan = list(plan)
        self._chance = chance
        self._random = random.Random(seed)  # noqa: S311  (no secret: a run is to be repeatable)
        self._only = only
        self._lock = threading.Lock()
        self.injected: list[tuple[str, Fault]] = []
        """What was done to which call."""

    def next(self, call: str) -> Fault | None:
        with self._lock:
            if not self._only(call):
                return None
            fault = self._plan.pop(0) if self._plan else None
            if self._random.random() < self._chance:
                fault = self._random.choice(self._kinds)
            if fault is not None:
                self.injected.append((call, fault))
            return fault

    def begin(self, chance: float, kinds: Sequence[Fault] = KINDS) -> None:
        """From now on `chance` of the calls of 1 fail, with one of these faults."""
        with self._lock:
            self._chance, self._kinds = chance, kinds
            self.over.clear()

    def stop(self) -> None:
        """From now on everything passes; what hangs is cut."""
        with self._lock:
            self._plan, self._chance = [], 0.0
            self.over.set()

    def hang(self, seconds: float) -> None:
        """Wait until the faults stop, or `seconds`."""
        self.over.wait(seconds)
