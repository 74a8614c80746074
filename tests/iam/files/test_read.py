"""The loader: what the repository has, and one clear sentence for each mistake."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from dataflow.errors import NorenError
from dataflow.project import Project
from iam.entries import MEMBER_KINDS, Entry
from iam.files import load, read_entries
from iam.files import read as read_all

REPOSITORY = Project.find(Path(__file__))
WHERE = "iam/datasets/x.json"
READER = {"role": "READER", "groupByEmail": "a@x.com"}
VIEW = {"view": {"projectId": "p", "datasetId": "d", "tableId": "t"}}


@pytest.fixture
def copy(tmp_path: Path) -> Project:
    """The repository's access files, to be spoiled."""
    shutil.copytree(REPOSITORY.iam, tmp_path / "iam", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return Project(tmp_path, "noren-test")


def read(*entries: object) -> tuple[Entry, ...]:
    return read_entries(json.dumps(entries), WHERE, "noren-test")


def test_the_repository_has_a_file_for_each_dataset():
    files = load(REPOSITORY)
    assert set(files.datasets) == {
        "raw__app",
        "raw__places",
        "anonymized__app",
        "anonymized__places",
        "warehouse__app",
        "warehouse__places",
        "marts__product",
        "marts__places",
        "dead_letter",
        "operations",
    }


def test_people_come_by_groups_only_and_service_identities_are_declared():
    files = load(REPOSITORY)
    declared = {principal.email for principal in files.principals if principal.active}
    for dataset, entries in files.datasets.items():
        for entry in entries:
            known = entry.subject in (files.groups if entry.kind == "groupByEmail" else declared)
            assert (dataset, str(entry), known) == (dataset, str(entry), True)


def test_each_layer_is_granted_to_the_kinds_of_groups_that_it_names():
    files = load(REPOSITORY)
    for dataset, entries in files.datasets.items():
        kinds = {files.groups.get(entry.subject).kind for entry in entries if entry.kind == "groupByEmail"}
        assert (dataset, kinds - set(files.layers.of(dataset).groups)) == (dataset, set())


def test_dbt_owns_nothing_and_neither_reads_nor_writes_raw():
    files = load(REPOSITORY)
    dbt = f"dbt@{files.project}.iam.gserviceaccount.com"
    roles = {name: entry.role for name, es in files.datasets.items() for entry in es if entry.subject == dbt}
    viewer, editor = "roles/bigquery.dataViewer", "roles/bigquery.dataEditor"
    assert roles == {
        "anonymized__app": viewer,
        "anonymized__places": viewer,
        "warehouse__app": editor,
        "warehouse__places": editor,
        "marts__product": editor,
        "marts__places": editor,
    }


def test_the_project_is_substituted():
    text = json.dumps([{"role": "OWNER", "userByEmail": "acl@${project}.iam.gserviceaccount.com"}])
    [entry] = read_entries(text, WHERE, "my-project")
    assert entry.subject == "acl@my-project.iam.gserviceaccount.com"


def test_files_of_this_shape_from_other_teams_load_unchanged():
    text = '[{"role": "WRITER", "groupByEmail": "dev-admin@example.com"}]'
    assert [entry.role for entry in read_entries(text, WHERE, "p")] == ["roles/bigquery.dataEditor"]
    text = '[{"view": {"projectId": "p", "datasetId": "dwh__evt", "tableId": "event"}}]'
    assert [str(entry) for entry in read_entries(text, WHERE, "p")] == ["view p.dwh__evt.event"]


MISTAKES = {
    "unknown key": (
        [{"role": "READER", "grupByEmail": "a@x.com"}],
        "entry 1: unknown key 'grupByEmail': did you mean 'groupByEmail'?",
    ),
    "two members": ([{**READER, "domain": "x.com"}], "entry 1: needs exactly one of"),
    "no member": ([{"role": "READER"}], "it has none"),
    "no role": ([{"groupByEmail": "a@x.com"}], "role must be READER, WRITER, OWNER or roles/...; it is null"),
    "role of a wrong case": ([{**READER, "role": "reader"}], 'it is "reader"'),
    "no e-mail address": (
        [{"role": "READER", "groupByEmail": "analysts"}],
        'groupByEmail must be an e-mail address; it is "analysts"',
    ),
    "prefix of IAM": ([{"role": "READER", "userByEmail": "user:a@x.com"}], "must be an e-mail address"),
    "special group": ([{"role": "READER", "specialGroup": "everybody"}], "specialGroup must be one of projectOwners"),
    "role of a view": ([{**VIEW, "role": "READER"}], "an authorized view has no role"),
    "view without a table": ([{"view": {"projectId": "p", "datasetId": "d"}}], "'tableId' is missing"),
    "unknown key of a view": ([{"view": {**VIEW["view"], "table": "t"}}], "unknown key 'table'"),
    "target types": (
        [{"dataset": {"dataset": {"projectId": "p", "datasetId": "d"}, "targetTypes": ["TABLES"]}}],
        "targetTypes must list VIEWS, ROUTINES or both",
    ),
    "condition": ([{**READER, "condition": {"expr": "true"}}], "condition: unknown key 'expr'"),
    "the same twice": ([READER, {"role": "READER", "iamMember": "group:A@x.com"}], "entry 2: says the same as entry 1"),
    "no object": (["READER"], "entry 1: must be a JSON object"),
    "unknown variable": ([{"role": "READER", "groupByEmail": "a@${domain}.com"}], "${domain} is not known"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_that_names_file_and_entry(mistake):
    entries, sentence = MISTAKES[mistake]
    with pytest.raises(NorenError) as refused:
        read(*entries)
    assert str(refused.value).startswith(WHERE)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{}", "must be a JSON list"),
        ("[\n{]", ":2: is no JSON"),
        ('[{"role": "READER", "role": "OWNER", "domain": "x.com"}]', "key 'role' is given twice"),
    ],
)
def test_a_file_that_is_no_list_of_entries_is_refused(text, sentence):
    with pytest.raises(NorenError, match=sentence):
        read_entries(text, WHERE, "p")


def test_an_entry_belongs_in_its_own_folder():
    with pytest.raises(NorenError, match="belongs in iam/authorized_views/"):
        read_entries(json.dumps([VIEW]), WHERE, "p", MEMBER_KINDS)


def test_files_of_other_teams_load_beside_ours(copy):
    """No owner, no layer, a source without a file of its own: the lint speaks of it, the loader reads it."""
    (copy.iam / "datasets" / "dwh__evt.json").write_text(
        '[{"role": "WRITER", "groupByEmail": "dev-admin@example.com"}]'
    )
    (copy.iam / "authorized_views" / "web__log.json").write_text(json.dumps([VIEW]))
    files = load(copy)
    assert [str(entry) for entry in files.datasets["dwh__evt"]] == ["WRITER group dev-admin@example.com"]
    assert [str(entry) for entry in files.authorized["web__log"]] == ["view p.d.t"]


def test_an_entry_knows_its_line(copy):
    entry = load(copy).datasets["raw__app"][2]
    assert str(entry.place) == "iam/datasets/raw__app.json:4:3"


def test_every_fault_of_all_files_is_told(copy):
    (copy.iam / "datasets" / "raw__app.json").write_text('[\n  {"role": "RAEDER", "groupByEmail": "a@x.com"},\n  3\n]')
    (copy.iam / "project.json").write_text('[{"rol": "READER", "domain": "x.com"}]')
    _, faults = read_all(copy)
    assert [str(fault) for fault in faults] == [
        'iam/datasets/raw__app.json:2, entry 1: role must be READER, WRITER, OWNER or roles/...; it is "RAEDER": '
        "did you mean 'READER'?",
        "iam/datasets/raw__app.json:3, entry 2: must be a JSON object.",
        "iam/project.json:1, entry 1: unknown key 'rol': did you mean 'role'?",
        "iam/project.json:1, entry 1: role must be READER, WRITER, OWNER or roles/...; it is null.",
    ]
    assert str(faults[0].place) == "iam/datasets/raw__app.json:2:4"


ROW_POLICY = {
    "rowAccessPolicyReference": {
        "projectId": "${project}",
        "datasetId": "anonymized__app",
        "tableId": "app_event",
        "policyId": "japan",
    },
    "filterPredicate": "country = 'JP'",
    "grantees": ["group:Analysts@example.com"],
}


def test_row_access_policies_are_files_of_their_dataset(copy):
    (copy.iam / "row_access_policies").mkdir(exist_ok=True)
    (copy.iam / "row_access_policies" / "anonymized__app.json").write_text(json.dumps([ROW_POLICY]))
    [policy] = load(copy).row_policies
    assert (policy.dataset, policy.table, policy.policy) == ("anonymized__app", "app_event", "japan")
    assert policy.grantees == ("group:analysts@example.com",)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"grantees": ["analysts@example.com"]}, "is no IAM member"),
        ({"filterPredicate": " "}, "must be a GoogleSQL condition"),
        ({"filterPredicat": "TRUE"}, "unknown key 'filterPredicat': did you mean 'filterPredicate'?"),
        (
            {"rowAccessPolicyReference": {**ROW_POLICY["rowAccessPolicyReference"], "datasetId": "raw__app"}},
            "datasetId must be anonymized__app: the file is named for it",
        ),
    ],
)
def test_a_wrong_row_access_policy_is_refused(copy, change, sentence):
    (copy.iam / "row_access_policies").mkdir(exist_ok=True)
    (copy.iam / "row_access_policies" / "anonymized__app.json").write_text(json.dumps([{**ROW_POLICY, **change}]))
    with pytest.raises(NorenError) as refused:
        load(copy)
    assert sentence in str(refused.value)


def test_policy_tags_say_who_reads_in_clear_and_who_through_a_mask(copy):
    tag = {
        "policyTag": "location",
        "description": "Where somebody was.",
        "readers": ["group:data-admins@example.com"],
        "masked": [{"predefinedExpression": "ALWAYS_NULL", "readers": ["group:analysts@example.com"]}],
    }
    (copy.iam / "policy_tags.json").write_text(json.dumps([tag]))
    found = load(copy).policy_tags["location"]
    assert found.readers == ("group:data-admins@example.com",)
    assert found.masked == {"group:analysts@example.com": "ALWAYS_NULL"}
    tag["masked"][0]["predefinedExpression"] = "SHA265"
    (copy.iam / "policy_tags.json").write_text(json.dumps([tag]))
    with pytest.raises(NorenError, match="did you mean 'SHA256'"):
        load(copy)


def test_nobody_reads_a_policy_tag_through_two_masks(copy):
    readers = ["group:analysts@example.com"]
    masked = [{"predefinedExpression": mask, "readers": readers} for mask in ("ALWAYS_NULL", "SHA256")]
    tag = {"policyTag": "location", "description": "Where somebody was.", "readers": [], "masked": masked}
    (copy.iam / "policy_tags.json").write_text(json.dumps([tag]))
    with pytest.raises(NorenError, match=r"group:analysts@example\.com reads the tag through ALWAYS_NULL already"):
        load(copy)


def test_what_was_imported_is_told_with_its_time(copy):
    assert load(copy).imported is None
    grant = {"role": "roles/bigquery.admin", "groupByEmail": "admins@example.com"}
    content = {"at": "2026-01-02T03:04:05Z", "complete": True, "inherited": [grant], "tables": {"raw__app.t": [grant]}}
    (copy.iam / "imported.json").write_text(json.dumps(content))
    imported = load(copy).imported
    assert (imported.at.year, imported.complete) == (2026, True)
    assert [str(entry) for entry in imported.inherited] == ["roles/bigquery.admin group admins@example.com"]
    assert list(imported.tables) == [("raw__app", "t")]


def test_a_file_whose_name_is_no_dataset_is_refused(copy):
    shutil.copy(copy.iam / "datasets" / "raw__app.json", copy.iam / "datasets" / "raw-app.json")
    with pytest.raises(NorenError, match="raw-app cannot be a dataset"):
        load(copy)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("apply: authoritative", "apply: strict", "apply must be authoritative or additive"),
        ("partition_expiry_days: 30", "partition_expiry_days: thirty", "must be a number of days or null"),
        ("location: asia", "lokation: asia", "unknown key 'lokation'"),
        ("    anonymized__places:", "    raw__places:", "the dataset is not of the layer anonymized"),
        ("raw:", "raw: [", "is no valid YAML"),
    ],
)
def test_a_mistake_in_the_layers_is_refused(copy, old, new, sentence):
    layers = copy.iam / "layers.yaml"
    layers.write_text(layers.read_text().replace(old, new, 1))
    with pytest.raises(NorenError, match=sentence):
        load(copy)


def test_a_single_dataset_overrides_its_layer():
    layers = load(REPOSITORY).layers
    assert layers.of("anonymized__app").partition_expiry_days == 395
    assert layers.of("anonymized__places").partition_expiry_days is None
    assert layers.of("anonymized__places").labels == {"layer": "anonymized", "lane": "pseudonymized"}


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("groups.json", [{"group": "a@x.com"}], "entry 1: 'kind' is missing"),
        ("groups.json", [{"group": "a", "kind": "k", "purpose": "p", "owner": "a@x.com"}], '"a" is no e-mail address'),
        (
            "groups.json",
            [{"group": "a@x.com", "kind": "k", "purpose": "p", "owner": "a@x.com", "members": "b@x.com"}],
            "members must be a list",
        ),
        ("principals.json", [{"email": "ada@example.com", "purpose": "p", "active": True}], "is no service account"),
        (
            "principals.json",
            [{"email": "a@p.iam.gserviceaccount.com", "purpose": "p", "active": "yes"}],
            "active must be true or false",
        ),
    ],
)
def test_a_mistake_in_groups_or_principals_is_refused(copy, name, content, sentence):
    (copy.iam / name).write_text(json.dumps(content))
    with pytest.raises(NorenError, match=sentence):
        load(copy)


def test_a_missing_file_is_named(copy):
    (copy.iam / "groups.json").unlink()
    with pytest.raises(NorenError, match=r"iam/groups\.json: cannot be read"):
        load(copy)


def test_a_project_without_grants_of_its_own_has_none(copy):
    (copy.iam / "project.json").unlink()
    assert load(copy).project_grants == ()
    assert load(replace(copy, id="another-one")).project == "another-one"


def test_a_file_that_is_read_twice_is_as_wrong_the_second_time(copy):
    (copy.iam / "datasets" / "operations.json").write_text('[{"role": "READER", "groupByEmial": "a@example.com"}]')
    first, second = read_all(copy)[1], read_all(copy)[1]
    assert first
    assert [str(fault) for fault in first] == [str(fault) for fault in second]
