"""`noren build`: what it prints. A whole build through the gateway is in tests/dbt/."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from dataflow.errors import NorenError
from scripts.build.process import Node, Result
from scripts.cli import build as verb

EVENTS = Node("model.noren.events", "view", "warehouse__app.events", "success", 0.31, "CREATE VIEW")
FAILED = Node(
    "model.noren.sessions", "view", "warehouse__app.sessions", "error", 0.1, "Database Error\n  no such column"
)
PASSED = Node("test.noren.not_null_events_user_id.a1b2", "test", "x.y", "pass", 0.1, "")
BROKEN = Node("test.noren.unique_events_event_token.a1b2", "test", "x.y", "fail", 0.1, "Got 2 results")


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> list[Result]:
    """The result that the next build comes to."""
    results: list[Result] = []

    def build(*_: object, say: Callable[[Node], None], **__: object) -> Result:
        for node in results[0].nodes:
            say(node)
        return results[0]

    monkeypatch.setattr(verb, "build", build)
    return results


def test_models_are_shown_and_counted_and_passed_tests_only_counted(answer: list[Result]) -> None:
    answer.append(Result(0, 3.14, None, (EVENTS, PASSED)))
    done = CliRunner().invoke(verb.build_command, ["--models-only"])
    assert done.stdout.splitlines() == [
        "warehouse__app.events                    view       success    0.3 s",
        "1 view, 1 test: all well, 3.1 s",
    ]
    assert done.exit_code == 0


def test_what_failed_is_told_on_stderr_and_by_the_exit_code(answer: list[Result]) -> None:
    answer.append(Result(1, 3.14, None, (EVENTS, FAILED, BROKEN)))
    done = CliRunner().invoke(verb.build_command, ["--models-only"])
    assert done.stderr.splitlines() == ["    Database Error", "      no such column", "    Got 2 results"]
    assert done.stdout.splitlines()[-2:] == [
        "unique_events_event_token                test       fail       0.1 s",
        "2 views, 1 test: 1 error, 1 fail, 3.1 s",
    ]
    assert done.exit_code == 1


def test_when_dbt_cannot_run_its_reason_is_told(answer: list[Result]) -> None:
    answer.append(Result(2, 0.1, "Compilation Error: no", ()))
    done = CliRunner().invoke(verb.build_command, ["--models-only"])
    assert (done.stdout, done.stderr, done.exit_code) == (
        "nothing was built, 0.1 s\n",
        "noren: dbt: Compilation Error: no\n",
        2,
    )


def test_json_is_the_whole_result_and_nothing_else(answer: list[Result]) -> None:
    answer.append(Result(1, 3.14, None, (EVENTS, FAILED)))
    done = CliRunner().invoke(verb.build_command, ["--models-only", "--json"])
    said = json.loads(done.stdout)
    assert (said["exit_code"], said["seconds"], said["error"]) == (1, 3.14, None)
    assert said["nodes"][0] == {
        "id": "model.noren.events",
        "kind": "view",
        "relation": "warehouse__app.events",
        "status": "success",
        "seconds": 0.31,
        "message": "CREATE VIEW",
    }
    assert done.exit_code == 1


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    done = CliRunner().invoke(verb.build_command, ["--models-only", "--home", str(tmp_path)])
    assert isinstance(done.exception, NorenError)
    assert str(done.exception) == f"no stack runs in {tmp_path}: start one with `noren up`."
