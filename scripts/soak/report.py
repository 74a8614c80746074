"""What a soak tells: a line a round, and at the end availability and how long recovery took, by kind of fault."""

import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

from scripts.soak.balance import Counts


@dataclass
class Injected:
    """One fault as it happened; seconds since the round's start.

    recovered: seconds from its end to the next committed group; None when none came.
    """

    kind: str
    began: float
    ended: float = 0.0
    recovered: float | None = None


@dataclass
class Round:
    """One round. counts: of this round alone. available, watched: whole seconds, see README.md."""

    number: int
    injected: list[Injected] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    available: int = 0
    watched: int = 0
    seconds: float = 0.0
    starts: int = 0
    ends: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def line(self, rounds: int) -> str:
        """For the terminal."""
        kinds = ", ".join(item.kind for item in self.injected)
        c = self.counts
        return (
            f"round {self.number:>{len(str(rounds))}}/{rounds}  {c.published:,} published = {c.raw:,} raw + "
            f"{c.dead:,} dead + {c.duplicates:,} duplicates; {c.anonymized:,} anonymized; available "
            f"{_percent(self.available, self.watched)}; {self.seconds:.1f} s; {kinds}"
        )


@dataclass
class Report:
    """Of a whole run. kept: where the data of a broken round is."""

    seed: int
    rounds: list[Round] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    kept: str | None = None

    @property
    def available(self) -> tuple[int, int]:
        """(available, watched) seconds."""
        return sum(item.available for item in self.rounds), sum(item.watched for item in self.rounds)

    def recovery(self) -> dict[str, dict[str, float | int | None]]:
        """By kind of fault: how many there were, after how many nothing was committed, median and longest seconds."""
        found = {}
        for kind in sorted({item.kind for done in self.rounds for item in done.injected}):
            all_ = [item.recovered for done in self.rounds for item in done.injected if item.kind == kind]
            seconds = [value for value in all_ if value is not None]
            found[kind] = {
                "faults": len(all_),
                "not_recovered": len(all_) - len(seconds),
                "median_seconds": round(statistics.median(seconds), 3) if seconds else None,
                "longest_seconds": round(max(seconds), 3) if seconds else None,
            }
        return found

    def to_dict(self) -> dict[str, Any]:
        """As `--json` writes it."""
        available, watched = self.available
        return {
            "seed": self.seed,
            "rounds": [asdict(item) for item in self.rounds],
            "availability": round(available / watched, 4) if watched else None,
            "recovery": self.recovery(),
            "problems": self.problems,
            "kept": self.kept,
        }

    def lines(self) -> list[str]:
        """For the terminal, at the end."""
        told = [f"available {_percent(*self.available)} of the seconds in which events were published"]
        for kind, item in self.recovery().items():
            if item["median_seconds"] is None:
                told.append(f"  {kind:<18}{item['faults']:>4} times, nothing was committed after it")
                continue
            told.append(
                f"  {kind:<18}{item['faults']:>4} times, next commit after {item['median_seconds']:.1f} s (median), "
                f"{item['longest_seconds']:.1f} s (longest)"
            )
        return told


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"
