"""`noren acl ... --cloud`: which services are asked, as whom. BigQuery is the gateway, the others are stand-ins."""

import json
import shutil
from pathlib import Path

import google.auth
import pytest
import requests
from click.testing import CliRunner
from click.testing import Result as Invoked
from google.auth.credentials import AnonymousCredentials
from google.cloud.bigquery_datapolicies_v1.services.data_policy_service.transports import DataPolicyServiceGrpcTransport

import dataflow.clients
from dataflow.channels import plain
from dataflow.project import Project
from iam.engine.rights import FINE_GRAINED_READER, MASKED_READER
from iam.files import load
from iam.live import Live
from iam.tags.catalog import DATA_CATALOG
from scripts.build.process import Result
from scripts.cli import noren
from scripts.cli.build import governed_build
from scripts.stack.callers import caller_client
from tests.iam.tags.google_cloud import DataCatalog, DataPolicyServer

ROOT = Path(__file__).parents[4]
P = "noren-test"
APPLIER = f"acl-applier@{P}.iam.gserviceaccount.com"
PLACE = f"projects/{P}/locations/asia-northeast1"
TAG = f"{PLACE}/taxonomies/1/policyTags/2"
MASK = f"{PLACE}/dataPolicies/location_2_sha256"
FILE = [
    {
        "policyTag": "location",
        "description": "Where somebody was.",
        "readers": ["group:data-admins@example.com"],
        "masked": [{"predefinedExpression": "SHA256", "readers": ["group:analysts@example.com"]}],
    }
]


@pytest.fixture
def catalog():
    server = DataCatalog({TAG: "location"})
    yield server
    server.stop()


@pytest.fixture
def masks():
    server = DataPolicyServer()
    yield server
    server.stop()


class Elsewhere(requests.adapters.HTTPAdapter):
    """Sends what is meant for a service in the cloud to its stand-in."""

    def __init__(self, stand_in: str) -> None:
        super().__init__()
        self.stand_in = stand_in

    def send(self, request, *arguments, **named):
        request.url = request.url.replace(DATA_CATALOG, self.stand_in, 1)
        return super().send(request, *arguments, **named)


@pytest.fixture
def asked(stack, catalog, masks, monkeypatch):
    """What the client of data policies is made for: (host, its credentials). In the cloud all are those of BigQuery."""
    client = caller_client(stack, APPLIER)
    client._http.mount(f"{DATA_CATALOG}/", Elsewhere(catalog.url))
    monkeypatch.setattr(dataflow.clients, "bigquery_client", lambda _: client)
    found = []

    def channel(host, credentials=None, **_):
        found.append((host, credentials))
        return plain(masks.address)

    monkeypatch.setattr(DataPolicyServiceGrpcTransport, "create_channel", channel)
    yield client, found
    client.close()


@pytest.fixture
def run(asked, tmp_path, monkeypatch):
    """run("plan"): a verb of `noren acl` with --cloud, on a copy of the files that speaks of a policy tag."""
    shutil.copytree(ROOT / "iam", tmp_path / "iam", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    shutil.copytree(ROOT / "dataflow" / "contracts", tmp_path / "dataflow" / "contracts")
    shutil.copyfile(ROOT / "dataflow" / "policy.yaml", tmp_path / "dataflow" / "policy.yaml")
    (tmp_path / "iam" / "policy_tags.json").write_text(json.dumps(FILE))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("NOREN_PROJECT", P)
    monkeypatch.setenv("NOREN_LEDGER", ".noren/ledger")

    def verb(*words: str) -> Invoked:
        return CliRunner().invoke(noren, ["acl", *words, "--cloud"], catch_exceptions=False)

    return verb


CHANGES = [
    "policy tag location: + reader group:data-admins@example.com",
    "policy tag location: + reader group:analysts@example.com through SHA256",
]


def test_a_plan_tells_readers_of_policy_tags_and_changes_nothing(run, catalog, masks):
    done = run("plan", "--exit-code")
    assert done.exit_code == 2
    assert done.stdout.splitlines() == [*(f"would: {change}" for change in CHANGES), "1 policy tag: 2 added"]
    assert (catalog.policies.writes, masks.made) == (0, {})


def test_apply_makes_them_and_writes_them_down_before(run, catalog, masks, tmp_path):
    assert run("apply").stdout.splitlines() == [*CHANGES, "1 policy tag: 2 added"]
    assert catalog.policies.members(TAG, FINE_GRAINED_READER) == ["group:data-admins@example.com"]
    assert masks.policies.members(MASK, MASKED_READER) == ["group:analysts@example.com"]
    lines = (tmp_path / ".noren" / "ledger" / "access" / "lines").iterdir()
    told = [json.loads(line.read_text()) for line in sorted(lines, key=lambda path: int(path.name))]
    assert [line["details"]["what"] for line in told if line["kind"] == "access.tags"] == [
        "reader group:data-admins@example.com",
        "reader group:analysts@example.com through SHA256",
    ]
    assert run("plan", "--exit-code").exit_code == 0
    assert run("drift").exit_code == 0


def test_drift_tells_who_reads_outside_of_the_files(run, masks):
    run("apply")
    masks.policies.bindings[MASK][0]["members"].append("user:eve@example.com")
    done = run("drift", "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (
        2,
        [{"dataset": "policy tag location", "kind": "outside", "what": "user:eve@example.com through SHA256"}],
    )


def test_every_service_is_asked_with_the_credentials_of_bigquery(run, asked, catalog):
    run("plan")
    client, found = asked
    assert found == [("bigquerydatapolicy.googleapis.com:443", client._credentials)]
    assert catalog.callers == {f"Bearer {client._credentials.token}"}


ROWS = [
    {
        "rowAccessPolicyReference": {
            "projectId": "${project}",
            "datasetId": "anonymized__app",
            "tableId": "app_event",
            "policyId": "first",
        },
        "filterPredicate": "user_token = 't1'",
        "grantees": ["group:analysts@example.com", "serviceAccount:dbt@${project}.iam.gserviceaccount.com"],
    }
]


def test_what_was_imported_leaves_nothing_to_plan_and_no_drift(run, admin, tmp_path, monkeypatch):
    folder = tmp_path / "iam"
    rows = folder / "row_access_policies" / "anonymized__app.json"
    rows.write_text(json.dumps(ROWS))
    monkeypatch.setattr(google.auth, "default", lambda **_: (AnonymousCredentials(), P))
    for name in Live(admin).row_policies("anonymized__app", "app_event"):
        Live(admin).drop_row_policy("anonymized__app", "app_event", name)
    try:
        assert run("apply").exit_code == 0
        stated = load(Project(tmp_path, P))
        for name in ("datasets", "authorized_views", "row_access_policies"):
            shutil.rmtree(folder / name)
        (folder / "policy_tags.json").unlink()
        words = ["acl", "import", P, "--no-project-iam", "--json"]
        told = json.loads(CliRunner().invoke(noren, words, catch_exceptions=False).stdout)
        assert told["left_out"] == []
        assert told["groups"] == []
        imported = load(Project(tmp_path, P))
        assert {dataset: set(found) for dataset, found in imported.datasets.items()} == {
            dataset: set(found) for dataset, found in stated.datasets.items()
        }
        assert {name: set(found) for name, found in imported.authorized.items()} == {
            name: set(found) for name, found in stated.authorized.items()
        }
        assert imported.row_policies == stated.row_policies
        assert json.loads(rows.read_text()) == ROWS
        assert [(tag.readers, tag.masked) for tag in imported.policy_tags.values()] == [
            (tag.readers, tag.masked) for tag in stated.policy_tags.values()
        ]
        assert run("plan", "--exit-code").stdout == "Nothing to change: the access lists are what iam/ says.\n"
        assert run("drift").exit_code == 0
        again = json.loads(CliRunner().invoke(noren, words, catch_exceptions=False).stdout)
        assert again["written"] == []
    finally:
        rows.parent.mkdir(exist_ok=True)
        rows.write_text("[]")
        assert run("apply").exit_code == 0
        assert Live(admin).row_policies("anonymized__app", "app_event") == {}


def test_drift_tells_row_access_policies_outside_of_the_files(run, admin):
    admin.query_and_wait(
        "CREATE ROW ACCESS POLICY theirs ON anonymized__app.app_event GRANT TO ('user:eve@example.com') "
        "FILTER USING (TRUE)"
    )
    try:
        run("apply")
        what = "row access policy theirs on app_event: TRUE for user:eve@example.com"
        assert run("drift").stdout == f"anonymized__app: outside of the files: {what}\n"
    finally:
        Live(admin).drop_row_policy("anonymized__app", "app_event", "theirs")


@pytest.mark.usefixtures("run")
def test_a_build_in_the_cloud_makes_readers_of_policy_tags_what_the_files_say(catalog, masks):
    done = governed_build(lambda: Result(0, 0.1, None, ()), "production", None, quiet=True)
    assert [str(change) for change in done.changes] == CHANGES
    assert catalog.policies.members(TAG, FINE_GRAINED_READER) == ["group:data-admins@example.com"]
    assert masks.policies.members(MASK, MASKED_READER) == ["group:analysts@example.com"]
