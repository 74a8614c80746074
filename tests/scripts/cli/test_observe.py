"""What is asked about a running pipeline, and what it costs when nobody asks."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from dataflow.errors import NorenError
from dataflow.telemetry.recorder import NoRecorder
from dataflow.telemetry.trace import NoTracer
from scripts.cli.observe import Observer, reachable, remembered


def pipeline(live: str | None = None, pulling: str | None = None) -> Any:
    return SimpleNamespace(check_live=lambda: live, check_pulling=lambda: pulling)


def client(port: int) -> bigquery.Client:
    options = ClientOptions(api_endpoint=f"http://127.0.0.1:{port}")
    return bigquery.Client("noren-test", credentials=AnonymousCredentials(), client_options=options)


def url(said: str) -> str:
    return said.split()[2].removesuffix("/metrics,")


def asked(said: str, path: str) -> tuple[int, dict[str, str]]:
    response = httpx.get(f"{url(said)}{path}")
    return response.status_code, json.loads(response.text)["checks"]


def test_without_options_nothing_is_recorded_nor_served() -> None:
    observer = Observer("s", None, None)
    assert isinstance(observer.telemetry.recorder, NoRecorder)
    assert isinstance(observer.telemetry.tracer, NoTracer)
    observer.close()
    made = "import sys; from scripts.cli.observe import Observer; Observer('s', None, None)"
    code = f"{made}; print('opentelemetry.sdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_while_it_starts_it_is_alive_and_not_ready(capsys: pytest.CaptureFixture[str]) -> None:
    observer = Observer("s", 0, None)
    said = capsys.readouterr().err
    assert said == f"metrics on {url(said)}/metrics, health on /healthz and /readyz\n"
    assert asked(said, "/healthz") == (200, {"committing": "ok"})
    starting = dict.fromkeys(("pulling", "sink", "keys", "bundle"), "not yet: the pipeline is starting")
    assert asked(said, "/readyz") == (503, {"committing": "ok", **starting})
    observer.close()


def test_each_part_that_fails_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    observer = Observer("s", 0, None)
    said = capsys.readouterr().err
    observer.watch(pipeline(pulling="the source does not answer"), lambda: None, lambda: "there is no key set", int)
    assert asked(said, "/healthz")[0] == 200
    assert asked(said, "/readyz") == (
        503,
        {
            "committing": "ok",
            "pulling": "the source does not answer",
            "sink": "ok",
            "keys": "there is no key set",
            "bundle": "ok",
        },
    )
    observer.watch(pipeline(live="committing has failed with NorenError"), lambda: None, lambda: None, int)
    assert asked(said, "/healthz") == (503, {"committing": "committing has failed with NorenError"})
    observer.close()


def test_a_backlog_that_cannot_be_asked_for_leaves_the_rest(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> int:
        raise NorenError("no server answers.")

    observer = Observer("s", 0, None)
    said = capsys.readouterr().err
    observer.watch(pipeline(), lambda: None, lambda: None, away)
    assert httpx.get(f"{url(said)}/metrics").status_code == 200
    assert caplog.messages == ["the backlog is not known: no server answers."]
    observer.watch(pipeline(), lambda: None, lambda: None, lambda: 3)
    assert 'noren_backlog{stream="s"} 3.0' in httpx.get(f"{url(said)}/metrics").text
    observer.close()


def test_a_warehouse_that_is_away_is_a_sentence() -> None:
    assert reachable(client(1), "noren-test.raw__app.app_event")() == "BigQuery does not answer (ConnectionError)"


def test_a_warehouse_that_answers(servers: Any) -> None:
    live = servers.warehouse_client()
    table = f"{live.project}.raw__nowhere.nothing"
    assert reachable(live, table)() == f"BigQuery answers 404 for {table}"


def test_an_answer_is_good_for_a_while() -> None:
    answers = iter(["away", None])
    ask = remembered(lambda: next(answers), seconds=1_000)
    assert [ask(), ask(), ask()] == ["away", "away", "away"]
    answers = iter(["away", None])
    ask = remembered(lambda: next(answers), seconds=-1)
    assert [ask(), ask()] == ["away", None]


def test_traces_go_to_the_file(tmp_path: Path) -> None:
    observer = Observer("s", None, tmp_path / "traces")
    observer.telemetry.tracer.close()
    observer.close()
    assert (tmp_path / "traces").read_text() == ""
