"""The process: durable through SIGKILL, ids that never repeat, READY, clean stops, one sentence for errors."""

import socket
import subprocess
import sys
import threading
import time

import pytest
from google.api_core import exceptions
from google.pubsub_v1 import types

from dataflow.errors import NorenError
from scripts.stack.pubsub import statistics


def drain(cloud, name):
    """Pull and acknowledge until nothing comes; message ids in order of arrival."""
    ids = []
    while received := cloud.pull(name, 500, seconds=0.3):
        cloud.ack(name, received)
        ids += [each.message.message_id for each in received]
    return ids


def test_sigkill_in_the_middle_of_publishing_loses_nothing_that_was_answered(start, connect):
    server = start("--compact-at", "200000")
    cloud = connect(server.endpoint)
    topic, name = cloud.both()
    answered: list[str] = []

    def publish():
        try:
            while True:
                answered.extend(
                    cloud.publisher.publish(topic=topic, messages=[{"data": b"x" * 100}] * 20, retry=None).message_ids
                )
        except exceptions.ServiceUnavailable:  # the server was killed
            return

    thread = threading.Thread(target=publish)
    thread.start()
    time.sleep(0.7)
    server.kill()
    thread.join(timeout=10)
    assert len(answered) > 200

    again = start("--compact-at", "200000")
    cloud = connect(again.endpoint)
    before = drain(cloud, name)
    assert len(before) == len(set(before))
    assert set(answered) <= set(before)
    assert statistics(again.endpoint)["topics"][topic]["published"] == len(before)
    after = [message_id for _ in range(50) for message_id in cloud.publish(topic, *[b"y"] * 20)]
    assert min(map(int, after)) > max(map(int, before))
    assert again.ready["store_id"] == server.ready["store_id"]


def test_an_acknowledgment_is_kept_and_one_of_the_last_run_still_counts(start, connect):
    server = start()
    cloud = connect(server.endpoint)
    topic, name = cloud.both()
    cloud.publish(topic, b"done", b"late", b"left")
    received = {each.message.data: each for each in cloud.pull(name, 3)}
    cloud.ack(name, [received[b"done"]])
    server.kill()

    cloud = connect(start().endpoint)
    cloud.ack(name, [received[b"late"]])
    assert cloud.pull_data(name, 3, seconds=0.3) == [b"left"]


def test_a_fresh_directory_has_another_store_id_and_later_ids(start, connect, tmp_path):
    ids, stores = [], set()
    for each in ("one", "two"):
        server = start(directory=tmp_path / each)
        cloud = connect(server.endpoint)
        ids += cloud.publish(cloud.topic(), *[b"x"] * 50)
        stores.add(server.ready["store_id"])
        server.stop()
    assert ids == sorted(set(ids), key=int)
    assert len(stores) == 2


def test_settings_and_schemas_survive_a_restart(start, connect, project):
    server = start()
    cloud = connect(server.endpoint)
    definition = 'syntax = "proto3"; message Event { string id = 1; }'
    schema = cloud.schemas.create_schema(
        parent=project, schema={"type_": "PROTOCOL_BUFFER", "definition": definition}, schema_id="event"
    )
    topic = cloud.topic(schema_settings={"schema": schema.name, "encoding": "JSON"}, labels={"a": "1"})
    name = cloud.subscription(topic, filter="attributes:kind", enable_message_ordering=True)
    wanted = cloud.publisher.get_topic(topic=topic), cloud.subscriber.get_subscription(subscription=name)
    assert server.stop() == 0

    cloud = connect(start().endpoint)
    assert cloud.schemas.get_schema(name=schema.name) == schema
    assert (cloud.publisher.get_topic(topic=topic), cloud.subscriber.get_subscription(subscription=name)) == wanted
    cloud.publish(topic, b'{"id": "x"}', kind="good")
    assert cloud.pull_data(name) == [b'{"id": "x"}']


def test_failed_deliveries_are_counted_over_a_restart(start, connect):
    server = start()
    cloud = connect(server.endpoint)
    dead = cloud.topic()
    topic, name = cloud.both(dead_letter_policy={"dead_letter_topic": dead, "max_delivery_attempts": 5})
    cloud.publish(topic, b"x")
    for _ in range(2):
        cloud.modack(name, cloud.pull(name), 0)
    server.kill()
    cloud = connect(start().endpoint)
    assert cloud.pull(name)[0].delivery_attempt == 3


def test_the_statistics_count_what_was_accepted(own):
    topic, name = own.both()
    own.publish(topic, *[b"x"] * 7)
    own.ack(name, own.pull(name, 3))
    own.pull(name, 2)
    counted = statistics(own.endpoint)
    assert counted["topics"][topic] == {"published": 7}
    assert counted["subscriptions"][name] == {"topic": topic, "unacknowledged": 4, "outstanding": 2}
    assert isinstance(counted["log_bytes"], int)


def test_statistics_of_nothing_are_one_sentence():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(NorenError, match=f"no Pub/Sub server of Noren answers at {endpoint} "):
        statistics(endpoint, timeout=2)


def test_the_server_listens_on_the_port_it_was_given_and_only_locally(start):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = start("--port", str(port))
    assert server.ready["port"] == port
    assert server.ready["pid"] == server.process.pid
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port), timeout=2):
        pass


def test_the_server_stops_when_its_standard_input_ends(start):
    server = start()
    server.process.stdin.close()
    assert server.process.wait(timeout=10) == 0


def test_a_stop_ends_open_streams_so_that_clients_come_back(start, connect):
    server = start()
    cloud = connect(server.endpoint)
    _, name = cloud.both()
    first = types.StreamingPullRequest(subscription=name, stream_ack_deadline_seconds=10)
    stream = cloud.subscriber.streaming_pull(requests=iter([first]), retry=None)
    assert next(stream).subscription_properties is not None
    assert server.stop() == 0
    with pytest.raises(exceptions.ServiceUnavailable):
        next(stream)


@pytest.mark.parametrize("case", ["directory in use", "port taken"])
def test_an_error_at_the_start_is_one_sentence(start, tmp_path, case):
    server = start()
    options = ["--data-dir", str(tmp_path / "data")]
    if case == "port taken":
        options = ["--data-dir", str(tmp_path / "other"), "--port", str(server.ready["port"])]
    command = [sys.executable, "-m", "scripts.stack.pubsub", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("noren: ")
    assert ("in use by another Pub/Sub server" if case == "directory in use" else "is taken") in last


def test_the_bench_runs():
    command = [sys.executable, "-m", "scripts.stack.pubsub.bench", "--messages", "2000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert [line.rpartition("  ")[0].strip().rstrip("0123456789, ") for line in done.stdout.splitlines()] == [
        "publish",
        "pull and acknowledge",
        "streaming pull and acknowledge",
    ]
