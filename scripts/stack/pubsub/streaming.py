"""Subscriber.StreamingPull: messages flow up to the client's limits, acknowledgments come back on the stream."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
from google.pubsub_v1 import types
from grpc import StatusCode

from . import names, rpc
from .broker import Broker
from .lease import Holder
from .refusal import Refusal, invalid
from .resources import Subscription

StreamingPullRequest = types.StreamingPullRequest.pb()
StreamingPullResponse = types.StreamingPullResponse.pb()
_ONLY_FIRST = ("subscription", "max_outstanding_messages", "max_outstanding_bytes", "client_id", "protocol_version")


class StreamingPull:
    """The method over one broker. limit, size: most messages and bytes of one response."""

    def __init__(
        self,
        broker: Broker,
        closing: asyncio.Event,
        limit: int,
        size: int,
        check_attached: Callable[[Subscription], None],
    ) -> None:
        self.broker = broker
        self.closing = closing
        self.limit = limit
        self.size = size
        self.check_attached = check_attached

    def handler(self) -> Any:
        return grpc.stream_stream_rpc_method_handler(
            self.call, request_deserializer=StreamingPullRequest.FromString, response_serializer=None
        )

    async def call(self, requests: Any, context: Any) -> None:
        try:
            first = await anext(aiter(requests), None)
            if first is None:
                return
            subscription = self.broker.subscription(names.check(first.subscription, "subscriptions"))
            self.check_attached(subscription)
            await _Stream(self, subscription, context).run(first, requests)
        except Refusal as refusal:
            await rpc.refuse(context, refusal)


class _Stream:
    """One open stream."""

    def __init__(self, method: StreamingPull, subscription: Subscription, context: Any) -> None:
        self.method = method
        self.subscription = subscription
        self.context = context
        self.holder = Holder()
        self.deadline = 0.0
        self._writing = asyncio.Lock()  # gRPC takes one write at a time; confirmations come from the reader

    async def run(self, first: Any, requests: Any) -> None:
        """Raises Refusal: a request was wrong, the subscription went away, or the server stops (UNAVAILABLE)."""
        self.holder.max_messages = first.max_outstanding_messages
        self.holder.max_bytes = first.max_outstanding_bytes
        await self._handle(first, opening=True)
        delivery, wake = self.subscription.delivery, self.holder.wake
        delivery.consumers.add(wake)
        reader = asyncio.create_task(self._read(requests))
        reader.add_done_callback(lambda _: wake.set())
        try:
            await self._write(b"")
            while True:
                wake.clear()
                if reader.done() and (error := reader.exception()):
                    raise error
                if self.method.closing.is_set():
                    raise Refusal(StatusCode.UNAVAILABLE, "The server is stopping.")
                self.method.check_attached(self.subscription)
                if not self.holder.full:
                    body, count = self._take()
                    if count:
                        await self._write(body)
                        continue
                await wake.wait()
        finally:
            reader.cancel()
            delivery.consumers.discard(wake)

    def _take(self) -> tuple[bytes, int]:
        holder, limit, size = self.holder, self.method.limit, self.method.size
        if holder.max_messages > 0:
            limit = min(limit, holder.max_messages - holder.messages)
        if holder.max_bytes > 0:
            size = min(size, holder.max_bytes - holder.bytes)
        return self.subscription.delivery.take(limit, size, self.deadline, holder)

    async def _write(self, body: bytes) -> None:
        """Send a serialized response and the subscription's properties: clients look for these in *every* response."""
        rules = self.subscription.delivery.rules
        properties = {"exactly_once_delivery_enabled": rules.exactly_once, "message_ordering_enabled": rules.ordered}
        async with self._writing:
            await self.context.write(
                body + StreamingPullResponse(subscription_properties=properties).SerializeToString()
            )

    async def _read(self, requests: Any) -> None:
        async for request in requests:
            await self._handle(request, opening=False)

    async def _handle(self, request: Any, *, opening: bool) -> None:
        if not opening and any(getattr(request, name) for name in _ONLY_FIRST):
            raise invalid(f"{', '.join(_ONLY_FIRST)} can be set only in a stream's first request.")
        if opening or request.stream_ack_deadline_seconds:
            if not 10 <= request.stream_ack_deadline_seconds <= 600:
                raise invalid("stream_ack_deadline_seconds out of bounds: it has to be 10 to 600.")
            self.deadline = float(request.stream_ack_deadline_seconds)
        if len(request.modify_deadline_seconds) != len(request.modify_deadline_ack_ids):
            raise invalid("modify_deadline_seconds and modify_deadline_ack_ids differ in length.")
        if any(seconds < 0 for seconds in request.modify_deadline_seconds):
            raise invalid("modify_deadline_seconds cannot be negative.")
        confirm = self.subscription.delivery.rules.exactly_once
        if request.ack_ids:
            stale = set(self.method.broker.acknowledge(self.subscription, request.ack_ids))
            if confirm:
                response = StreamingPullResponse()
                _confirm(response.acknowledge_confirmation, request.ack_ids, stale)
                await self._write(response.SerializeToString())
        if request.modify_deadline_ack_ids:
            stale = self._modify(request)
            if confirm:
                response = StreamingPullResponse()
                _confirm(response.modify_ack_deadline_confirmation, request.modify_deadline_ack_ids, stale)
                await self._write(response.SerializeToString())

    def _modify(self, request: Any) -> set[str]:
        by_seconds: dict[int, list[str]] = {}
        for ack_id, seconds in zip(request.modify_deadline_ack_ids, request.modify_deadline_seconds, strict=True):
            by_seconds.setdefault(min(seconds, 600), []).append(ack_id)
        stale: set[str] = set()
        for seconds, ack_ids in by_seconds.items():
            stale.update(self.method.broker.modify_ack_deadline(self.subscription, ack_ids, seconds))
        return stale


def _confirm(confirmation: Any, ack_ids: Any, stale: set[str]) -> None:
    confirmation.ack_ids.extend(ack_id for ack_id in ack_ids if ack_id not in stale)
    confirmation.invalid_ack_ids.extend(sorted(stale))
