"""What watches a running pipeline: `--metrics-port`, `--trace-file`, and what they ask."""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dataflow.errors import NorenError
from dataflow.telemetry.health import Check, Health

if TYPE_CHECKING:
    from dataflow.pull.driver import PullPipeline
    from dataflow.telemetry.pipeline import Telemetry

SINK_SECONDS = 5.0
"""How long an answer about the sink is good for: who asks for readiness asks often."""

NOT_YET = "not yet: the pipeline is starting"


class Observer:
    """Serves metrics and health, and writes traces, as asked for; else it costs nothing.

    port: of the metrics endpoint, 0 for any free one, None for none. trace_file: spans as JSON lines.
    Raises NorenError when the port is taken or the file cannot be written.
    """

    def __init__(self, stream: str, port: int | None, trace_file: Path | None) -> None:
        self._closing = ExitStack()
        self._backlog: Callable[[], int] | None = None
        self.health = Health(
            live={"committing": lambda: None},
            ready=dict.fromkeys(("pulling", "sink", "keys", "bundle"), lambda: NOT_YET),
        )
        self.telemetry = self._telemetry(stream, port, trace_file)

    def watch(self, pipeline: "PullPipeline", sink: Check, keys: Check, backlog: Callable[[], int] | None) -> None:
        """From now on this pipeline is what is asked about. backlog: messages that are not acknowledged, where
        somebody says."""
        self._backlog = backlog
        self.health.live["committing"] = pipeline.check_live
        self.health.ready |= {"pulling": pipeline.check_pulling, "sink": sink, "keys": keys, "bundle": lambda: None}

    def watch_import(self, live: Check) -> None:
        """From now on an import is what is asked about: nobody sends it work, so it is ready while it lives."""
        self.health.live["committing"] = live
        self.health.ready.clear()

    def close(self) -> None:
        """Write what is not written yet, and serve no more."""
        self._closing.close()

    def _telemetry(self, stream: str, port: int | None, trace_file: Path | None) -> "Telemetry":
        from dataflow.telemetry.pipeline import Telemetry

        return Telemetry(self._recorder(stream, port), self._tracer(stream, trace_file))

    def _recorder(self, stream: str, port: int | None) -> Any:
        if port is None:
            return None
        from dataflow.telemetry.catalogue import BACKLOG
        from dataflow.telemetry.prometheus import PrometheusRecorder
        from dataflow.telemetry.server import TelemetryServer

        recorder = PrometheusRecorder(stream)

        def metrics() -> bytes:
            if self._backlog is not None:
                try:
                    recorder.record(BACKLOG, self._backlog())
                except NorenError as error:
                    logging.getLogger(__name__).warning("the backlog is not known: %s", error)
            return recorder.text()

        self._closing.callback(recorder.close)
        server = TelemetryServer(port, metrics, self.health)
        self._closing.callback(server.close)
        click.echo(f"metrics on {server.url}/metrics, health on /healthz and /readyz", err=True)
        return recorder

    def _tracer(self, stream: str, trace_file: Path | None) -> Any:
        import os

        if trace_file is None and not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
            return None
        from dataflow.telemetry.spans import JsonLines, SpanTracer, otlp_exporter

        exporters = [JsonLines(trace_file)] if trace_file else []
        tracer = SpanTracer(stream, [*exporters, *([found] if (found := otlp_exporter()) else [])])
        self._closing.callback(tracer.close)
        return tracer


def remembered(check: Check, seconds: float = SINK_SECONDS) -> Check:
    """The check, asked at most every so many seconds."""
    asked, answer = float("-inf"), None

    def ask() -> str | None:
        nonlocal asked, answer
        if time.monotonic() - asked > seconds:
            answer, asked = check(), time.monotonic()
        return answer

    return ask


def reachable(client: Any, table: str) -> Check:
    """Whether BigQuery answers for a table, within two seconds."""

    def check() -> str | None:
        from google.api_core.exceptions import GoogleAPICallError
        from requests.exceptions import RequestException

        try:
            client.get_table(table, retry=None, timeout=2)
        except GoogleAPICallError as error:
            return f"BigQuery answers {error.code} for {table}"
        except RequestException as error:
            return f"BigQuery does not answer ({type(error).__name__})"
        return None

    return remembered(check)
