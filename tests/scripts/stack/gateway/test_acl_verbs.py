"""`noren acl plan`, `apply` and `drift` on a running stack, as a person and as CI call them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from iam.live import Live
from scripts.cli import noren

ROOT = Path(__file__).parents[4]
OUTSIDE = {"role": "READER", "groupByEmail": "analysts@example.com"}


@pytest.fixture
def run(stack, monkeypatch):
    """run("plan", "--json"): a verb on this stack, in the repository."""
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("CI", raising=False)

    def verb(*words: str) -> Result:
        return CliRunner().invoke(noren, ["acl", *words, "--home", str(stack.home.root)])

    return verb


@pytest.fixture
def spoiled(admin):
    """An entry on operations that no file has."""
    resource = Live(admin).dataset("operations")
    Live(admin).patch("operations", [*resource["access"], OUTSIDE], resource["etag"])
    yield
    now = Live(admin).dataset("operations")
    Live(admin).patch("operations", resource["access"], now["etag"])


def test_nothing_to_change_is_said_and_is_no_difference(run):
    done = run("plan", "--exit-code")
    assert (done.output, done.exit_code) == ("Nothing to change: the access lists are what iam/ says.\n", 0)


@pytest.mark.usefixtures("spoiled")
def test_a_plan_says_what_would_change_and_changes_nothing(run, admin):
    done = run("plan", "--exit-code")
    assert done.output.splitlines() == [
        "would: operations: - READER group analysts@example.com",
        "1 dataset: 1 removed",
    ]
    assert done.exit_code == 2
    assert run("plan").exit_code == 0
    assert json.loads(run("plan", "--json").output) == [
        {"dataset": "operations", "action": "remove", "what": "READER group analysts@example.com"}
    ]
    assert OUTSIDE in Live(admin).dataset("operations")["access"]


@pytest.mark.usefixtures("spoiled")
def test_in_ci_apply_is_a_dry_run_unless_yes_is_said(run, admin, monkeypatch):
    monkeypatch.setenv("CI", "true")
    done = run("apply")
    assert done.output.splitlines()[-1] == "In CI this is a dry run: give --yes to apply."
    assert OUTSIDE in Live(admin).dataset("operations")["access"]
    done = run("apply", "--yes")
    assert done.output == "operations: - READER group analysts@example.com\n1 dataset: 1 removed\n"
    assert OUTSIDE not in Live(admin).dataset("operations")["access"]


@pytest.mark.usefixtures("spoiled")
def test_what_apply_did_is_in_the_stacks_ledger(run, stack):
    run("apply")
    lines = sorted((stack.home.root / "ledger" / "access" / "lines").iterdir(), key=lambda path: int(path.name))
    last = json.loads(lines[-1].read_text())
    assert (last["kind"], last["details"]["dataset"]) == ("access.intended", "operations")
    assert last["details"]["removed"] == [{"groupByEmail": "analysts@example.com", "role": "roles/bigquery.dataViewer"}]
    assert last["details"]["revision"]


@pytest.mark.usefixtures("spoiled")
def test_what_apply_did_is_copied_to_operations(run, stack):
    assert run("apply").stderr == ""
    done = CliRunner().invoke(noren, ["ledger", "verify", "access", "--json", "--home", str(stack.home.root)])
    [found] = json.loads(done.output)
    assert (found["copied"], found["damages"]) == (found["lines"], [])
    assert found["lines"] > 0


@pytest.mark.usefixtures("spoiled")
def test_drift_exits_with_2_and_tells_what_is_outside(run):
    done = run("drift", "--json")
    assert done.exit_code == 2
    assert json.loads(done.output) == [
        {"dataset": "operations", "kind": "outside", "what": "READER group analysts@example.com"}
    ]


def test_without_drift_the_exit_code_is_0(run):
    done = run("drift")
    assert (done.exit_code, done.output) == (
        0,
        "The live access lists are what iam/ says, and every dataset has a file.\n",
    )


def test_who_reads_needs_logs_that_are_there(run):
    assert "the audit logs in nowhere cannot be read" in str(run("who-read", "--logs", "nowhere").exception)
    assert (
        "FROM `noren-test.logs.cloudaudit_googleapis_com_data_access`"
        in run("who-read", "--logs", "logs", "--sql").output
    )
