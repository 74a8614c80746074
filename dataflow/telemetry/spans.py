"""The tracer behind `--trace-file` and OTLP: OpenTelemetry's SDK."""

import logging
import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from dataflow.errors import NorenError
from dataflow.sources.message import Messages
from dataflow.telemetry.catalogue import Stage

log = logging.getLogger(__name__)

OTLP_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"

TRACEPARENT = "traceparent"
"""The message attribute by which a publisher passes its trace on (https://www.w3.org/TR/trace-context/)."""

MOST_LINKS = 100
"""Publishers' traces that one batch links to; the SDK keeps 128."""


class JsonLines(SpanExporter):
    """Spans as lines of a file, for its owner only. Raises NorenError when it cannot be written."""

    def __init__(self, path: Path) -> None:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise NorenError(f"{path}: traces cannot be written there: {error.strerror}.") from error
        self._file: TextIO = os.fdopen(descriptor, "a", encoding="utf-8")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._file.writelines(span.to_json(indent=None) + "\n" for span in spans)
        self._file.flush()
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._file.close()


def otlp_exporter() -> SpanExporter | None:
    """The exporter to OTEL_EXPORTER_OTLP_ENDPOINT; None where that is not set, or with a warning where there is none.

    The variable is often set for a whole machine: a pipeline does not stay away for it.
    """
    if not os.environ.get(OTLP_ENDPOINT):
        return None
    for protocol in ("http", "grpc"):
        try:
            found = find_spec(f"opentelemetry.exporter.otlp.proto.{protocol}.trace_exporter")
        except ModuleNotFoundError:
            continue
        if found is not None:
            module: Any = __import__(found.name, fromlist=["OTLPSpanExporter"])
            exporter: SpanExporter = module.OTLPSpanExporter()
            return exporter
    log.warning(
        "%s is set, but opentelemetry-exporter-otlp-proto-http is not installed: no traces go there", OTLP_ENDPOINT
    )
    return None


class SpanTracer:
    """Traces of one stream's batches.

    exporters: where spans go, in the background.
    """

    def __init__(self, stream: str, exporters: Sequence[SpanExporter]) -> None:
        self._stream = stream
        self._provider = TracerProvider(resource=Resource({"service.name": "noren"}), shutdown_on_exit=False)
        for exporter in exporters:
            self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1_000))
        self._tracer = self._provider.get_tracer("noren")

    def batch(self, messages: Messages, started: int) -> "SpanTrace":
        root = self._tracer.start_span(
            "batch",
            kind=SpanKind.CONSUMER,
            start_time=started,
            links=[Link(context) for context in _publishers(messages)],
            attributes={
                "noren.stream": self._stream,
                "messaging.batch.message_count": len(messages),
                "noren.message_ids": messages.message_ids.to_list(),
                "noren.oldest_publish_time": int(messages.received.min()),
            },
        )
        return SpanTrace(self._tracer, root)

    def close(self) -> None:
        self._provider.shutdown()


class SpanTrace:
    """The open span of a batch and what is below it."""

    def __init__(self, tracer: Any, root: Any) -> None:
        self._tracer = tracer
        self._root = root
        self._context = set_span_in_context(root)

    def span(self, stage: Stage, started: int, ended: int, **attributes: str | int) -> None:
        named = {f"noren.{name}": value for name, value in attributes.items()}
        span = self._tracer.start_span(stage.value, self._context, start_time=started, attributes=named)
        span.end(ended)
        if stage is not Stage.OUTPUT:  # an output may be later than the batch's end
            self._root.set_attributes(named)

    def end(self, error: BaseException | None = None) -> None:
        if error is not None:  # never record_exception: an error's text may quote an event
            self._root.set_status(Status(StatusCode.ERROR, type(error).__name__))
        self._root.end()


def _publishers(messages: Messages) -> list[SpanContext]:
    """Contexts of the traces that the messages were published in, each once, at most MOST_LINKS.

    Only the ids and the sampled flag are taken: a tracestate is free text.
    """
    given = dict.fromkeys(attributes[TRACEPARENT] for attributes in messages.attributes if TRACEPARENT in attributes)
    contexts = []
    for header in given:
        if (context := _context(header)) is not None:
            contexts.append(context)
            if len(contexts) == MOST_LINKS:
                break
    return contexts


def _context(header: str) -> SpanContext | None:
    carrier: Mapping[str, str] = {TRACEPARENT: header}
    extracted = TraceContextTextMapPropagator().extract(carrier, Context())
    context = get_current_span(extracted).get_span_context()
    if not context.is_valid:
        return None
    return SpanContext(context.trace_id, context.span_id, is_remote=True, trace_flags=TraceFlags(context.trace_flags))
