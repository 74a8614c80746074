"""Recording through the catalogue: the small interface that the data plane knows. A call a batch, never an event."""

from typing import Protocol

from dataflow.telemetry.catalogue import Metric


class Recorder(Protocol):
    """Records metrics of one stream."""

    def record(self, metric: Metric, value: float, **labels: str) -> None:
        """Add to a counter, set a gauge, or put one value into a histogram.

        labels: exactly those that the metric declares. A label's value comes from a closed set, never from an event.
        """


class NoRecorder:
    """Records nothing: where nobody asked for metrics."""

    def record(self, metric: Metric, value: float, **labels: str) -> None:
        pass
