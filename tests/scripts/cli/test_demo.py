"""`noren demo`: the main job end to end, twice in one project: the simulated app, then real check-ins if there are."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.main_job.checkins import checkins
from scripts.main_job.questions import ADMINISTRATOR, ANALYST, BUSINESS, OUTSIDER, QUESTIONS
from scripts.stack import endpoints
from tests.conftest import ROOT

EVENTS = 1_500
CHECKINS = Path(os.environ.get("NOREN_CHECKINS", ROOT.parent / "shared" / "data" / "tokyo_checkins.csv"))
CLI = [sys.executable, "-m", "scripts.cli"]

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Demo:
    """One run that is over. root: of its project."""

    root: Path
    exit_code: int
    said: str
    errors: str
    summary: dict[str, Any]

    @property
    def answers(self) -> dict[tuple[str, str], dict[str, Any]]:
        """(table, member) -> what they got."""
        return {(answer["table"], answer["member"]): answer for answer in self.summary["who_saw_what"]}


def demo(root: Path, *arguments: str) -> Demo:
    summary = root / "summaries" / "s.json"
    done = subprocess.run(
        [*CLI, "demo", "--summary", str(summary), *arguments], cwd=root, capture_output=True, text=True, timeout=280
    )
    read = json.loads(summary.read_text()) if summary.exists() else {}
    return Demo(root, done.returncode, done.stdout, done.stderr, read)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of contracts, policy, models and access files; the emulator's environment is the repository's."""
    root = tmp_path_factory.mktemp("project")
    for folder in ("dataflow/contracts", "dbt", "iam"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    shutil.copy(ROOT / "dataflow" / "policy.yaml", root / "dataflow")
    (root / ".noren").mkdir()
    (root / ".noren" / "env").symlink_to(ROOT / ".noren" / "env")
    return root


@pytest.fixture(scope="module")
def simulated(root: Path) -> Demo:
    return demo(root, "--events", str(EVENTS), "--seed", "5")


@pytest.fixture(scope="module")
def replayed(root: Path, simulated: Demo) -> Iterator[Demo]:
    """The second run in the project, with real check-ins; its stack is still up."""
    if not CHECKINS.exists():
        pytest.skip(f"no check-ins in {CHECKINS} (research use, not part of the project); set NOREN_CHECKINS.")
    yield demo(root, "--input", str(CHECKINS), "--keep")
    subprocess.run([*CLI, "down", "--home", ".noren/demo"], cwd=root, check=True, timeout=60)


def everybody(stream: str) -> dict[tuple[str, str], bool]:
    """(table, member) -> whether they may see it."""
    people = (ADMINISTRATOR, ANALYST, BUSINESS, OUTSIDER)
    raw, anonymized, warehouse, mart = (question.table for question in QUESTIONS[stream])
    seen = {
        raw: {ADMINISTRATOR},
        anonymized: {ADMINISTRATOR, ANALYST},
        warehouse: {ADMINISTRATOR, ANALYST},
        mart: {ADMINISTRATOR, ANALYST, BUSINESS},
    }
    return {(table, person): person in may for table, may in seen.items() for person in people}


def test_it_succeeds_and_its_figures_add_up(simulated: Demo) -> None:
    assert (simulated.exit_code, simulated.summary["problems"]) == (0, []), simulated.said + simulated.errors
    figures = simulated.summary
    assert figures["published"] == EVENTS == figures["raw"] + figures["dead"] + figures["duplicates"]
    assert figures["raw"] == figures["anonymized"] > 0.9 * EVENTS
    assert sum(figures["dead_by_reason"].values()) == figures["dead"] > 0
    assert figures["duplicates"] > 0
    assert figures["events_per_second"] > 0 < figures["seconds"]
    assert figures["values_scanned"] > 10 * figures["anonymized"]


def test_the_summary_has_what_it_is_said_to_have(simulated: Demo) -> None:
    wanted = {"published", "raw", "anonymized", "dead", "duplicates", "seconds", "events_per_second", "who_saw_what"}
    assert wanted <= simulated.summary.keys()
    for answer in simulated.summary["who_saw_what"]:
        assert {"member", "question"} < answer.keys()
        assert ("rows" in answer) != ("error" in answer)


def test_everybody_sees_what_they_may_and_is_refused_the_rest_as_bigquery_does(simulated: Demo) -> None:
    assert {key: "rows" in answer for key, answer in simulated.answers.items()} == everybody("app_event")
    refused = [answer["error"] for answer in simulated.answers.values() if "error" in answer]
    assert all(error.startswith("403 Access Denied: ") for error in refused), refused


def test_an_answer_is_true(simulated: Demo) -> None:
    (raw,) = simulated.answers["raw__app.app_event", ADMINISTRATOR]["rows"]
    (people,) = simulated.answers["anonymized__app.app_event", ANALYST]["rows"]
    assert people["events"] == simulated.summary["anonymized"]
    # a person has one token in each key epoch
    assert 10 < raw["people"] <= people["people"] <= 2 * raw["people"]


def test_each_stage_is_a_line(simulated: Demo) -> None:
    stages = [line.split()[0] for line in simulated.said.splitlines() if re.match(r"[a-z]+ {2,}", line)]
    assert stages == ["input", "grant", "stream", "build", "authorize", "scan"]
    assert "All adds up, in " in simulated.said
    assert "Traceback" not in simulated.errors


def test_nothing_of_it_runs_afterwards(simulated: Demo) -> None:
    done = subprocess.run([*CLI, "status", "--home", ".noren/demo"], cwd=simulated.root, capture_output=True, text=True)
    assert (done.returncode, "is stopped" in done.stdout) == (1, True)


def test_real_check_ins_are_all_published_and_none_is_a_duplicate(replayed: Demo) -> None:
    assert (replayed.exit_code, replayed.summary["problems"]) == (0, []), replayed.said + replayed.errors
    lines = len(CHECKINS.read_text().splitlines()) - 1
    names = ("published", "raw", "anonymized", "dead", "duplicates")
    assert [replayed.summary[name] for name in names] == [lines, lines, lines, 0, 0]


def test_everybody_sees_of_the_check_ins_what_they_may(replayed: Demo) -> None:
    assert {key: "rows" in answer for key, answer in replayed.answers.items()} == everybody("checkin")


def test_no_raw_value_of_a_check_in_stands_behind_the_curtain(replayed: Demo) -> None:
    """Looked for by other means than the job's own scan: as texts in everything that the open tables hold."""
    client = endpoints.load(replayed.root / ".noren" / "demo").warehouse_client()
    tables = [
        f"{table.dataset_id}.{table.table_id}"
        for dataset in client.list_datasets()
        if dataset.dataset_id.partition("__")[0] in ("anonymized", "warehouse", "marts")
        for table in client.list_tables(dataset.dataset_id)
    ]
    assert {table.partition("__")[0] for table in tables} == {"anonymized", "warehouse", "marts"}
    text = " ".join(
        repr(tuple(row.values())) for table in tables for row in client.query_and_wait(f"SELECT * FROM {table}")
    )
    events = [json.loads(payload) for payload in checkins(CHECKINS)]
    assert "checkin-user-" not in text
    assert set(re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", text)) == set()
    places = {repr(event["venue"][name]) for event in events for name in ("latitude", "longitude")}
    assert {place for place in places if len(place.partition(".")[2]) > 3} & set(re.findall(r"\d+\.\d+", text)) == set()
    venues = {event["venue"]["venue_id"] for event in events}
    assert venues & set(re.findall(r"[0-9a-f]{24}", text)) == set()


def test_kept_it_says_how_to_query_and_to_stop_it(replayed: Demo) -> None:
    said = replayed.said.splitlines()
    assert "Stop it with: scripts/noren down --home .noren/demo" in said
    asks = [line for line in said if line.startswith("  scripts/noren query --home .noren/demo --as ")]
    for ask in asks:
        command = re.findall(r'"[^"]+"|\S+', ask)[1:]
        done = subprocess.run(
            [*CLI, *(part.strip('"') for part in command)],
            cwd=replayed.root,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
    assert len(asks) == 2


def test_a_second_demo_beside_one_that_is_up_is_one_sentence(replayed: Demo) -> None:
    second = demo(replayed.root, "--events", "10")
    assert (second.exit_code, second.errors) == (
        1,
        "noren: a demo is up already: stop it with noren down --home .noren/demo.\n",
    )


def test_a_wrong_file_is_one_sentence_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "dataflow").mkdir()
    (tmp_path / "dataflow" / "policy.yaml").touch()
    (tmp_path / "wrong.csv").write_text("a,b\n1,2\n")
    done = demo(tmp_path, "--input", "wrong.csv")
    assert (done.exit_code, done.said, (tmp_path / ".noren").exists()) == (1, "", False)
    assert re.fullmatch(r"noren: wrong\.csv, line 1: the columns .* are missing\.\n", done.errors)
