"""The watermark of event time: how far it has come, by what was seen and never by a clock of this machine.

With E the greatest event time of an accepted event and P the driver's watermark of publish time (no message published
before it is expected any more), the watermark of event time is

    min(max(E, P - STALL), P) - DISORDER

Event time drives it; publish time bounds it on both sides. An app whose clock is ahead cannot push it into the future,
and a stream that sends nothing but old events, dead letters, or nothing at all, cannot hold it for ever. Both E and P
only grow, so the watermark does too, and where it stands depends on neither the order nor the grouping of what was
seen.
"""

from dataclasses import dataclass

SECOND = 1_000_000

DISORDER = 60 * SECOND
"""How far events of a healthy stream overtake each other, microseconds."""

STALL = 300 * SECOND
"""How far behind publish time events may keep the watermark, microseconds."""

NEVER = -(1 << 62)
"""The watermark before anything was seen: earlier than every moment."""


@dataclass(frozen=True)
class Watermark:
    """events, published: E and P, microseconds since 1970, NEVER where nothing was seen."""

    disorder: int = DISORDER
    stall: int = STALL
    events: int = NEVER
    published: int = NEVER

    @property
    def value(self) -> int:
        """All windows that end by this moment are complete, but for late events. Microseconds since 1970, or NEVER."""
        if self.published <= NEVER:
            return NEVER
        return min(max(self.events, self.published - self.stall), self.published) - self.disorder

    def seeing(self, events: int, published: int) -> "Watermark":
        """The watermark behind a batch. events, published: of the batch, NEVER where it has none."""
        return Watermark(self.disorder, self.stall, max(self.events, events), max(self.published, published))
