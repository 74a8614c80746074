"""Events published at a rate, open loop: by a schedule, whatever the pipeline and the server do."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
from google.pubsub_v1 import types

from dataflow.channels import UNLIMITED, plain
from dataflow.errors import NorenError
from scripts.bench.pipeline.numbered import Numbered

TICK_SECONDS = 0.01
"""Events are published so often, those of a tick in one request: as long as Google's client gathers by default.

https://cloud.google.com/pubsub/docs/batch-messaging
"""

CONNECT_SECONDS = 10
"""Until the server answers; the schedule begins then."""

MOST_CALLS = 16
"""At a time; each waits in a thread of ours, for gRPC's own futures start one for each call."""


class Publisher:
    """Publishes numbered events from 0 on in a thread of its own, while the block lasts.

    An event is due at its tick's time by the schedule: whoever counts from there also counts what this process was late
    by. rate: events a second.
    """

    def __init__(self, endpoint: str, topic: str, rate: float, clock: Callable[[], float] = time.monotonic):
        self._topic, self._rate, self._clock = topic, rate, clock
        self._made = Numbered()
        self._channel = plain(endpoint, UNLIMITED)
        self._call = self._channel.unary_unary(
            "/google.pubsub.v1.Publisher/Publish",
            types.PublishRequest.pb().SerializeToString,
            types.PublishResponse.pb().FromString,
        )
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._stopped = threading.Event()
        self._calls: list[Future[Any]] = []
        self._pool = ThreadPoolExecutor(MOST_CALLS, thread_name_prefix="publish")
        self.published = 0
        """Events sent so far."""
        self.late: list[float] = []
        """By tick: seconds that its request went out after its time."""
        self.started = 0.0

    def due(self, number: int) -> float:
        """When an event is due, of the clock."""
        return self.started + -(-(number + 1) // self._at_once) * TICK_SECONDS

    @property
    def _at_once(self) -> int:
        return max(1, round(self._rate * TICK_SECONDS))

    def __enter__(self) -> "Publisher":
        grpc.channel_ready_future(self._channel).result(CONNECT_SECONDS)
        self.started = self._clock()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._pool.shutdown()
        self._channel.close()

    def stop(self) -> int:
        """Publish no more; how many events the server has. Raises NorenError when it refused some."""
        self._stopped.set()
        self._thread.join()
        try:
            for call in self._calls:
                call.result()
        except grpc.RpcError as error:
            raise NorenError(f"{self._topic}: the Pub/Sub server refuses the events: {error.details()}.") from error
        self._calls.clear()
        return self.published

    def _run(self) -> None:
        while not self._stopped.is_set():
            due = self.due(self.published)
            now = self._clock()
            if now < due:
                self._stopped.wait(due - now)
                continue
            numbers = range(self.published, self.published + self._at_once)
            request = types.PublishRequest.pb()(topic=self._topic)
            for line in self._made.make(numbers):
                request.messages.add(data=line)
            self._calls.append(self._pool.submit(self._call, request, timeout=60))
            self.late.append(self._clock() - due)
            self.published = numbers.stop
            if len(self._calls) > 1_000:
                self._calls = [call for call in self._calls if not call.done() or call.exception() is not None]
