"""Messages a second through a server: `python -m scripts.stack.pubsub.bench`.

One client process with raw stubs (google.pubsub_v1's protobuf classes over gRPC, no GAPIC in between), 1,000 messages
of 400 bytes a request. It starts a server of ours in a temporary directory, or measures the one at --endpoint.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from typing import Any

import click
from google.protobuf import empty_pb2
from google.pubsub_v1 import types

from dataflow.channels import plain

BATCH = 1000
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The endpoint of a server that lives as long as the block."""
    with tempfile.TemporaryDirectory(prefix="noren-bench-") as directory:
        command = [sys.executable, "-m", "scripts.stack.pubsub", "--data-dir", directory, "--watch-stdin"]
        pipe = subprocess.PIPE
        server = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)  # noqa: S603
        try:
            assert server.stdout is not None
            yield f"127.0.0.1:{json.loads(server.stdout.readline().removeprefix('READY '))['port']}"
        finally:
            server.communicate()


class Client:
    """Raw stubs over one channel, and a fresh topic with a subscription."""

    def __init__(self, endpoint: str) -> None:
        self.channel = plain(endpoint, OPTIONS)
        name = uuid.uuid4().hex[:8]
        self.topic = f"projects/noren-bench/topics/topic-{name}"
        self.subscription = f"projects/noren-bench/subscriptions/subscription-{name}"
        self.publish = self._stub("Publisher/Publish", types.PublishRequest, types.PublishResponse)
        self.pull = self._stub("Subscriber/Pull", types.PullRequest, types.PullResponse)
        self.acknowledge = self._stub("Subscriber/Acknowledge", types.AcknowledgeRequest, None)
        self._stub("Publisher/CreateTopic", types.Topic, types.Topic)(types.Topic.pb()(name=self.topic))
        create = self._stub("Subscriber/CreateSubscription", types.Subscription, types.Subscription)
        create(types.Subscription.pb()(name=self.subscription, topic=self.topic, ack_deadline_seconds=600))

    def _stub(self, method: str, request: Any, response: Any) -> Any:
        return self.channel.unary_unary(
            f"/google.pubsub.v1.{method}",
            request_serializer=request.pb().SerializeToString,
            response_deserializer=(response.pb() if response else empty_pb2.Empty).FromString,
        )

    def publish_all(self, count: int) -> None:
        messages = [types.PubsubMessage.pb()(data=b"x" * 400)] * BATCH
        request = types.PublishRequest.pb()(topic=self.topic, messages=messages)
        for _ in range(count // BATCH):
            self.publish(request)

    def pull_all(self, count: int) -> None:
        done = 0
        pull = types.PullRequest.pb()(subscription=self.subscription, max_messages=BATCH)
        while done < count:
            received = self.pull(pull).received_messages
            ids = [message.ack_id for message in received]
            self.acknowledge(types.AcknowledgeRequest.pb()(subscription=self.subscription, ack_ids=ids))
            done += len(ids)

    def stream_all(self, count: int) -> None:
        """StreamingPull, acknowledged by unary requests as Google's client does."""
        call = self.channel.stream_stream(
            "/google.pubsub.v1.Subscriber/StreamingPull",
            request_serializer=types.StreamingPullRequest.pb().SerializeToString,
            response_deserializer=types.StreamingPullResponse.pb().FromString,
        )
        first = types.StreamingPullRequest.pb()(subscription=self.subscription, stream_ack_deadline_seconds=600)
        stream, done = call(iter([first])), 0
        for response in stream:
            ids = [message.ack_id for message in response.received_messages]
            if ids:
                self.acknowledge(types.AcknowledgeRequest.pb()(subscription=self.subscription, ack_ids=ids))
                done += len(ids)
            if done >= count:
                break
        stream.cancel()


def measure(endpoint: str, count: int) -> dict[str, int]:
    """Messages a second of each way, over `count` messages of 400 bytes."""
    client = Client(endpoint)
    result = {
        "publish": _timed(client.publish_all, count),
        "pull and acknowledge": _timed(client.pull_all, count),
    }
    client.publish_all(count)
    result["streaming pull and acknowledge"] = _timed(client.stream_all, count)
    client.channel.close()
    return result


def _timed(step: Any, count: int) -> int:
    start = time.perf_counter()
    step(count)
    return round(count / (time.perf_counter() - start))


@click.command(epilog="Example: python -m scripts.stack.pubsub.bench --messages 100000")
@click.option("--messages", type=click.IntRange(BATCH), default=100_000, show_default=True)
@click.option("--endpoint", help="Measure the server there, e.g. 127.0.0.1:8085.")
def main(messages: int, endpoint: str | None) -> None:
    """Publish, pull and stream once, and print messages a second."""
    with contextlib.nullcontext(endpoint) if endpoint else running() as target:
        for name, rate in measure(target, messages // BATCH * BATCH).items():
            click.echo(f"{name:32} {rate:>9,} messages/s")


if __name__ == "__main__":
    main()
