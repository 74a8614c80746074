"""One trace a batch, with a span for each stage: how a slow batch is followed from its messages to its rows.

The data plane knows `Tracer` and `BatchTrace` only; `NoTracer` costs a call. A trace holds the broker's message ids,
the number of the journal entry and the rows' batch_id, never an event's id or value: so nothing is recorded of an
exception but its type.
"""

from typing import Protocol

from dataflow.sources.message import Messages
from dataflow.telemetry.catalogue import Stage


class BatchTrace(Protocol):
    """Of one batch; its methods may be called from several threads at once."""

    def span(self, stage: Stage, started: int, ended: int, **attributes: str | int) -> None:
        """A stage that is over; one of an output may come after the end. started, ended: nanoseconds since 1970."""

    def end(self, error: BaseException | None = None) -> None:
        """The batch is through: its messages are acknowledged, or it failed."""


class Tracer(Protocol):
    def batch(self, messages: Messages, started: int) -> BatchTrace:
        """The trace of a batch that was begun to be pulled at `started`, nanoseconds since 1970."""

    def close(self) -> None:
        """Write what is not written yet."""


class NoTrace:
    def span(self, stage: Stage, started: int, ended: int, **attributes: str | int) -> None:
        pass

    def end(self, error: BaseException | None = None) -> None:
        pass


NO_TRACE = NoTrace()


class NoTracer:
    """Where nobody asked for traces."""

    def batch(self, messages: Messages, started: int) -> BatchTrace:  # noqa: ARG002
        return NO_TRACE

    def close(self) -> None:
        pass
