"""Rounds on the real servers: two for every day, with each kind of fault once; many by hand."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.soak.faults import FAULTS
from tests.conftest import ROOT


def soaked(tmp_path: Path, rounds: int, seed: int) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    report = tmp_path / "soak.json"
    command = [sys.executable, "-m", "scripts.cli", "soak", "--rounds", str(rounds), "--seed", str(seed)]
    done = subprocess.run([*command, "--json", str(report)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert report.exists(), done.stderr
    return done, json.loads(report.read_text())


@pytest.mark.timeout(600)
def test_after_two_rounds_with_every_kind_of_fault_everything_adds_up(tmp_path: Path) -> None:
    done, report = soaked(tmp_path, 2, 1)
    assert (done.returncode, report["problems"], done.stderr) == (0, [], "")
    assert {fault["kind"] for item in report["rounds"] for fault in item["injected"]} == set(FAULTS)
    for item in report["rounds"]:
        counts = item["counts"]
        assert counts["published"] == counts["raw"] + counts["dead"] + counts["duplicates"] > 0
        assert counts["raw"] == counts["anonymized"] > 0
    assert [kind for kind, item in report["recovery"].items() if item["not_recovered"]] == []
    assert (report["kept"], done.stdout.splitlines()[-1]) == (None, "All adds up.")


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_after_fifty_rounds_everything_adds_up(tmp_path: Path) -> None:
    done, report = soaked(tmp_path, 50, 7)
    assert (done.returncode, report["problems"], len(report["rounds"])) == (0, [], 50)
