"""`noren contract check`, `diff`, `new` and `propose` as they are typed."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dataflow.errors import NorenError
from dataflow.project import Project
from scripts.cli.contract import contract
from scripts.cli.contract.access import missing

ROOT = Path(__file__).parents[4]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of descriptions and access files alone, as the current directory."""
    shutil.copytree(ROOT / "dataflow" / "contracts", tmp_path / "dataflow" / "contracts")
    shutil.copy(ROOT / "dataflow" / "policy.yaml", tmp_path / "dataflow")
    shutil.copytree(ROOT / "iam" / "datasets", tmp_path / "iam" / "datasets")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(contract, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def refused(*arguments: str) -> tuple[str, str]:
    """(what is printed, the sentence at the end)."""
    result = CliRunner().invoke(contract, arguments)
    assert isinstance(result.exception, NorenError)
    return result.stdout, str(result.exception)


def edit(project: Path, old: str, new: str, stream: str = "app_event") -> None:
    path = project / "dataflow" / "contracts" / f"{stream}.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def git(project: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=project, check=True, capture_output=True)


@pytest.fixture
def committed(project: Path) -> Path:
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "first")
    return project


def test_check_of_right_contracts(project: Path) -> None:
    assert run("check") == "2 contracts: nothing to complain about\n"
    assert json.loads(run("check", "--json")) == []


def test_check_prints_all_problems_and_fails(project: Path) -> None:
    edit(project, "name: device_model", "name: device-model")
    edit(project, "domain: places", "domain: Places", "checkin")
    printed, sentence = refused("check")
    assert [line.split(": ")[0] for line in printed.splitlines()] == [
        "dataflow/contracts/app_event.yaml:78",
        "dataflow/contracts/checkin.yaml:8",
    ]
    assert sentence == "2 problems in 2 contracts."
    printed, _ = refused("check", "--json")
    assert [problem["where"] for problem in json.loads(printed)] == ["device.device-model", "domain"]


def test_diff_with_a_revision(committed: Path) -> None:
    assert run("diff", "HEAD") == "nothing changed\n"
    edit(committed, "[{value: ios}, {value: android}]", "[{value: ios}, {value: android}, {value: web}]")
    edit(committed, "version: 1.0.0", "version: 1.1.0")
    assert run("diff", "HEAD", "--level", "BACKWARD") == (
        "app_event 1.0.0 -> 1.1.0: BACKWARD\n"
        "  app_event.device.type: value 'web' added: BACKWARD, old readers dead-letter it\n"
        "  version 1.1.0 is right (1.1.0 or above)\n"
    )


def test_diff_below_the_level_fails(committed: Path) -> None:
    edit(committed, "{value: android}]", "{value: android}, {value: web}]")
    edit(committed, "version: 1.0.0", "version: 1.1.0")
    _, sentence = refused("diff", "HEAD", "--level", "FULL")
    assert sentence == "app_event is BACKWARD compatible, FULL is asked for."


def test_diff_without_a_new_version_fails(committed: Path) -> None:
    edit(committed, "{value: android}]", "{value: android}, {value: web}]")
    printed, sentence = refused("diff", "HEAD", "--json")
    assert sentence == "app_event: version 1.0.0 must be 1.1.0 or above: the changes are minor."
    comparison = json.loads(printed)[0]
    assert (comparison["compatibility"], comparison["demanded_version"]) == ("BACKWARD", "1.1.0")


def test_diff_names_new_and_removed_streams(committed: Path) -> None:
    contracts = committed / "dataflow" / "contracts"
    text = (contracts / "checkin.yaml").read_text("utf-8")
    (contracts / "visit.yaml").write_text(text.replace("checkin", "visit"), "utf-8")
    (contracts / "checkin.yaml").unlink()
    assert run("diff", "HEAD") == (
        "checkin 1.0.0: removed: NONE, its events are not read any more; its tables stay\nvisit 1.0.0: new\n"
    )


def test_diff_with_one_file_looks_at_its_stream_alone(project: Path) -> None:
    shutil.copy(project / "dataflow" / "contracts" / "checkin.yaml", project / "old.yaml")
    edit(project, "version: 1.0.0", "version: 2.0.0")
    assert run("diff", "old.yaml") == "nothing changed\n"


def test_diff_with_nothing_that_exists_fails(committed: Path) -> None:
    _, sentence = refused("diff", "nowhere")
    assert sentence == f"nowhere is no file, no directory and no git revision of {committed}."


def events(number: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{index:08}-0000-4000-8000-000000000000",
            "time": f"2026-01-01T00:{index // 60:02}:{index % 60:02}Z",
            "home_address": "東京都千代田区",
        }
        for index in range(number)
    ]


@pytest.fixture
def sample(project: Path) -> Path:
    path = project / "web_log.ndjson"
    path.write_text("".join(json.dumps(event) + "\n" for event in events(60)), "utf-8")
    return path


def test_new_drafts_a_contract_that_passes_and_says_what_to_do(project: Path, sample: Path) -> None:
    printed = run("new", "--from", str(sample))
    assert "dataflow/contracts/web_log.yaml: 3 fields; 60 events looked at, 0 passed over, 0 bad lines" in printed
    assert "an event is named by id and happened at time" in printed
    assert "Missing (--access writes them): iam/datasets/raw__web.json, iam/datasets/anonymized__web.json" in printed
    assert "home_address: {method: drop}" in printed
    assert printed.endswith("noren run web_log\n")
    assert run("check") == "3 contracts: nothing to complain about\n"
    assert (project / "dataflow" / "policy.yaml").read_text() == (ROOT / "dataflow" / "policy.yaml").read_text()
    assert not (project / "iam" / "datasets" / "raw__web.json").exists()


def test_new_writes_rules_and_access_files_when_asked(project: Path, sample: Path) -> None:
    from dataflow.contract import load_contracts
    from dataflow.policy import check_policy, load_policy

    run("new", "--from", str(sample), "--domain", "site", "--policy", "--access")
    found = Project(project)
    check_policy(load_policy(found.policy), load_contracts(found.contracts))
    entries = json.loads((project / "iam" / "datasets" / "anonymized__site.json").read_text())
    assert not any(entry["role"] == "READER" and "groupByEmail" in entry for entry in entries)
    assert {"role": "WRITER", "userByEmail": "anonymizer@${project}.iam.gserviceaccount.com"} in entries
    assert missing(found, "site") == {}


def test_new_overwrites_nothing(project: Path, sample: Path) -> None:
    before = (project / "dataflow" / "contracts" / "checkin.yaml").read_bytes()
    _, sentence = refused("new", "--from", str(sample), "--stream", "checkin")
    assert sentence == "dataflow/contracts/checkin.yaml exists already; name another with --stream, or remove it first."
    assert (project / "dataflow" / "contracts" / "checkin.yaml").read_bytes() == before


def test_new_writes_nothing_when_the_sample_has_no_time(project: Path) -> None:
    path = project / "log.ndjson"
    path.write_text('{"id": "a"}\n' * 30)
    _, sentence = refused("new", "--from", str(path), "--policy")
    assert sentence.startswith("no field is an RFC 3339 time with a zone")
    assert not (project / "dataflow" / "contracts" / "log.yaml").exists()
    assert (project / "dataflow" / "policy.yaml").read_text() == (ROOT / "dataflow" / "policy.yaml").read_text()


def test_propose_without_a_stack_says_how_to_start_one(project: Path) -> None:
    _, sentence = refused("propose")
    assert sentence == f"no stack runs in {project}/.noren/local: start one with `noren up`."


def test_propose_of_an_unknown_stream_is_refused(project: Path) -> None:
    _, sentence = refused("propose", "--stream", "nothing")
    assert sentence == "nothing is no stream: there are contracts for app_event, checkin."
