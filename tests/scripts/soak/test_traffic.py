"""What is published, and what of it is known to be acknowledged."""

import json
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from dataflow.errors import NorenError
from scripts.soak.traffic import Traffic, identity


class FakeTopics:
    """Takes every second request, and says nothing to the others."""

    def __init__(self, requests: int) -> None:
        self.taken: list[bytes] = []
        self.asked = 0
        self.enough = threading.Event()
        self._requests = requests

    def publish(self, _: str, payloads: Sequence[bytes]) -> list[str]:
        self.asked += 1
        if self.asked % 2:
            raise NorenError("the server is away.")
        first = len(self.taken)
        self.taken += payloads
        if self.asked >= self._requests:
            self.enough.set()
        return [str(number) for number in range(first, len(self.taken))]


def published(seed: str) -> tuple[FakeTopics, Traffic]:
    topics: Any = FakeTopics(30)
    traffic = Traffic(topics, "app_event", seed, 1_000)
    traffic.start()
    assert topics.enough.wait(60)
    traffic.stop()
    return topics, traffic


def test_what_is_not_acknowledged_is_sent_again_and_what_is_is_remembered() -> None:
    topics, traffic = published("7")
    assert traffic.acknowledged == [(str(n), identity(payload)) for n, payload in enumerate(topics.taken)]
    assert traffic.refused >= 15


def test_some_events_come_again_much_later() -> None:
    topics, _ = published("7")
    apart = [n - topics.taken.index(payload) for n, payload in enumerate(topics.taken)]
    assert max(apart) > 100


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (json.dumps({"event_id": "e-1"}).encode(), "e-1"),
        (json.dumps({"event_id": 7}).encode(), None),
        (b'{"event_id": "e', None),
        (b"[]", None),
        (b"\xff", None),
    ],
)
def test_the_identity_is_none_where_it_cannot_be_read(payload: bytes, found: str | None) -> None:
    assert identity(payload) == found
