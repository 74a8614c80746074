"""Peers: chosen by name, null with a reason, their figures in the report."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dataflow.errors import NorenError
from scripts.bench.anonymizer import Figures, peer_ratios
from scripts.bench.events import events
from scripts.bench.peers import environment, runner
from scripts.bench.peers.runner import Result, chosen, run_peers
from scripts.bench.peers.table import PEERS, Peer


def quiet(sentence: str) -> None:
    """Progress that nobody reads."""


def test_all_peers_are_chosen_without_names() -> None:
    assert chosen(None) == list(PEERS)


def test_an_unknown_peer_is_named_with_the_known_ones() -> None:
    with pytest.raises(NorenError, match=r"^there is no peer spark; there are chdb, chdb_bulk, .+, miller\.$"):
        chosen(["node", "spark"])


def test_every_peer_has_its_program_and_its_pins() -> None:
    for peer in PEERS:
        assert [file.name for file in runner.PROGRAMS.glob(f"{peer.program}.*")], peer.name
        if peer.requirements:
            pins = (environment.REQUIREMENTS / peer.requirements).read_text().splitlines()
            assert all("==" in line and "://" not in line for line in pins), peer.name


def test_a_peer_whose_command_is_absent_is_null_with_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    results = run_peers([b"{}"], tmp_path, ["miller"], quiet)
    assert results == {"miller": Result(None, "`mlr` is not on PATH")}


def test_a_peer_whose_program_fails_is_null_with_the_last_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "PEERS", (Peer("gone", "beam", True, "", 10, python=None),))
    monkeypatch.setattr(runner.sys, "executable", "/bin/false")
    results = run_peers([b"{}"], tmp_path, None, quiet)
    assert results == {"gone": Result(None, "failed with status 1: no output")}


def test_a_peer_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "TIMEOUT_SECONDS", 0.3)
    with pytest.raises(NorenError, match=r"^not done within 0\.3 s$"):
        runner._answer(["/bin/sleep", "30"], tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="reads /proc")
def test_a_program_counts_its_children_and_answers(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "from scripts.bench.peers.programs.timing import answer, cpu_seconds\n"
        "burn = 'import time\\nwhile time.process_time() < 0.3: pass'\n"
        "before = cpu_seconds(); subprocess.run([sys.executable, '-c', burn]); print(cpu_seconds() - before >= 0.25)\n"
        "answer(7, lambda: sum(range(3_000_000)), ['b', 'a'], rounds=1)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=runner.ROOT)
    counted, told = done.stdout.splitlines()
    assert counted == "True"
    assert json.loads(told)["differs"] == ["a", "b"]
    assert runner._answer([sys.executable, "-c", code], tmp_path)["events_per_core_second"] > 0


def test_a_row_that_differs_is_told_by_its_field() -> None:
    code = (
        "import json, sys\n"
        "from scripts.bench.events import events\n"
        "from scripts.bench.loops import tuned\n"
        "from scripts.bench.peers.programs.timing import differing\n"
        "some = list(events(5))\n"
        "rows = [json.loads(tuned(event)[1]) for event in some]\n"
        "print(differing(some, rows) == set())\n"
        "rows[3]['device']['os_version'] = 'x'; rows[4]['extra'] = 1\n"
        "print(differing(some, rows) == {'device.os_version', 'extra'})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=runner.ROOT)
    assert done.stdout.split() == ["True", "True"]


def test_the_report_has_the_peers_and_the_ratios() -> None:
    peers = {
        "chdb": Result(200.0, "coerces", (190.0, 210.0)),
        "node": Result(100.0, "", (100.0,)),
        "pyspark": Result(50.0, "", (50.0,)),
        "pyflink": Result(None, "`java` is not on PATH"),
    }
    rates = {name: [400.0] for name in ("noren_declared", "noren_free_form", "naive", "tuned")}
    told = Figures(rates, {}, {}, {}, {}, 1.0, peers).to_dict()
    assert told["events_per_core_second"]["peers"] == {"chdb": 200, "node": 100, "pyspark": 50, "pyflink": None}
    assert told["peer_notes"]["pyflink"] == "`java` is not on PATH"
    assert told["peers_of_same_work"] == ["node"]
    assert told["ratios"] == {
        "declared_to_fastest_peer_of_same_work": 4.0,
        "declared_to_fastest_peer": 2.0,
        "declared_to_pyspark": 8.0,
    }


def test_without_peers_there_is_no_ratio_to_them() -> None:
    assert peer_ratios(400.0, {}) == {}


def test_the_interpreter_of_this_version_is_this_one() -> None:
    assert environment.interpreter(f"{sys.version_info.major}.{sys.version_info.minor}") == sys.executable


def test_beam_runs_in_this_environment(tmp_path: Path) -> None:
    result = run_peers(list(events(200)), tmp_path, ["beam"], quiet)["beam"]
    assert result.rate is not None
    assert len(result.rounds) == 3
