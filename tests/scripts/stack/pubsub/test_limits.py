"""The limits of a publish request: what is passed over unread breaks none of them."""

from collections.abc import Callable
from typing import Any

from google.pubsub_v1 import types
from hypothesis import example, given
from hypothesis import strategies as st

from scripts.stack.pubsub import publisher
from scripts.stack.pubsub.message import bodies, stamp
from scripts.stack.pubsub.refusal import Refusal

Message = types.PubsubMessage.pb()
PublishRequest = types.PublishRequest.pb()

names = st.sampled_from(["", "a", "b" * 200, "c" * 256, "d" * 257, "é" * 128, "é" * 129])
values = st.sampled_from(["", "a", "b" * 1_024, "c" * 1_025, "é" * 513])
messages = st.builds(
    Message,
    data=st.sampled_from([b"", b"x", b"x" * 127, b"x" * 128, b"x" * 16_384]),
    attributes=st.dictionaries(names, values),
    ordering_key=st.sampled_from(["", "k", "k" * 1_024, "k" * 1_025]),
)


def refusal(check: Callable[[], None]) -> str | None:
    try:
        check()
    except Refusal as refused:
        return refused.message
    return None


def look_at_all(request: Any) -> None:
    for index, message in enumerate(request.messages):
        publisher._check_message(message, index)


@given(st.lists(messages, min_size=1, max_size=4))
@example([Message(data=b"x", attributes={"": ""})])
@example([Message(data=b"x" * 200, attributes={f"{number}": "" for number in range(101)})])
def test_what_is_refused_does_not_depend_on_what_is_read(made: list[object]) -> None:
    request = PublishRequest(topic="t", messages=made)
    serialized = bodies(request.SerializeToString())
    # one request for both: an attribute map's order is its own
    assert refusal(lambda: publisher.check_messages(request, serialized)) == refusal(lambda: look_at_all(request))


def test_messages_are_kept_as_their_publisher_serialized_them() -> None:
    swapped = b"\x2a\x01k" + b"\x0a\x04data" + b"\x1a\x04mine"  # another order of fields, and an id of its own
    request = b"\x12" + bytes([len(swapped)]) + swapped
    (message,) = PublishRequest.FromString(request).messages
    (made,) = stamp(7, 1_700_000_000_000_000_000, [message], bodies(request))
    assert swapped in made.chunk
    found = made.proto()
    assert (found.data, found.ordering_key, found.message_id) == (b"data", "k", "7")
    assert found.publish_time.seconds == 1_700_000_000
