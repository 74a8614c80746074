"""Topics and subscriptions of the local stack, one of each for every contract. In the cloud Terraform makes them."""

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
from google.pubsub_v1 import types

from dataflow import names
from dataflow.channels import UNLIMITED, plain
from dataflow.contract import Contract
from dataflow.errors import NorenError

ACK_DEADLINE_SECONDS = 10
"""The service's minimum: this long a killed pipeline's messages stay with it. A living one renews its leases."""

RETENTION_SECONDS = 7 * 24 * 3600

MOST_DELIVERIES = 20
"""Then the broker gives a message up: it goes to the dead-letter topic, which `noren run` drains."""

PUBLISH_MESSAGES = 1_000
PUBLISH_BYTES = 9_000_000
"""Limits of one publish request: 1,000 messages and 10 MB (https://cloud.google.com/pubsub/quotas)."""


class LocalTopics:
    """Makes the topics and publishes to them, by raw calls. endpoint: host:port of the stack's Pub/Sub server."""

    def __init__(self, project: str, endpoint: str) -> None:
        self._project = project
        self._channel = plain(endpoint, UNLIMITED)

    def __enter__(self) -> "LocalTopics":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def ensure(self, contracts: Iterable[Contract]) -> None:
        """Make what is missing. What exists stays as it is, but that the anonymizer's subscription gets a dead-letter
        policy where it has none: one that was made before there was one would deliver a poison message for ever."""
        for contract in contracts:
            topic = self.topic(contract.stream)
            given_up = names.dead_letter_topic(contract.stream)
            dead_letter_topic = f"projects/{self._project}/topics/{given_up}"
            self._create("Publisher/CreateTopic", types.Topic.pb()(name=dead_letter_topic), types.Topic)
            self._create("Publisher/CreateTopic", types.Topic.pb()(name=topic), types.Topic)
            self.subscribe(given_up, dead_letter_topic)
            policy = types.DeadLetterPolicy.pb()(
                dead_letter_topic=dead_letter_topic, max_delivery_attempts=MOST_DELIVERIES
            )
            name = names.subscription(contract.stream)
            if not self.subscribe(name, topic, dead_letter_policy=policy):
                self._give_up_after(name, policy)
            anonymized = f"projects/{self._project}/topics/{names.anonymized_topic(contract.stream)}"
            self._create("Publisher/CreateTopic", types.Topic.pb()(name=anonymized), types.Topic)

    def topic(self, stream: str) -> str:
        return f"projects/{self._project}/topics/{names.topic(stream)}"

    def publish(self, stream: str, payloads: Sequence[bytes]) -> list[str]:
        """Publish events, in order; the ids of the accepted messages.

        Raises NorenError when the server refuses a request; what was accepted before it stays.
        """
        # Pub/Sub takes a message with data or attributes only
        return self.publish_messages(stream, [(payload, {} if payload else {"empty": "true"}) for payload in payloads])

    def publish_messages(self, stream: str, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> list[str]:
        """The same for messages with attributes: (data, attributes)."""
        call = self._call("Publisher/Publish", types.PublishRequest, types.PublishResponse)
        ids: list[str] = []
        for batch in _batches(messages):
            request = types.PublishRequest.pb()(topic=self.topic(stream))
            for data, attributes in batch:
                request.messages.add(data=data).attributes.update(attributes)
            try:
                ids.extend(call(request, timeout=60).message_ids)
            except grpc.RpcError as error:
                raise NorenError(f"{stream}: the Pub/Sub server refuses the events: {error.details()}.") from error
        return ids

    @functools.cache  # noqa: B019  (as long-lived as its channel)
    def _call(self, method: str, request: Any, response: Any) -> Any:
        return self._channel.unary_unary(
            f"/google.pubsub.v1.{method}", request.pb().SerializeToString, response.pb().FromString
        )

    def subscribe(self, name: str, topic: str, **settings: Any) -> bool:
        """Make a subscription where there is none of this name; whether it was made.

        topic: its full name. settings: of the resource.
        """
        subscription = types.Subscription.pb()(
            name=self._subscription(name),
            topic=topic,
            ack_deadline_seconds=ACK_DEADLINE_SECONDS,
            **settings,
        )
        subscription.message_retention_duration.seconds = RETENTION_SECONDS
        return self._create("Subscriber/CreateSubscription", subscription, types.Subscription)

    def _subscription(self, name: str) -> str:
        return f"projects/{self._project}/subscriptions/{name}"

    def _give_up_after(self, name: str, policy: Any) -> None:
        """Give the subscription this dead-letter policy, unless it has one already."""
        get = self._call("Subscriber/GetSubscription", types.GetSubscriptionRequest, types.Subscription)
        update = self._call("Subscriber/UpdateSubscription", types.UpdateSubscriptionRequest, types.Subscription)
        path = self._subscription(name)
        try:
            there = get(types.GetSubscriptionRequest.pb()(subscription=path), timeout=30)
            if there.dead_letter_policy.dead_letter_topic:
                return
            request = types.UpdateSubscriptionRequest.pb()(subscription=there)
            request.subscription.dead_letter_policy.CopyFrom(policy)
            request.update_mask.paths.append("dead_letter_policy")
            update(request, timeout=30)
        except grpc.RpcError as error:
            raise NorenError(f"{path}: cannot be given a dead-letter policy: {error.details()}.") from error

    def _create(self, method: str, resource: Any, kind: Any) -> bool:
        """Whether it was made; False where it is there already."""
        try:
            self._call(method, kind, kind)(resource, timeout=30)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise NorenError(f"{resource.name}: cannot be made: {error.details()}.") from error
            return False
        return True


def _batches(messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> Iterable[list[tuple[bytes, Mapping[str, str]]]]:
    batch: list[tuple[bytes, Mapping[str, str]]] = []
    size = 0
    for data, attributes in messages:
        more = len(data) + sum(len(name) + len(value) for name, value in attributes.items())
        if batch and (len(batch) >= PUBLISH_MESSAGES or size + more > PUBLISH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((data, attributes))
        size += more
    if batch:
        yield batch


def read_lines(path: Path) -> list[bytes]:
    """The lines of an NDJSON file, without line ends. Raises NorenError when it cannot be read."""
    try:
        return path.read_bytes().splitlines()
    except OSError as error:
        raise NorenError(f"{os.fspath(path)}: cannot be read: {error.strerror}.") from error
