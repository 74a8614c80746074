"""What the broker's attributes tell of a message that it gave up."""

import datetime

import pytest

from dataflow.dead_letters import GivenUp
from dataflow.sources.message import Message

TIME = 1_768_471_200_732_000
"""2026-01-15T10:00:00.732Z"""


def forwarded(time: str | None, data: bytes = b"poison", id: str = "9", **attributes: str) -> GivenUp:
    if time is not None:
        attributes |= {
            "CloudPubSubDeadLetterSourceDeliveryCount": "20",
            "CloudPubSubDeadLetterSourceSubscription": "s",
            "CloudPubSubDeadLetterSourceSubscriptionProject": "p",
            "CloudPubSubDeadLetterSourceTopicPublishTime": time,
        }
    return GivenUp.of(Message(data, attributes, id, f"store/{id}", TIME + 5, f"ack{id}"))


@pytest.mark.parametrize(
    ("text", "published", "until"),
    [
        ("2026-01-15T10:00:00.732+00:00", TIME, TIME + 1_000),
        ("2026-01-15T19:00:00.732+09:00", TIME, TIME + 1_000),
        ("2026-01-15T10:00:00.732123Z", TIME + 123, TIME + 124),
        ("2026-01-15T10:00:00.732123999Z", TIME + 123, TIME + 124),
        ("2026-01-15T10:00:00Z", TIME - 732_000, TIME - 731_000),
    ],
)
def test_when_the_original_was_published(text: str, published: int, until: int) -> None:
    message = forwarded(text)
    assert (message.published, message.until) == (published, until)
    assert [message.holds(moment) for moment in (published - 1, published, until - 1, until)] == [
        False,
        True,
        True,
        False,
    ]


def test_the_original_has_one_position_however_often_it_is_forwarded() -> None:
    text = "2026-01-15T10:00:00.732+00:00"
    positions = [
        forwarded(text, kind="a").position,
        forwarded(text, kind="a", id="10").position,
        forwarded(text, kind="b").position,
        forwarded(text, b"other", kind="a").position,
        forwarded("2026-01-15T10:00:00.733+00:00", kind="a").position,
    ]
    assert positions[0] == positions[1]
    assert len(set(positions)) == 4


def test_its_dead_letter_has_the_originals_attributes_and_time_and_is_opaque() -> None:
    letter = forwarded("2026-01-15T10:00:00.732+00:00", kind="a").letter()
    assert (letter.attributes, letter.received, letter.opaque) == ({"kind": "a"}, TIME, True)
    assert (letter.reject.reason, letter.reject.field) == ("undeliverable", "$")
    assert letter.reject.message == "was given up by the broker after 20 deliveries"


def test_what_somebody_else_published_there_is_a_message_of_its_own() -> None:
    message = forwarded(None, kind="a")
    assert (message.published, message.position) == (TIME + 5, "store/9/undeliverable")
    assert message.letter().reject.message == "was given up by the broker after too many deliveries"


def test_the_time_is_utc() -> None:
    moment = datetime.datetime(2026, 1, 15, 10, 0, 0, 732_000, tzinfo=datetime.UTC)
    assert moment.timestamp() * 1e6 == TIME
