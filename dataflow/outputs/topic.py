"""The topic `<stream>-anonymized`: every anonymized row as a message, at least once.

One row a message: the topic enforces the row's schema (terraform/adr/0001-schemas-of-topics.md), and one message is one
object of it. Attributes name the row for ever: `journal`, `entry` and `row`; who wants each row once keeps what it saw
of them.
"""

import logging
from collections.abc import Sequence
from typing import Any

import grpc
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random_exponential

from dataflow.channels import UNLIMITED, plain
from dataflow.errors import NorenError
from dataflow.outputs.base import Run
from dataflow.outputs.json_rows import json_rows
from dataflow.outputs.waiting import waiting
from dataflow.outputs.wire import requests

log = logging.getLogger(__name__)

MOST_MESSAGES = 1_000
MOST_BYTES = 9_000_000
"""Of one request: the service takes 1,000 messages and 10 MB (https://cloud.google.com/pubsub/quotas)."""

MOST_REQUEST_BYTES = 10_000_000
"""What the service takes: above it there is one message alone in a request, which no other try gets through."""

PASSING = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.UNKNOWN,
)
"""Failures that pass by themselves (https://cloud.google.com/pubsub/docs/reference/error-codes)."""

PATIENCE_SECONDS = 300


def _passes(error: BaseException) -> bool:
    return isinstance(error, grpc.RpcError) and error.code() in PASSING


class AnonymizedTopic:
    """Publishes anonymized rows. topic: `projects/P/topics/T`.

    endpoint: host:port of a local server, None for Pub/Sub itself with application default credentials.
    """

    name = "topic"
    roles: Sequence[str] = ("anonymized",)
    seconds = 0.0
    most_bytes = 0

    def __init__(self, topic: str, endpoint: str | None = None) -> None:
        self.topic = topic
        self._channel = plain(endpoint, UNLIMITED) if endpoint else _cloud_channel()
        self._publish = self._channel.unary_unary("/google.pubsub.v1.Publisher/Publish")  # bytes to bytes

    def put(self, run: Run) -> None:
        """Publish the run's rows. Raises NorenError when the topic is missing or refuses them."""
        for entry in run.entries:
            if "anonymized" not in entry.rows:
                continue
            named = {"journal": run.journal, "entry": str(entry.number), "policy_version": entry.policy_version}
            data = json_rows(entry.rows["anonymized"])
            for request in requests(self.topic, data, named, messages=MOST_MESSAGES, size=MOST_BYTES):
                self._send(request)

    def close(self) -> None:
        self._channel.close()

    def _send(self, request: bytes) -> None:
        try:
            self._patient_send(request)
        except grpc.RpcError as error:
            # details() may quote a row: code and way out only
            code = error.code()
            if code is grpc.StatusCode.NOT_FOUND:
                raise NorenError(f"{self.topic}: there is no such topic; make it (terraform/platform).") from None
            if code is grpc.StatusCode.INVALID_ARGUMENT and len(request) > MOST_REQUEST_BYTES:
                log.error(
                    "%s: a row is larger than a message may be (10 MB): it is in the tables, not here; lower "
                    "maxMessageBytes in the contract",
                    self.topic,
                )
                return
            if code is grpc.StatusCode.INVALID_ARGUMENT:
                raise NorenError(
                    f"{self.topic}: refuses the rows; bring its schema up to date (noren contract render pubsub) and "
                    "start again: they are in the journal."
                ) from None
            raise NorenError(f"{self.topic}: cannot be published to ({code.name}).") from None

    @retry(
        retry=retry_if_exception(_passes),
        wait=wait_random_exponential(multiplier=0.1, max=20),
        stop=stop_after_delay(PATIENCE_SECONDS),
        before_sleep=waiting(log),
        reraise=True,
    )
    def _patient_send(self, request: bytes) -> None:
        self._publish(request, timeout=60)


def _cloud_channel() -> Any:
    from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

    return PublisherGrpcTransport().grpc_channel
