"""`noren run` as a process on the real servers: everything is counted once, whatever is killed on the way."""

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

from dataflow import names
from dataflow.dead_letters import open_dead_letter
from dataflow.errors import NorenError
from dataflow.journal import Journal
from dataflow.keys import KeyRing
from dataflow.objects import LocalObjects
from dataflow.operators.index import Index
from dataflow.operators.minutes import MinuteMetrics
from dataflow.operators.state import LocalState
from dataflow.pull.driver import Progress
from scripts.cli.run import Reporter, line, run
from scripts.main_job.pipeline import PipelineProcess
from scripts.stack.pubsub import statistics
from tests.conftest import Stream, made_stream
from tests.dataflow.cases import ACCEPTED, CASES, DEAD, DUPLICATES, VALUES, encoded, payloads

pytestmark = pytest.mark.timeout(180)

Start = Callable[..., PipelineProcess]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """start(stream, options): its pipeline, stopped at the end if it still runs."""
    started: list[PipelineProcess] = []

    def begin(stream: Stream, *options: str) -> PipelineProcess:
        started.append(PipelineProcess(stream.name, stream.servers.home.root, stream.project.root, *options))
        return started[-1]

    yield begin
    for pipeline in started:
        pipeline.stop()


@pytest.fixture(scope="module")
def ran(
    servers: Any, tmp_path_factory: pytest.TempPathFactory, start: Start
) -> Iterator[tuple[Stream, dict[str, Any], PipelineProcess]]:
    """A stream whose pipeline, still running, has seen every case and the duplicates; and its last progress."""
    for stream in made_stream(servers, tmp_path_factory.mktemp("project")):
        pipeline = start(stream)
        stream.publish(*payloads(), *DUPLICATES)
        progress = pipeline.wait_for(len(CASES) + len(DUPLICATES))
        yield stream, progress, pipeline


Ran = tuple[Stream, dict[str, Any], PipelineProcess]


def test_published_is_raw_and_dead_and_duplicates(ran: Ran) -> None:
    stream, progress, _ = ran
    counted = {name: progress[name] for name in ("raw", "dead", "duplicates", "accounted")}
    assert counted == {
        "raw": len(ACCEPTED),
        "dead": len(DEAD),
        "duplicates": len(DUPLICATES),
        "accounted": len(CASES) + len(DUPLICATES),
    }
    assert {role: len(stream.rows(role, "batch_id")) for role in ("raw", "anonymized", "dead")} == {
        "raw": len(ACCEPTED),
        "anonymized": len(ACCEPTED),
        "dead": len(DEAD),
    }


def test_each_dead_letter_has_reason_and_field_and_opens_with_the_key(ran: Ran) -> None:
    stream, progress, _ = ran
    letters = stream.rows("dead")
    assert Counter((letter["reason"], letter["field"]) for letter in letters) == Counter(
        (case.reason, case.field) for case in DEAD
    )
    assert progress["reasons"] == Counter(str(case.reason) for case in DEAD)
    sealer = KeyRing.local(stream.servers.home.root / "keys").sealer("dead_letter")
    opened = [open_dead_letter(letter["sealed"], letter["dead_token"], sealer) for letter in letters]
    assert sorted(data for data, _ in opened) == sorted(case.payload for case in DEAD)
    assert {data: attributes for data, attributes in opened if attributes} == {b"": {"empty": "true"}}


def test_no_value_stands_in_a_dead_letter_or_behind_the_curtain(ran: Ran) -> None:
    stream, _, _ = ran
    shown = repr(stream.rows("anonymized")) + repr(stream.rows("dead", "* EXCEPT (sealed, batch_id, dead_token)"))
    assert [value for value in VALUES if value in shown] == []


def test_undeclared_fields_are_counted_for_new_events_only(ran: Ran) -> None:
    stream, progress, _ = ran
    wanted = Counter(unknown for case in CASES for unknown in case.unknown)
    found: Counter[tuple[str, str]] = Counter()
    for row in stream.rows("unknown"):
        found[row["field"], row["type"]] += row["events"]
    assert (found, progress["unknown_fields"]) == (wanted, sum(wanted.values()))


def test_raw_and_anonymized_are_joined_by_the_event_token(ran: Ran) -> None:
    stream, _, _ = ran
    tokens = [sorted(row["event_token"] for row in stream.rows(role, "event_token")) for role in ("raw", "anonymized")]
    assert tokens[0] == tokens[1]
    assert len(set(tokens[0])) == len(ACCEPTED)


def test_no_value_stands_in_any_file_of_journal_or_keys(ran: Ran) -> None:
    stream, _, _ = ran
    home = stream.servers.home.root
    files = [path for part in ("journal", "keys") for path in (home / part).rglob("*") if path.is_file()]
    everything = b"".join(path.read_bytes() + str(path).encode() for path in files)
    assert [value for value in (*VALUES[:5], "iPhone") if value.encode() in everything] == []


def test_a_second_process_on_the_same_home_is_refused_in_one_sentence(ran: Ran) -> None:
    stream, _, _ = ran
    second = subprocess.run(
        [sys.executable, "-m", "scripts.cli", "run", stream.name, "--home", str(stream.servers.home.root)],
        cwd=stream.project.root,
        capture_output=True,
        text=True,
        timeout=60,
    )
    sentence = f"{stream.name.replace('_', '-')}-anonymizer: another process runs this pipeline already; stop it first."
    assert (second.returncode, second.stderr.splitlines()[-1]) == (1, f"noren: {sentence}")
    assert "Traceback" not in second.stderr


def test_ctrl_c_ends_it_with_exit_code_0(ran: Ran) -> None:
    _, _, pipeline = ran
    pipeline.stop()
    assert pipeline._process.returncode == 0


def test_when_it_has_ended_the_archive_has_every_anonymized_row_once(ran: Ran) -> None:
    stream, _, pipeline = ran
    pipeline.stop()
    files = (stream.servers.home.root / "archive" / stream.name).glob("date=*/hour=*/*.parquet")
    archived = sorted(token for file in files for token in pl.read_parquet(file)["event_token"])
    assert archived == sorted(row["event_token"] for row in stream.rows("anonymized", "event_token"))
    topic = f"projects/{stream.servers.project_id}/topics/{names.anonymized_topic(stream.name)}"
    assert statistics(stream.servers.pubsub)["topics"][topic]["published"] == len(archived) == len(ACCEPTED)


def numbered(count: int) -> list[bytes]:
    """Events of which every tenth is sent twice, the second time right away or much later, and every 25th is broken."""
    sent: list[bytes] = []
    later: list[bytes] = []
    for number in range(count):
        payload = encoded(number)
        sent.append(payload[:-3] if number % 25 == 0 else payload)
        if number % 25 and number % 10 == 1:
            (sent if number % 20 == 1 else later).append(payload)
    return sent + later


@pytest.mark.parametrize("sinks", [("load", "load", "load"), ("storage-write", "load", "storage-write")])
def test_killed_in_mid_stream_again_and_again_it_loses_nothing_and_writes_nothing_twice(
    stream: Stream, start: Start, sinks: tuple[str, str, str]
) -> None:
    events = numbered(9_000)
    third = len(events) // 3
    for part in (0, 1):
        pipeline = start(stream, "--sink", sinks[part])
        _wait_for_some(pipeline, 0)
        killed = threading.Event()
        published = events[part * third : (part + 1) * third]
        publisher = threading.Thread(target=_publish_slowly, args=(stream, published, killed))
        publisher.start()
        _wait_for_some(pipeline, part * third + third // 4)
        pipeline.kill()
        killed.set()
        publisher.join()
    pipeline = start(stream, "--sink", sinks[2])
    _publish_slowly(stream, events[2 * third :])
    progress = pipeline.wait_for(len(events))
    pipeline.stop()
    duplicates = sum(count - 1 for count in Counter(events).values())
    broken = sum(number % 25 == 0 for number in range(9_000))
    assert [progress[name] for name in ("raw", "dead", "duplicates")] == [9_000 - broken, broken, duplicates]
    for role in ("raw", "anonymized"):
        tokens = [row["event_token"] for row in stream.rows(role, "event_token")]
        assert (len(tokens), len(set(tokens))) == (9_000 - broken, 9_000 - broken)
    dead = [row["dead_token"] for row in stream.rows("dead", "dead_token")]
    assert (len(dead), len(set(dead))) == (broken, broken)
    assert _minute_metrics(stream) == {
        "events and late": 9_000 - broken,
        "errors": broken,
        "duplicates": duplicates,
    }


def _minute_metrics(stream: Stream) -> dict[str, int]:
    """What minute metrics count, in the table and in the windows that the journal holds."""
    query = f"SELECT * FROM operations.minute_metrics WHERE stream = '{stream.name}'"
    rows = [dict(row) for row in stream.client.query_and_wait(query)]
    assert len({(row["minute"], row["event_type"], row["firing"]) for row in rows}) == len(rows)
    home = stream.servers.home.root
    sealer = KeyRing.local(home / "keys").sealer("journal")
    journal = Journal(LocalObjects(home / "journal"), sealer, names.subscription(stream.name))
    operator = MinuteMetrics(stream.contract, stream.policy)
    state = LocalState(head.state[operator.name] for _, head in journal.heads() if operator.name in head.state)
    held = operator.step(Index(), {}, 1 << 60, state).rows.get("minutes")
    rows += held.to_dicts() if held is not None else []
    return {
        "events and late": sum(row["events"] + row["late"] for row in rows),
        "errors": sum(row["errors"] for row in rows),
        "duplicates": sum(row["duplicates"] for row in rows),
    }


def _publish_slowly(stream: Stream, events: list[bytes], last: threading.Event | None = None) -> None:
    """A hundred at a time; the last hundred not before the event, so that whoever waits for less is in mid-stream."""
    for place in range(0, len(events), 100):
        if last is not None and place + 100 >= len(events):
            assert last.wait(120)
        stream.publish(*events[place : place + 100])
        time.sleep(0.03)


def _wait_for_some(pipeline: PipelineProcess, count: int) -> None:
    deadline = time.monotonic() + 60
    while pipeline.progress.get("accounted", -1) < count:
        assert time.monotonic() < deadline, (pipeline.progress, pipeline.said)
        time.sleep(0.01)


def test_what_was_staged_when_ctrl_c_came_is_committed(stream: Stream, start: Start) -> None:
    events = [encoded(number) for number in range(3_000)]
    pipeline = start(stream)
    stream.publish(*events)
    _wait_for_some(pipeline, 1)
    pipeline.stop()  # Ctrl-C, once: a second one ends at once
    assert pipeline._process.returncode == 0
    counted = pipeline.progress
    assert counted["committed"] is True
    assert len(stream.rows("raw", "batch_id")) == counted["raw"] > 0
    again = start(stream)
    assert again.wait_for(len(events))["raw"] == len(events)
    assert len(stream.rows("anonymized", "batch_id")) == len(events)


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    done = CliRunner().invoke(run, ["app_event", "--home", str(tmp_path)])
    assert isinstance(done.exception, NorenError)
    assert str(done.exception) == f"no stack runs in {tmp_path}: start one with `noren up`."


def test_a_stream_without_a_contract_is_named(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stream.project.root)
    done = CliRunner().invoke(run, ["app_events", "--home", str(stream.servers.home.root)])
    assert isinstance(done.exception, NorenError)
    assert str(done.exception) == f"app_events is no stream: there are contracts for {stream.name}."


PROGRESS = Progress("app_event", raw=12_000, dead=200, duplicates=145, seconds=2.0)


def test_a_line_of_progress() -> None:
    assert line(PROGRESS) == "app_event: 12,345 in, 12,000 raw, 200 dead, 145 duplicates, 6,172/s"
    assert line(Progress("app_event")) == "app_event: 0 in, 0 raw, 0 dead, 0 duplicates, 0/s"


def test_on_a_terminal_the_line_overwrites_itself(capsys: pytest.CaptureFixture[str]) -> None:
    report = Reporter(terminal=True)
    report(Progress("s"))
    report(Progress("s"))
    assert capsys.readouterr().err == "\rs: 0 in, 0 raw, 0 dead, 0 duplicates, 0/s" * 2  # click leaves out \x1b[K here


def test_elsewhere_a_line_comes_every_ten_seconds_when_something_changed(capsys: pytest.CaptureFixture[str]) -> None:
    report = Reporter(terminal=False)
    for raw, seconds in ((1, 0.0), (2, 9.9), (3, 10.0), (3, 30.0), (4, 31.0)):
        report(Progress("s", raw=raw, seconds=seconds))
    assert [said.split(", ")[1] for said in capsys.readouterr().err.splitlines()] == ["1 raw", "3 raw", "4 raw"]


def test_progress_in_json_has_the_sum() -> None:
    assert json.loads(json.dumps(PROGRESS.to_dict()))["accounted"] == 12_345
