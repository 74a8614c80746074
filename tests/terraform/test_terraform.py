"""The Terraform tree is formatted, valid and passes its own tests; what it plans is encrypted and granted sparingly.

`terraform` is the fixture of conftest.py: the binary over a copy of the tree.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from dataflow import names
from dataflow.contract import load_contracts
from dataflow.project import Project
from dataflow.schemas import pubsub
from iam.record import place_of_ledgers

ROOT = Path(__file__).parents[2]
BOOTSTRAP = "terraform/bootstrap"
PLATFORM = "terraform/platform"
INGEST = "terraform/ingest"
ROOTS = sorted(str(path.parent.relative_to(ROOT)) for path in (ROOT / "terraform").glob("*/versions.tf"))
TESTED = sorted({str(path.parents[1].relative_to(ROOT)) for path in (ROOT / "terraform").rglob("*.tftest.hcl")})
CONTRACTS = load_contracts(Project(ROOT).contracts)

KEY_OF = {
    "google_artifact_registry_repository": lambda values: values["kms_key_name"],
    "google_bigquery_dataset": lambda values: values["default_encryption_configuration"][0]["kms_key_name"],
    "google_dataflow_flex_template_job": lambda values: values["kms_key_name"],
    "google_pubsub_topic": lambda values: values["kms_key_name"],
    "google_storage_bucket": lambda values: values["encryption"][0]["default_kms_key_name"],
}
"""Resource type -> the key that its data rests under."""

PROJECT_ROLES = {
    "roles/bigquery.jobUser",
    "roles/bigquery.user",
    "roles/compute.viewer",
    "roles/dataflow.developer",
    "roles/dataflow.worker",
}
"""All that may be granted on the whole project: to run queries and to run jobs, never to read data."""

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("terraform"),
]  # the first test may install the providers
every_folder = pytest.mark.parametrize("folder", TESTED)


def test_tree_is_formatted(unready: Any) -> None:
    done = unready.run("terraform", "fmt", "-check", "-recursive", "-no-color")
    assert (done.returncode, done.stdout) == (0, "")


def test_all_roots_are_tested() -> None:
    assert {BOOTSTRAP, PLATFORM, INGEST} == set(ROOTS)
    assert set(ROOTS) < set(TESTED)


@pytest.mark.parametrize("folder", ROOTS)
def test_root_is_valid(terraform: Any, folder: str) -> None:
    terraform.ready(folder)
    answer = json.loads(terraform.run(folder, "validate", "-json").stdout)
    assert answer["diagnostics"] == []


@every_folder
def test_own_tests_pass(terraform: Any, folder: str) -> None:
    result = terraform.test(folder)
    assert result.problems == []
    assert set(result.runs.values()) == {"pass"}
    assert "plan" in result.runs


@every_folder
def test_nothing_is_granted_to_everybody(terraform: Any, folder: str) -> None:
    plan = terraform.test(folder).plan
    assert plan
    assert [item["address"] for item in plan if "allUsers" in str(item) or "allAuthenticatedUsers" in str(item)] == []


@every_folder
def test_everything_at_rest_has_our_key(terraform: Any, folder: str) -> None:
    keys = {
        item["address"]: KEY_OF[item["type"]](item["values"])
        for item in terraform.test(folder).plan
        if item["type"] in KEY_OF
    }
    assert keys
    assert all(key.startswith("projects/noren-test/") for key in keys.values()), keys


@every_folder
def test_grants_on_the_project_open_no_data(terraform: Any, folder: str) -> None:
    result = terraform.test(folder)
    assert {grant["role"] for grant in result.values("google_project_iam_member")} <= PROJECT_ROLES
    assert [
        item["type"] for item in result.plan if "_iam_policy" in item["type"] or "_iam_binding" in item["type"]
    ] == []


def test_terraform_grants_nothing_on_a_dataset(terraform: Any) -> None:
    """access[] has one owner, the access files; Terraform gives each dataset its first entry and then looks away."""
    types = {item["type"] for item in terraform.test(PLATFORM).plan if item["type"].startswith("google_bigquery_")}
    assert types == {"google_bigquery_dataset"}


def test_keys_rotate_every_90_days(terraform: Any) -> None:
    keys = terraform.test(PLATFORM).values("google_kms_crypto_key")
    assert {key["name"] for key in keys} == {"ledger", "messages", "pipeline", "pseudonyms", "warehouse"}
    assert {(key["rotation_period"], key["deletion_policy"]) for key in keys} == {("7776000s", "PREVENT")}


def test_only_the_worker_unwraps_the_pseudonym_keys(terraform: Any) -> None:
    plan = terraform.test(PLATFORM).plan
    users = [
        item["values"]["member"]
        for item in plan
        if item["address"].startswith('module.key["pseudonyms"].google_kms_crypto_key_iam_member')
    ]
    assert users == ["serviceAccount:anonymizer@noren-test.iam.gserviceaccount.com"]


def test_who_applies_access_appends_to_its_ledger_and_changes_no_line_of_it(
    terraform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOREN_LEDGER", raising=False)
    plan = [item for item in terraform.test(PLATFORM).plan if item["address"].startswith("module.ledger.")]
    [bucket] = [item["values"] for item in plan if item["type"] == "google_storage_bucket"]
    assert f"gs://{bucket['name']}" == place_of_ledgers(Project(ROOT, "noren-test"))
    assert bucket["retention_policy"][0]["retention_period"] in (94608000, "94608000")
    assert {(item["values"]["role"], item["values"]["member"]) for item in plan if "_iam_member" in item["type"]} == {
        (f"roles/storage.{role}", "serviceAccount:acl-applier@noren-test.iam.gserviceaccount.com")
        for role in ("objectCreator", "objectViewer")
    }


def test_topics_have_the_names_that_the_pipeline_uses(terraform: Any) -> None:
    topics = {topic["name"] for topic in terraform.test(PLATFORM).values("google_pubsub_topic")}
    named = (names.topic, names.anonymized_topic, names.dead_letter_topic)
    assert topics == {name(stream) for stream in CONTRACTS for name in named}


def test_subscriptions_have_the_names_that_the_pipeline_uses(terraform: Any) -> None:
    subscriptions = {item["name"] for item in terraform.test(PLATFORM).values("google_pubsub_subscription")}
    assert subscriptions == {
        name(stream) for stream in CONTRACTS for name in (names.subscription, names.dead_letter_topic)
    }


def test_schemas_are_those_of_contract_and_policy(terraform: Any) -> None:
    planned = {item["name"]: item["definition"] for item in terraform.test(PLATFORM).values("google_pubsub_schema")}
    assert planned == {path.stem: text for path, text in pubsub.files(Project(ROOT)).items()}


def test_every_stream_writes_into_datasets_that_exist(terraform: Any) -> None:
    datasets = {item["dataset_id"] for item in terraform.test(PLATFORM).values("google_bigquery_dataset")}
    written = {name(contract.domain) for contract in CONTRACTS.values() for name in (names.raw, names.anonymized)}
    assert written | {names.DEAD_LETTERS[0], names.UNKNOWN_FIELDS[0]} <= datasets


def test_there_is_a_job_for_every_stream(terraform: Any) -> None:
    jobs = terraform.test(INGEST).values("google_dataflow_flex_template_job")
    assert {job["parameters"]["stream"]: job["name"] for job in jobs} == {
        stream: names.subscription(stream) for stream in CONTRACTS
    }
