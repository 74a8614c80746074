"""Imports while the stream's own pipeline runs, of the events that it gets in the same moments: each is there once."""

import json
import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from scripts.main_job.pipeline import PipelineProcess
from tests.conftest import Stream
from tests.dataflow.cases import event
from tests.dataflow.ingest.importing import kill_after, run, write

pytestmark = pytest.mark.timeout(180)

EVENTS, ROWS, FILES = 1_200, 40, 4


def lines(numbers: list[int]) -> list[bytes]:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    return [json.dumps(event(number, timestamp=now)).encode() for number in numbers]


def tokens(stream: Stream, role: str) -> Counter[str]:
    return Counter(row["event_token"] for row in stream.rows(role, "event_token"))


def test_an_import_and_the_stream_never_both_take_an_event(stream: Stream, tmp_path: Path) -> None:
    """Both get the same events, in orders of their own; the import was killed and is resumed."""
    shuffled = random.Random(5)
    events = lines(list(range(EVENTS)))
    shuffled.shuffle(events)
    for part in range(FILES):
        write(tmp_path / "logs" / f"{part}.jsonl", b"\n".join(events[part::FILES]))
    shuffled.shuffle(events)
    live = PipelineProcess(stream.name, stream.servers.home.root, stream.project.root)
    try:
        live.wait_for(0)

        def publish() -> None:
            for start in range(0, EVENTS, 20):
                stream.publish(*events[start : start + 20])
                time.sleep(0.04)

        kill_after(stream, 3, "files", stream.name, tmp_path / "logs", "--rows", ROWS)
        publisher = threading.Thread(target=publish)
        publisher.start()
        result = run(stream, "files", stream.name, tmp_path / "logs", "--rows", ROWS)
        publisher.join()
        progress = live.wait_for(EVENTS)
    finally:
        live.stop()
    assert tokens(stream, "raw") == tokens(stream, "anonymized") == Counter(list(tokens(stream, "raw")))
    assert len(tokens(stream, "raw")) == EVENTS
    assert (result["read"], progress["accounted"]) == (EVENTS, EVENTS)
    assert result["raw"] + progress["raw"] == EVENTS
    assert 0 < result["raw"] < EVENTS  # both took some


def test_what_an_import_took_is_a_duplicate_for_the_stream_also_after_a_restart(stream: Stream, tmp_path: Path) -> None:
    events = lines(list(range(30)))
    path = write(tmp_path / "a.jsonl", b"\n".join(events[:20]))
    assert run(stream, "files", stream.name, path)["raw"] == 20
    for published, wanted in ((events[:10], (0, 10)), (events[10:], (10, 20))):
        live = PipelineProcess(stream.name, stream.servers.home.root, stream.project.root)
        try:
            stream.publish(*published)
            progress = live.wait_for(sum(wanted))
        finally:
            live.stop()
        assert (progress["raw"], progress["duplicates"]) == wanted
    assert set(tokens(stream, "raw").values()) == {1}


def test_an_import_from_elsewhere_is_reconciled(stream: Stream, tmp_path: Path, monkeypatch: Any) -> None:
    """It knew nothing of the stream, and the stream nothing of it."""
    from dataflow.ingest.known import KnownInTables
    from dataflow.journal.neighbours import Neighbours

    events = lines(list(range(30)))
    monkeypatch.setattr(KnownInTables, "tokens", lambda *_: set())
    for method in ("register", "mark"):
        monkeypatch.setattr(Neighbours, method, lambda _: None)
    monkeypatch.setattr(Neighbours, "_others", lambda _: [])
    live = PipelineProcess(stream.name, stream.servers.home.root, stream.project.root)
    try:
        stream.publish(*events[:20])
        live.wait_for(20)
    finally:
        live.stop()
    (stream.servers.home.root / "journal" / f"{stream.name.replace('_', '-')}-anonymizer" / "gate").touch()
    path = write(tmp_path / "a.jsonl", b"\n".join(events[10:]))
    assert run(stream, "files", stream.name, path)["raw"] == 20
    assert sum(tokens(stream, "raw").values()) == 40
    assert run(stream, "reconcile", stream.name)["deleted"] == 10
    assert tokens(stream, "raw") == tokens(stream, "anonymized") == Counter(list(tokens(stream, "raw")))
    assert len(tokens(stream, "raw")) == 30
    kept = {row["event_token"]: row["batch_id"] for row in stream.rows("raw", "event_token, batch_id")}
    assert sum(not batch.startswith("import-") for batch in kept.values()) == 20  # the stream's rows stay
    assert run(stream, "reconcile", stream.name)["deleted"] == 0
