"""Hostile messages and a hostile machine, against `noren run` as a process: nothing is lost, twice, or told."""

import gzip
import json
import os
import resource
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dataflow import names
from dataflow.errors import NorenError
from scripts.main_job.pipeline import PipelineProcess
from tests.conftest import Stream
from tests.dataflow.cases import encoded

pytestmark = pytest.mark.timeout(180)

SECRET = "ana.secret@example.com"
LARGE = 3_000_000
"""Bytes: of what the service takes in one message, a third."""


def started(stream: Stream, *options: str) -> PipelineProcess:
    return PipelineProcess(stream.name, stream.servers.home.root, stream.project.root, *options)


def hostile() -> list[tuple[bytes, dict[str, str]]]:
    """Messages that are refused, and two that are not."""
    bomb = gzip.compress(bytes(200 << 20), 9)
    fields = json.dumps({f"{SECRET}{number}": number for number in range(50_000)}).encode()
    return [
        (b'{"a":' * (LARGE // 6) + b"1" + b"}" * (LARGE // 6), {}),
        (b"[" * LARGE, {}),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, {}),
        (bomb, {"content-encoding": "gzip"}),
        (gzip.compress(bomb), {}),
        (encoded(1)[:-1] + b"," + fields[1:], {}),
        (encoded(2, user_id=SECRET * (LARGE // 30)), {}),
        (b'{"event_id": ' + b"9" * LARGE + b"}", {}),
        (b"1e999999999", {}),
        (b"\xff" * LARGE, {f"{SECRET}{number}": SECRET * 40 for number in range(100)}),
        (encoded(3, properties={SECRET: {SECRET: [SECRET] * 100}}), {}),
        (encoded(4), {"traceparent": SECRET, "noren-replay-of": SECRET, SECRET: SECRET}),
    ]


def test_hostile_messages_are_dead_letters_and_nothing_of_them_is_told(stream: Stream, tmp_path: Path) -> None:
    traces = tmp_path / "traces"
    pipeline = started(stream, "--trace-file", str(traces))
    try:
        for message in hostile():
            stream.topics.publish_messages(stream.name, [message])
        progress = pipeline.wait_for(len(hostile()))
        (line,) = [
            line for line in Path(f"/proc/{pipeline.pid}/status").read_text().splitlines() if line.startswith("VmHWM")
        ]
    finally:
        pipeline.stop()
    assert (progress["raw"], progress["dead"]) == (2, len(hostile()) - 2)
    assert int(line.split()[1]) < 1_500_000, line  # kB; the bombs alone would be gigabytes
    shown = "* EXCEPT (sealed)"
    rows: list[Any] = [*stream.rows("dead", shown), *stream.rows("anonymized"), *stream.rows("unknown")]
    assert SECRET not in pipeline.said + traces.read_text() + json.dumps(progress) + repr(rows)


def test_a_journal_that_cannot_be_written_is_one_sentence_and_nothing_is_lost(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):  # what it measured could not be written either
        monkeypatch.delenv(name, raising=False)
    events = [encoded(number) for number in range(300)]
    pipeline = started(stream)
    try:
        stream.publish(events[0])
        pipeline.wait_for(1)
        resource.prlimit(pipeline.pid, resource.RLIMIT_FSIZE, (4_096, 4_096))  # as if the disk were full
        stream.publish(*events[1:])
        with pytest.raises(NorenError, match=r"/entries/\d{12}: cannot be written: File too large\.$"):
            pipeline.wait_for(300)
    finally:
        pipeline.stop()
    assert "Traceback" not in pipeline.said
    again = started(stream)
    try:
        assert again.wait_for(300)["raw"] == 300
    finally:
        again.stop()
    assert Counter(row["event_token"] for row in stream.rows("raw", "event_token")).total() == 300


def test_a_journal_where_nothing_can_be_written_is_one_sentence(stream: Stream) -> None:
    place = stream.servers.home.root / "journal" / names.subscription(stream.name)
    place.parent.mkdir(exist_ok=True)
    place.write_text("a file where a directory belongs")
    pipeline = started(stream)
    with pytest.raises(NorenError, match=rf"noren: {place}: the journal cannot be written there: "):
        pipeline.wait_for(1)
    pipeline.stop()
    assert "Traceback" not in pipeline.said


@pytest.mark.long
def test_stopped_for_longer_than_its_leases_it_counts_nothing_twice(stream: Stream) -> None:
    pipeline = started(stream)
    try:
        stream.publish(*(encoded(number) for number in range(100)))
        pipeline.wait_for(100)
        stream.publish(*(encoded(number) for number in range(100, 4_000)))
        time.sleep(0.15)
        os.kill(pipeline.pid, signal.SIGSTOP)
        time.sleep(55)
        os.kill(pipeline.pid, signal.SIGCONT)
        progress = pipeline.wait_for(4_000)
        time.sleep(2)  # what was delivered again meanwhile
        assert pipeline.progress["accounted"] == 4_000
    finally:
        pipeline.stop()
    assert (progress["raw"], progress["duplicates"]) == (4_000, 0)
    assert set(Counter(row["event_token"] for row in stream.rows("raw", "event_token")).values()) == {1}
