"""Delivery by itself: sizes, flow control, lanes, backoff, late acknowledgments."""

import asyncio
import functools
import gc
import time

import pytest
from google.pubsub_v1 import types

from scripts.stack.pubsub.delivery import AckIdError, Delivery
from scripts.stack.pubsub.lease import Entry, Holder, Rules
from scripts.stack.pubsub.message import stamp

PullResponse, PubsubMessage = types.PullResponse.pb(), types.PubsubMessage.pb()
LIMIT, SIZE = 100, 1_000_000


def on_loop(test):
    """The test is a coroutine function; timers need a running loop."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        asyncio.run(test(*args, **kwargs))

    return run


def delivery(*data, failed=lambda _entries: None, key="", **rules):
    """A delivery with one message for each of `data`, numbered from 1."""
    made = Delivery(7, failed)
    made.rules = Rules(**rules)
    offer(made, *data, key=key)
    return made


def offer(made, *data, key="", first=1):
    made.offer(stamp(first, time.time_ns(), [PubsubMessage(data=each, ordering_key=key) for each in data]))


def take(made, limit=LIMIT, size=SIZE, deadline=60.0, holder=None):
    """What is delivered: {data: acknowledgment id}."""
    body, count = made.take(limit, size, deadline, holder)
    received = PullResponse.FromString(body).received_messages
    assert len(received) == count
    return {each.message.data: each.ack_id for each in received}


def acked(made, *ack_ids):
    """The numbers that left the backlog."""
    return [message.number for message in made.acknowledge(ack_ids)[0]]


@on_loop
async def test_a_response_ends_before_it_is_too_large():
    made = delivery(*[bytes([number]) * 400 for number in range(5)])
    assert [len(take(made, size=1000)) for _ in range(3)] == [2, 2, 1]


@on_loop
async def test_a_message_larger_than_the_limit_comes_alone():
    made = delivery(b"small", b"x" * 5000, b"also small")
    assert [list(map(len, take(made, size=1000))) for _ in range(3)] == [[5], [5000], [10]]


@on_loop
async def test_a_holder_is_freed_by_acknowledging_giving_up_running_out_and_seeking():
    made, holder = delivery(b"1", b"2", b"3", b"4"), Holder(max_messages=4, max_bytes=10_000)
    taken = take(made, holder=holder)
    assert (holder.messages, holder.full) == (4, True)
    acked(made, taken[b"1"])
    assert (holder.messages, holder.full) == (3, False)
    made.modify([taken[b"2"]], 0)
    assert holder.messages == 2
    made.modify([taken[b"3"]], 0.01)
    await asyncio.sleep(0.05)
    assert holder.messages == 1
    made.reset(())
    assert (holder.messages, holder.bytes) == (0, 0)


def test_a_holder_is_full_by_bytes():
    assert Holder(max_bytes=10, bytes=10).full
    assert not Holder(max_bytes=10, bytes=9).full
    assert not Holder(messages=5, bytes=5).full


@on_loop
async def test_an_acknowledgment_of_an_ended_lease_still_counts():
    made = delivery(b"1")
    ack_id = take(made)[b"1"]
    made.modify([ack_id], 0)
    assert acked(made, ack_id) == [1]
    assert take(made) == {}


@on_loop
async def test_an_acknowledgment_of_an_ended_lease_counts_while_another_holds_the_message():
    made = delivery(b"1")
    first = take(made)[b"1"]
    made.modify([first], 0)
    second = take(made)[b"1"]
    assert acked(made, first) == [1]
    assert made.acknowledge([second]) == ([], [second])
    assert made.leases == {}


@on_loop
async def test_exactly_once_an_ended_lease_is_stale():
    made = delivery(b"1", exactly_once=True)
    first = take(made)[b"1"]
    made.modify([first], 0)
    second = take(made)[b"1"]
    assert made.acknowledge([first]) == ([], [first])
    assert made.modify([first], 10) == ([], [first])
    assert acked(made, second) == [1]


@on_loop
async def test_a_seek_voids_the_ids_given_out():
    made = delivery(b"1")
    ack_id = take(made)[b"1"]
    made.reset([entry.message for entry in made.backlog.values()])
    assert made.acknowledge([ack_id]) == ([], [ack_id])
    assert list(take(made)) == [b"1"]


@pytest.mark.parametrize("ack_id", ["", "x", "8-0-1-ab", "7-0-1", "7-0-1-xyz"])
@on_loop
async def test_an_id_of_another_subscription_is_refused_and_nothing_changes(ack_id):
    made = delivery(b"1")
    good = take(made)[b"1"]
    with pytest.raises(AckIdError):
        made.acknowledge([good, ack_id])
    assert len(made.backlog) == 1


@on_loop
async def test_in_a_lane_an_acknowledgment_waits_for_those_before_it():
    made = delivery(b"1", b"2", b"3", key="k", ordered=True)
    taken = take(made)
    assert acked(made, taken[b"2"], taken[b"3"]) == []
    assert acked(made, taken[b"1"]) == [1, 2, 3]
    assert made.backlog == {}


@on_loop
async def test_in_a_lane_what_failed_takes_back_what_came_after_it():
    made = delivery(b"1", b"2", b"3", key="k", ordered=True)
    first = take(made)
    acked(made, first[b"3"])
    made.modify([first[b"2"]], 0)
    assert take(made) == {}
    assert acked(made, first[b"1"]) == [1]
    second = take(made)
    assert list(second) == [b"2", b"3"]
    assert made.acknowledge([first[b"3"]]) == ([], [first[b"3"]])
    assert acked(made, *second.values()) == [2, 3]


@on_loop
async def test_in_a_lane_a_failed_message_waits_for_its_backoff():
    made = delivery(b"1", b"2", key="k", ordered=True, backoff=(0.05, 1.0))
    made.modify([take(made)[b"1"]], 0)
    offer(made, b"3", key="k", first=3)
    assert take(made) == {}
    await asyncio.sleep(0.1)
    assert list(take(made)) == [b"1", b"2", b"3"]


@on_loop
async def test_a_lane_ends_its_run_with_the_response():
    made = delivery(b"1", b"2", b"3", key="k", ordered=True)
    offer(made, b"other", key="l", first=4)
    assert list(take(made, limit=2)) == [b"1", b"2"]
    assert list(take(made)) == [b"other"]


@on_loop
async def test_a_lane_skips_what_was_dropped_from_it():
    made = delivery(b"1", b"2", b"3", key="k", ordered=True)
    assert [message.number for message in made.drop([1, 99])] == [1]
    assert list(take(made, limit=1)) == [b"2"]
    made.drop([2, 3])
    assert take(made) == {}
    offer(made, b"4", key="k", first=4)
    assert list(take(made)) == [b"4"]


@on_loop
async def test_backoff_doubles_up_to_its_longest():
    made = delivery(b"1", backoff=(0.02, 0.05))
    waits = []
    for _ in range(4):
        made.modify(take(made).values(), 0)
        started = time.monotonic()
        wake = asyncio.Event()
        made.consumers.add(wake)
        async with asyncio.timeout(2):
            await wake.wait()
        waits.append(time.monotonic() - started)
    assert all(least - 0.002 < wait < least + 0.5 for wait, least in zip(waits, (0.02, 0.04, 0.05, 0.05), strict=True))


@on_loop
async def test_what_is_exhausted_is_left_to_the_owner():
    failures = []
    made = delivery(b"1", failed=failures.append, max_attempts=2)
    made.modify(take(made).values(), 0)
    take(made, deadline=0.01)
    await asyncio.sleep(0.05)
    ((entry,),) = failures
    assert made.exhausted(entry)
    assert take(made) == {}
    made.requeue([entry])
    assert list(take(made)) == [b"1"]


@on_loop
async def test_a_lease_that_was_prolonged_does_not_run_out():
    made = delivery(b"1")
    ack_ids = list(take(made, deadline=0.03).values())
    made.modify(ack_ids, 60)
    await asyncio.sleep(0.08)
    assert take(made) == {}


@on_loop
async def test_consumers_are_woken_by_new_messages():
    made, wake = delivery(), asyncio.Event()
    made.consumers.add(wake)
    offer(made, b"1")
    assert wake.is_set()


def pump(made, batches):
    """Thousands of messages, each acknowledged at once under a long deadline."""
    for number in range(batches):
        offer(made, *[b"x"] * 1000, first=2 + number * 1000)
        made.take(1000, SIZE, 600)
        acked(made, *[ack_id for ack_id, entry in made.leases.items() if entry.message.number > 1])


@on_loop
async def test_acknowledged_messages_are_not_remembered_until_their_deadline():
    before = sum(type(each) is Entry for each in gc.get_objects())
    made = delivery()
    pump(made, 40)
    assert sum(type(each) is Entry for each in gc.get_objects()) - before <= 11_000


@on_loop
async def test_a_lease_runs_out_though_ended_ones_were_swept_out():
    made = delivery(b"kept")
    take(made, deadline=0.2)
    pump(made, 15)
    await asyncio.sleep(0.3)
    assert list(take(made)) == [b"kept"]
