"""Row access policies from files, applied through the gateway: made, changed, dropped, and in force at once."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dataflow.project import Project
from iam.apply import apply
from iam.entries import said
from iam.files import AccessFiles, load
from iam.live import Live
from iam.rows import compare

REPOSITORY = Project.find(Path(__file__))
P = "noren-test"
APPLIER = f"acl-applier@{P}.iam.gserviceaccount.com"
ANA = "ana@example.com"
TABLE = "anonymized__app.app_event"

Write = Callable[..., AccessFiles]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """write(policy(...), ...): the repository's files, and these policies."""

    def files(*policies: Any) -> AccessFiles:
        ignored = shutil.ignore_patterns("*.py", "__pycache__")
        shutil.copytree(REPOSITORY.iam, tmp_path / "iam", dirs_exist_ok=True, ignore=ignored)
        folder = tmp_path / "iam" / "row_access_policies"
        (folder / "anonymized__app.json").write_text(json.dumps(policies))
        return load(Project(tmp_path, P))

    return files


def policy(name: str, predicate: str, *grantees: str, table: str = "app_event") -> dict[str, Any]:
    reference = {"projectId": "${project}", "datasetId": "anonymized__app", "tableId": table, "policyId": name}
    return {"rowAccessPolicyReference": reference, "filterPredicate": predicate, "grantees": list(grantees)}


def test_policies_are_made_changed_and_dropped_as_the_files_say(as_, admin, write):
    def seen() -> list[str]:
        return [row[0] for row in as_(ANA).query_and_wait(f"SELECT user_token FROM {TABLE} ORDER BY 1")]

    analysts, everybody = "group:analysts@example.com", policy("all", "TRUE", "group:data-admins@example.com")
    one = policy("one", "user_token = 't1'", analysts)
    try:
        files = write(one, everybody)
        planned = apply(as_(APPLIER), files, dry_run=True)
        assert [str(change) for change in planned] == [
            "anonymized__app: + row access policy one on app_event: user_token = 't1' for group:analysts@example.com",
            "anonymized__app: + row access policy all on app_event: TRUE for group:data-admins@example.com",
        ]
        assert seen() == ["t1", "t2"]
        assert apply(as_(APPLIER), files) == planned
        assert apply(as_(APPLIER), files) == []
        assert seen() == ["t1"]
        changed = write(policy("one", "user_token = 't2'", analysts), everybody)
        assert [change.action for change in apply(as_(APPLIER), changed)] == ["add"]
        assert seen() == ["t2"]
        [dropped] = apply(as_(APPLIER), write(everybody))
        assert str(dropped) == "anonymized__app: - row access policy one on app_event"
        assert seen() == []
    finally:
        for name in Live(admin).row_policies("anonymized__app", "app_event"):
            Live(admin).drop_row_policy("anonymized__app", "app_event", name)


def test_a_policy_of_a_table_that_is_not_there_yet_is_skipped(as_, write):
    [skipped] = apply(as_(APPLIER), write(policy("p", "TRUE", table="later")))
    assert (skipped.action, skipped.changes) == ("skip", False)


@pytest.mark.parametrize(("method", "where"), [("PUT", "/p"), ("DELETE", "/p"), ("POST", "")])
def test_who_does_not_own_the_dataset_changes_no_policy(method, where, call):
    body = {"filterPredicate": "TRUE", "grantees": ["allAuthenticatedUsers"]}
    answer = call(ANA, method, f"/datasets/anonymized__app/tables/app_event/rowAccessPolicies{where}", json=body)
    assert answer.status_code == 403


def test_an_additive_table_keeps_what_the_files_lack():
    live = {"theirs": said("TRUE", [])}
    assert compare([], live, authoritative=False).drop == ()
    assert compare([], live, authoritative=True).drop == ("theirs",)
