"""`noren soak`: what is left behind, and what is told."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from scripts.cli.soak import soak
from scripts.soak import soak as room
from scripts.soak.report import Report


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dataflow").mkdir()
    (tmp_path / "dataflow" / "policy.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def playing(monkeypatch: pytest.MonkeyPatch, problem: str | None = None, error: BaseException | None = None) -> None:
    def run(self: Any) -> Report:
        report: Report = self.report
        (self._home / "data").touch()
        if error is not None:
            raise error
        report.problems += [problem] if problem else []
        return report

    monkeypatch.setattr(room.Soak, "run", run)


def kept(project: Path) -> list[str]:
    return [path.name for path in project.glob(".noren/soak-*/*")]


def test_where_all_adds_up_nothing_is_left(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    playing(monkeypatch)
    done = CliRunner().invoke(soak, ["--seed", "7", "--json", "out/soak.json"])
    assert (done.exit_code, kept(project)) == (0, [])
    assert done.stdout.splitlines()[0] == "seed 7: 2 rounds of 400 events a second"
    assert json.loads((project / "out" / "soak.json").read_text())["seed"] == 7


def test_a_broken_round_is_an_exit_code_a_sentence_and_its_data(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    playing(monkeypatch, "round 2: 1 rows of raw are there twice.")
    done = CliRunner().invoke(soak, ["--seed", "7", "--json", "soak.json"])
    (home,) = project.glob(".noren/soak-*")
    assert (done.exit_code, kept(project)) == (1, ["data"])
    assert done.stderr.splitlines() == [
        "noren: round 2: 1 rows of raw are there twice.",
        f"noren: its data is kept in {home}; remove it when it is understood.",
    ]
    assert json.loads((project / "soak.json").read_text())["kept"] == str(home)


def test_ctrl_c_leaves_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    playing(monkeypatch, error=KeyboardInterrupt())
    assert CliRunner().invoke(soak, ["--seed", "7"]).exit_code == 1
    assert kept(project) == []


def test_a_run_that_breaks_off_keeps_its_data(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    playing(monkeypatch, error=ValueError("x"))
    assert CliRunner().invoke(soak, ["--seed", "7"]).exit_code == 1
    assert kept(project) == ["data"]
