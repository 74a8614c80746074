"""CPU time, rounds and medians."""

import gc
import resource
import statistics
from collections.abc import Callable
from dataclasses import dataclass


def cpu_seconds() -> float:
    """User and system time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@dataclass(frozen=True)
class Contestant:
    """run: does the work once on `events` events."""

    name: str
    events: int
    run: Callable[[], None]


def interleaved(contestants: list[Contestant], rounds: int) -> dict[str, list[float]]:
    """Events per CPU second of each contestant, one figure a round.

    Everybody runs once a round, so that a noisy minute hits all; ratios are taken within a round.
    """
    for contestant in contestants:
        contestant.run()
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)  # as the pull loop has it
    figures: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    for _ in range(rounds):
        for contestant in contestants:
            before = cpu_seconds()
            contestant.run()
            figures[contestant.name].append(contestant.events / (cpu_seconds() - before))
    return figures


def median_ratio(figures: dict[str, list[float]], of: str, to: str) -> float:
    """Median over the rounds of `of` divided by `to`."""
    return statistics.median(a / b for a, b in zip(figures[of], figures[to], strict=True))
