"""The workflows: least rights, pinned actions, and commands that exist."""

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from dataflow.project import Project
from iam.record import place_of_ledgers
from scripts.cli import noren

FILES = sorted((Path(__file__).parents[2] / ".github" / "workflows").glob("*.yml"))


def workflow(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return found


def runs(file: Path) -> list[str]:
    jobs = workflow(file)["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_rights_are_given_to_jobs_and_actions_are_pinned(file: Path) -> None:
    found = workflow(file)
    assert found["permissions"] == {}
    for job in found["jobs"].values():
        assert "permissions" in job
        assert "timeout-minutes" in job
        for step in job["steps"]:
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step.get("uses", f"a/b@{'0' * 40}"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_text_of_a_pull_request_gets_into_a_shell(file: Path) -> None:
    assert not [run for run in runs(file) if "${{" in run]


def test_what_runs_a_pull_requests_files_cannot_write() -> None:
    jobs = workflow(Path(FILES[0].parent, "access.yml"))["jobs"]
    assert set(jobs["gate"]["permissions"].values()) == {"read"}
    assert not [step for step in jobs["tell"]["steps"] if "uses" in step or "noren" in step["run"]]


def test_only_what_is_merged_speaks_to_the_cloud_and_with_the_ledger_of_the_project(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = workflow(Path(FILES[0].parent, "access.yml"))
    jobs = found["jobs"]
    assert [name for name, job in jobs.items() if "id-token" in job["permissions"]] == ["apply"]
    assert found[True]["push"]["branches"] == ["main"]  # YAML's `on` is true
    assert jobs["apply"]["if"].startswith("github.event_name == 'push' && ")
    assert jobs["gate"]["if"] == "github.event_name != 'push'"
    monkeypatch.delenv("NOREN_LEDGER", raising=False)
    place = jobs["apply"]["steps"][-1]["env"]["NOREN_LEDGER"].replace("${{ vars.NOREN_PROJECT }}", "our-project")
    assert place == place_of_ledgers(Project(Path(__file__).parents[2], "our-project"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_commands_exist_with_their_options(file: Path) -> None:
    for run in runs(file):
        for line in run.splitlines():
            if "scripts/noren " not in line:
                continue
            words = shlex.split(line.partition("scripts/noren ")[2].partition(">")[0])
            command, context = noren, click.Context(noren)
            while isinstance(command, click.Group):
                found = command.get_command(context, words.pop(0))
                assert found is not None
                command = found
            command.make_parser(context).parse_args(words)
