"""The gateway as a process: its start, its stop, and what it says when others fail."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from dataflow.project import Project
from scripts.stack.supervisor import free_port
from scripts.stack.tokens import Tokens

REPOSITORY = Project.find(Path(__file__))
ANALYST = "ana@example.com"

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start(warehouse URL, directory): a gateway of its own, of which the READY line was not read yet."""
    started: list[subprocess.Popen[str]] = []

    def run(warehouse: str, cwd: Path = REPOSITORY.root, secret: Path | None = None) -> "subprocess.Popen[str]":
        if secret is None:
            secret = tmp_path / "secret"
            secret.write_text("not-the-secret-of-anybody")
        command = [
            sys.executable,
            "-m",
            "scripts.stack.gateway",
            "--port",
            "0",
            "--data-dir",
            str(tmp_path / "gateway"),
        ]
        command += ["--watch-stdin", "--warehouse", warehouse, "--secret-file", str(secret), "--project", "noren-test"]
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY.root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate(timeout=10)


def ready(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    word, _, content = process.stdout.readline().partition(" ")
    assert word == "READY"
    return f"http://127.0.0.1:{json.loads(content)['port']}"


def ask(url: str, token: str, sql: str = "SELECT 1") -> httpx.Response:
    where = f"{url}/bigquery/v2/projects/noren-test/queries"
    headers = {"authorization": f"Bearer {token}"}
    return httpx.post(where, json={"query": sql, "useLegacySql": False}, headers=headers, trust_env=False)


@pytest.mark.parametrize("how", ["terminate", "end of stdin"])
def test_it_says_ready_once_and_stops_cleanly(start, how):
    process = start(f"http://127.0.0.1:{free_port()}")
    ready(process)
    if how == "terminate":
        process.terminate()
    rest, _ = process.communicate(timeout=15)
    assert (rest, process.returncode) == ("", 0)


def test_without_the_emulator_the_answer_is_unavailable_and_no_rows(start, tmp_path):
    url = ready(start(f"http://127.0.0.1:{free_port()}"))
    answer = ask(url, Tokens(tmp_path).issue(ANALYST), "SELECT * FROM warehouse__app.events")
    assert (answer.status_code, answer.json()["error"]["status"]) == (503, "UNAVAILABLE")


def test_with_a_wrong_secret_it_fails_closed(start, stack, tmp_path):
    url = ready(start(stack.warehouse))
    answer = ask(url, Tokens(tmp_path).issue("ada@example.com"), "SELECT * FROM raw__app.app_event")
    assert answer.status_code == 503
    assert "hush" not in answer.text


def test_outside_of_a_project_it_does_not_start(start, tmp_path):
    process = start("http://127.0.0.1:1", cwd=tmp_path)
    _, errors = process.communicate(timeout=15)
    assert process.returncode == 1
    assert errors.strip().endswith("change to a directory that has dataflow/policy.yaml.")


def test_groups_are_read_again_when_they_change_and_not_used_when_they_are_wrong(start, stack, tmp_path):
    project = tmp_path / "project"
    (project / "dataflow").mkdir(parents=True)
    (project / "dataflow" / "policy.yaml").touch()
    (project / "iam").mkdir()
    for name in ("groups.json", "project.json"):
        shutil.copy(REPOSITORY.iam / name, project / "iam" / name)
    url = ready(start(stack.warehouse, project, stack.home.secret_file))
    token, sql = Tokens(tmp_path).issue(ANALYST), "SELECT count(*) FROM warehouse__app.events"
    assert ask(url, token, sql).status_code == 200

    groups = project / "iam" / "groups.json"
    text = groups.read_text()
    time.sleep(0.01)  # another time of change
    groups.write_text(text.replace('"ana@example.com"', '"somebody@example.com"'))
    assert ask(url, token, sql).status_code == 403
    groups.write_text("{")
    answer = ask(url, token, sql)
    assert (answer.status_code, answer.json()["error"]["status"]) == (503, "UNAVAILABLE")
    groups.write_text(text + "\n")
    assert ask(url, token, sql).status_code == 200
