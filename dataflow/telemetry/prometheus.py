"""The recorder behind `/metrics`: OpenTelemetry's SDK with its Prometheus exporter."""

from collections.abc import Callable
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, generate_latest

from dataflow.telemetry.catalogue import METRICS, SECONDS, Kind, Metric


class PrometheusRecorder:
    """Keeps every metric of one stream; a registry of its own, so several live in one process."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._registry = CollectorRegistry()
        reader = PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False, registry=self._registry)
        self._provider = MeterProvider(
            [reader],
            Resource({"service.name": "noren"}),
            views=[
                View(instrument_name=metric.name, aggregation=ExplicitBucketHistogramAggregation(SECONDS))
                for metric in METRICS
                if metric.kind is Kind.HISTOGRAM
            ],
        )
        meter = self._provider.get_meter("noren")
        make: dict[Kind, Callable[[str, str, str], Any]] = {
            Kind.COUNTER: meter.create_counter,
            Kind.GAUGE: meter.create_gauge,
            Kind.HISTOGRAM: meter.create_histogram,
        }
        self._instruments: dict[Metric, Any] = {
            metric: make[metric.kind](metric.name, metric.unit.value, metric.meaning) for metric in METRICS
        }

    def record(self, metric: Metric, value: float, **labels: str) -> None:
        if tuple(labels) != metric.labels:
            raise TypeError(f"{metric.name} has the labels {metric.labels}, not {tuple(labels)}")
        attributes = {"stream": self._stream, **labels}
        instrument = self._instruments[metric]
        if metric.kind is Kind.COUNTER:
            instrument.add(value, attributes)
        elif metric.kind is Kind.GAUGE:
            instrument.set(value, attributes)
        else:
            instrument.record(value, attributes)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def close(self) -> None:
        self._provider.shutdown()
