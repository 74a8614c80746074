"""Importing a project that has grown by hand, from a small server that answers as Google's services do."""

import json
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import requests

from dataflow.clients import bigquery_client
from dataflow.errors import NorenError
from dataflow.project import Project
from iam.engine import Certainty, from_files
from iam.files import load
from iam.importing import import_access
from iam.live import Live
from iam.policies import Policies
from tests.http_server import Answering, serving

REPOSITORY = Project.find(Path(__file__))
P = "acme-analytics"
VIEW = {"view": {"projectId": P, "datasetId": "marts__a", "tableId": "v"}}
ACCESS: dict[str, list[dict[str, Any]]] = {
    "marts__a": [
        {"role": "OWNER", "userByEmail": f"terraform@{P}.iam.gserviceaccount.com"},
        {"role": "READER", "groupByEmail": "Everyone@example.com"},
        {"role": "READER", "iamMember": "deleted:group:gone@example.com?uid=1"},
        {"role": "roles/bigquery.dataViewer", "newKind": "x"},
    ],
    "warehouse__a": [{"role": "OWNER", "specialGroup": "projectOwners"}, VIEW],
}
LIMITED = {"title": "until", "expression": 'request.time < timestamp("2027-01-01T00:00:00Z")'}
POLICIES = {
    f"/v3/projects/{P}:getIamPolicy": [
        {"role": "roles/bigquery.jobUser", "members": ["group:everyone@example.com"]},
        {"role": "roles/bigquery.dataViewer", "members": ["user:ada@example.com"], "condition": LIMITED},
    ],
    "/v3/folders/7:getIamPolicy": [{"role": "roles/viewer", "members": ["domain:example.com"]}],
    "/v3/organizations/1:getIamPolicy": [{"role": "roles/owner", "members": ["principal://x/subject/y"]}],
    f"/bigquery/v2/projects/{P}/datasets/marts__a/tables/v:getIamPolicy": [
        {"role": "roles/bigquery.dataViewer", "members": ["group:partner@example.com"]}
    ],
}
PARENTS = {f"/v3/projects/{P}": "folders/7", "/v3/folders/7": "organizations/1"}


class Google(Answering):
    """closed: paths that answer 403."""

    closed: ClassVar[set[str]] = set()

    def do_GET(self) -> None:
        self.found(self.path.partition("?")[0])

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert asked == {"options": {"requestedPolicyVersion": 3}}
        self.found(self.path)

    def found(self, path: str) -> None:
        base = f"/bigquery/v2/projects/{P}/datasets"
        code, content = 404, {"error": {"message": f"no {path}"}}
        if path in self.closed:
            code, content = 403, {"error": {"message": "Permission denied"}}
        elif path in PARENTS:
            code, content = 200, {"parent": PARENTS[path]}
        elif path.endswith(":getIamPolicy"):
            code, content = 200, {"bindings": POLICIES.get(path, [])}
        elif path == base:
            code, content = 200, {"datasets": [{"datasetReference": {"datasetId": name}} for name in ACCESS]}
        elif path.removeprefix(f"{base}/") in ACCESS:
            code, content = 200, {"access": ACCESS[path.removeprefix(f"{base}/")]}
        elif path == f"{base}/marts__a/tables":
            code, content = 200, {"tables": [{"tableReference": {"tableId": "v"}, "type": "VIEW", "creationTime": "1"}]}
        elif path == f"{base}/warehouse__a/tables":
            code, content = 200, {}
        self.answer(code, content)


@pytest.fixture
def google() -> Iterator[str]:
    Google.closed = set()
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Google)) as url:
        yield url


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "iam").mkdir()
    for name in ("groups.json", "principals.json", "layers.yaml"):
        (tmp_path / "iam" / name).write_bytes((REPOSITORY.iam / name).read_bytes())
    return Project(tmp_path, P)


def run(project: Project, google: str, **options: Any):
    session = requests.Session()
    session.trust_env = False
    return import_access(project, Live(bigquery_client(P, google)), Policies(session, google, google), **options)


def test_live_lists_become_files_that_load(project, google):
    result = run(project, google)
    assert result.written == [
        "iam/datasets/marts__a.json",
        "iam/datasets/warehouse__a.json",
        "iam/authorized_views/warehouse__a.json",
        "iam/imported.json",
    ]
    assert (project.iam / "datasets" / "marts__a.json").read_text() == (
        '[\n  {"role": "OWNER", "userByEmail": "terraform@${project}.iam.gserviceaccount.com"},\n'
        '  {"role": "READER", "groupByEmail": "everyone@example.com"}\n]\n'
    )
    files = load(project)
    assert [str(entry) for entry in files.authorized["warehouse__a"]] == [f"view {P}.marts__a.v"]


def test_what_no_file_can_hold_is_told_and_so_is_who_is_not_listed(project, google):
    result = run(project, google)
    assert result.left_out == [
        "marts__a: READER member deleted:group:gone@example.com?uid=1",
        "marts__a: READER unknown None",
    ]
    assert result.groups == ["everyone@example.com"]
    assert result.principals == [f"terraform@{P}.iam.gserviceaccount.com"]


def test_grants_above_and_on_tables_are_kept_with_their_conditions(project, google):
    run(project, google)
    imported = load(project).imported
    assert imported.complete
    assert [str(entry) for entry in imported.inherited] == [
        "roles/bigquery.jobUser group everyone@example.com",
        f"READER user ada@example.com if {LIMITED['expression']}",
        "roles/viewer domain example.com",
        "roles/owner member principal://x/subject/y",
    ]
    assert {name: [str(e) for e in found] for name, found in imported.tables.items()} == {
        ("marts__a", "v"): ["READER group partner@example.com"]
    }
    assert from_files(load(project)).imported == {P}


@pytest.mark.parametrize(
    "closed", ["/v3/organizations/1:getIamPolicy", "/v3/folders/7:getIamPolicy", f"/v3/projects/{P}", "/v3/folders/7"]
)
def test_what_is_above_and_closed_leaves_answers_unproved(project, google, closed):
    Google.closed = {closed}
    result = run(project, google)
    assert any("may not be read" in told for told in result.left_out)
    assert not load(project).imported.complete
    assert from_files(load(project)).imported == frozenset()
    assert Certainty.AS_FAR_AS_IAM_TELLS.value == "as far as iam/ tells"


def test_a_project_whose_policy_is_closed_changes_no_file(project, google):
    Google.closed = {f"/v3/projects/{P}:getIamPolicy"}
    with pytest.raises(NorenError, match="Permission denied"):
        run(project, google)
    assert not (project.iam / "datasets").exists()


def test_a_second_import_writes_nothing_but_its_time(project, google):
    run(project, google)
    assert run(project, google).written == ["iam/imported.json"]


def test_a_file_that_says_something_else_is_not_lost(project, google):
    run(project, google)
    path = project.iam / "datasets" / "marts__a.json"
    path.write_text("[]")
    with pytest.raises(NorenError, match=r"iam/datasets/marts__a\.json says something else"):
        run(project, google)
    assert path.read_text() == "[]"
    assert "iam/datasets/marts__a.json" in run(project, google, overwrite=True).written


def test_without_table_grants_nothing_is_proved(project, google):
    run(project, google, tables=False)
    assert not load(project).imported.complete
