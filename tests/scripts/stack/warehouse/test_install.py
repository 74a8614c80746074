import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataflow.errors import NorenError
from dataflow.project import Project
from scripts.stack.warehouse import install as installer
from scripts.stack.warehouse.environment import LOCK, Environment


def executable(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("#!/bin/sh\necho 'no such host' >&2\nexit 2\n")
    file.chmod(0o755)
    return file


def test_uv_is_taken_from_the_path_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = executable(tmp_path / "bin" / "uv")
    monkeypatch.setenv("PATH", str(found.parent))
    monkeypatch.setenv("NOREN_UV", str(executable(tmp_path / "other" / "uv")))
    assert installer.uv() == [str(found)]


@pytest.mark.parametrize("given", ["bin/uv", "bin"])
def test_then_from_the_directory_of_noren_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    found = executable(tmp_path / "bin" / "uv")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("NOREN_UV", str(tmp_path / given))
    assert installer.uv() == [str(found)]


def test_else_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("NOREN_UV", raising=False)
    assert installer.uv() == [sys.executable, "-m", "uv"]


def test_a_failure_is_one_sentence_and_leaves_no_stamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(executable(tmp_path / "bin" / "uv").parent))
    environment = Environment(tmp_path / "warehouse")
    expected = r"^the warehouse emulator could not be installed \(making its environment\): no such host$"
    with pytest.raises(NorenError, match=expected):
        installer.install(environment)
    assert not environment.stamp.exists()


def test_a_second_call_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = Environment.of(Project.find(Path(__file__)).state)
    installer.install(environment)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("something was run"))
    said: list[str] = []
    began = time.perf_counter()
    installer.install(environment, said.append)
    assert time.perf_counter() - began < 0.1
    assert said == []


def test_another_lock_is_installed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(executable(tmp_path / "bin" / "uv").parent))
    environment = Environment(tmp_path / "warehouse")
    environment.python.parent.mkdir(parents=True)
    environment.python.touch()
    environment.stamp.write_text("hash of an older lock")
    with pytest.raises(NorenError):
        installer.install(environment)


def test_noren_env_moves_the_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOREN_ENV", str(tmp_path))
    assert Environment.of(Path(os.devnull)).root == tmp_path / "warehouse"


def test_the_lock_pins_every_package_with_hashes_and_names_no_registry() -> None:
    lines = [line for line in LOCK.read_text().splitlines() if line and not line.startswith(" ")]
    assert all("==" in line and line.endswith("\\") for line in lines)
    assert {"local-bigquery==0.4.0 \\", "duckdb==1.5.5 \\"} <= set(lines)
    assert "://" not in LOCK.read_text()
