"""`noren acl lint` and `noren acl grant-temporary`, on a copy of the repository's files."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dataflow.project import Project
from iam.engine import Action, TableName, decide, from_files
from iam.files import load
from scripts.cli import noren

ROOT = Path(__file__).parents[4]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    shutil.copytree(ROOT / "iam", tmp_path / "iam", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (tmp_path / "dataflow").mkdir()
    shutil.copy(ROOT / "dataflow" / "policy.yaml", tmp_path / "dataflow")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOREN_PROJECT", "noren-test")
    return Project(tmp_path, "noren-test")


def run(*words: str) -> Result:
    return CliRunner().invoke(noren, ["acl", *words])


def temporary(*more: str, span: str = "8h", group: str = "data-engineers@example.com") -> Result:
    return run(
        *("grant-temporary", "dead_letter", group, "--for", span, "--reason", "incident 42"),
        *("--asked-by", "eng@example.com", "--approved-by", "dpo@example.com", *more),
    )


def test_a_temporary_grant_says_why_and_who_and_ends_by_itself(project):
    done = temporary("--json")
    assert done.exit_code == 0, done.output
    item = json.loads(done.output)
    assert item["condition"]["description"] == "incident 42 (asked by eng@example.com, approved by dpo@example.com)"
    assert json.loads((project.iam / "datasets" / "dead_letter.json").read_text())[-1] == item
    world = from_files(load(project))
    table = TableName("noren-test", "dead_letter", "events")
    now = datetime.now(UTC)
    for hours, allowed in ((1, True), (7, True), (9, False)):
        decision = decide(world, "eng@example.com", Action.QUERY, table, at=now + timedelta(hours=hours))
        assert (hours, decision.allowed) == (hours, allowed)
    assert run("lint", "--no-dbt").exit_code == 0


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (lambda: temporary("--approved-by", "Eng@example.com"), "cannot approve their own temporary grant"),
        (lambda: temporary("--approved-by", "x@partner.com"), "--approved-by x@partner.com: is outside of example.com"),
        (lambda: temporary(span="400d"), "ends in the future, within 90 days"),
        (lambda: temporary(span="2020-01-01T00:00:00Z"), "ends in the future"),
        (lambda: temporary(span="soon"), "give hours (8h), days (3d) or a time"),
        (lambda: temporary(group="nobody@example.com"), "is not in iam/groups.json"),
    ],
)
def test_a_temporary_grant_that_cannot_be_is_one_sentence_and_changes_nothing(project, result, sentence):
    before = (project.iam / "datasets" / "dead_letter.json").read_bytes()
    failed = result()
    assert failed.exit_code == 1
    assert sentence in str(failed.exception)
    assert (project.iam / "datasets" / "dead_letter.json").read_bytes() == before


def test_the_lint_exits_with_1_for_an_error_and_for_a_warning_only_when_strict(project):
    assert run("lint", "--no-dbt").output == "iam/: nothing to complain about\n"
    path = project.iam / "datasets" / "operations.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps([*content, {"role": "READER", "domain": "example.com"}]))
    assert run("lint", "--no-dbt").exit_code == 0
    assert run("lint", "--no-dbt", "--strict").exit_code == 1
    path.write_text(json.dumps([*content, {"role": "READER", "userByEmail": "ana@example.com"}]))
    assert run("lint", "--no-dbt").exit_code == 1


def test_the_lint_mends_what_is_safe(project):
    path = project.iam / "datasets" / "operations.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps([*content, content[0]]))
    done = run("lint", "--no-dbt", "--fix")
    assert (done.exit_code, done.stdout) == (0, "iam/: nothing to complain about\n")
    [mended, count] = done.stderr.splitlines()
    assert (mended.split(":")[0], count) == ("mended iam/datasets/operations.json", "1 mended")
    assert json.loads(path.read_text()) == content


def test_a_manifest_that_is_none_is_one_sentence(project, tmp_path):
    (tmp_path / "manifest.json").write_text("[]")
    failed = run("lint", "--manifest", str(tmp_path / "manifest.json"))
    assert str(failed.exception).endswith("manifest.json: is no manifest of dbt.")


def test_a_rule_is_explained(project):
    assert run("lint", "--explain", "nrn023").output.startswith("NRN023 raw-reachable: Nobody outside of the groups")
    assert len(run("lint", "--rules").output.splitlines()) > 20
    assert "there is no rule NRN999" in str(run("lint", "--explain", "NRN999").exception)
