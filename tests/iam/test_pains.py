"""The eighteen pains of others who keep access to BigQuery as code: each has a test of its name here.

Where the pain needs a live dataset, the pipeline or dbt, its test stands beside that part, and this one makes sure that
it is still there. Threads: dbt = dbt-bigquery, tpg = terraform-provider-google.
"""

import ast
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dataflow.errors import NorenError
from dataflow.project import Project
from iam.engine import Action, TableName, decide, from_files
from iam.entries import Entry, entries
from iam.files import AccessFiles, load
from iam.lint import lint
from iam.lockout import may_change
from iam.plan import DatasetPlan, Memory, Settings, difference, plan

REPOSITORY = Project.find(Path(__file__))
TESTS = REPOSITORY.root / "tests"
APPLIER = "acl-applier@noren-test.iam.gserviceaccount.com"
OWNER = {"role": "OWNER", "userByEmail": APPLIER}
READER = {"role": "READER", "groupByEmail": "business@example.com"}
VIEW = {"view": {"projectId": "noren-test", "datasetId": "marts__product", "tableId": "top_screens"}}

Write = Callable[..., AccessFiles]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "iam").mkdir()
    for name in ("groups.json", "principals.json", "project.json", "layers.yaml"):
        shutil.copy(REPOSITORY.iam / name, tmp_path / "iam")
    return Project(tmp_path, "noren-test")


@pytest.fixture
def write(project: Project) -> Write:
    """write({"marts__product": [...]}, {"warehouse__app": [...]}): files, read."""

    def files(datasets: dict[str, list[Any]], authorized: dict[str, list[Any]] | None = None) -> AccessFiles:
        for folder, content in (("datasets", datasets), ("authorized_views", authorized or {})):
            (project.iam / folder).mkdir(exist_ok=True)
            for name, stated in content.items():
                (project.iam / folder / f"{name}.json").write_text(json.dumps(stated))
        return load(project)

    return files


def planned(files: AccessFiles, dataset: str, live: list[Any], **options: Any) -> DatasetPlan:
    memory = options.pop("memory", Memory())
    created = options.pop("created", lambda _: "1")
    return plan(files, dataset, live, created, Settings(**options), memory)


def told(plan: DatasetPlan) -> list[str]:
    return [str(change) for change in plan.changes]


def stands(file: str, *names: str) -> None:
    """The tests of these names are in a file of tests/."""
    found = {node.name for node in ast.parse((TESTS / file).read_text()).body if isinstance(node, ast.FunctionDef)}
    assert set(names) <= found


def test_pain_01_concurrent_grants_fail_with_412_and_leave_views_unauthorized():
    """dbt#126, #266, #267. On the emulator, by two processes, with If-Match."""
    stands(
        "scripts/stack/gateway/test_apply.py",
        "test_two_processes_at_once_end_in_the_files_state",
        "test_writers_with_different_files_lose_no_entry",
    )


def test_pain_02_dataset_updates_are_limited(write):
    """tpg#7224, #19655. One patch for any number of differences, none for no difference."""
    files = write({"marts__product": [OWNER, READER]})
    many = planned(files, "marts__product", [{"role": "OWNER", "domain": f"{n}.com"} for n in range(9)])
    assert len(many.changes) == 11
    assert many.access == [{"role": "OWNER", "userByEmail": APPLIER}, READER]
    assert not planned(files, "marts__product", [OWNER, READER]).differs
    stands("scripts/stack/gateway/test_apply.py", "test_a_second_run_changes_and_sends_nothing")


def test_pain_03_grants_are_never_revoked(write):
    """dbt#576, dbt-adapters#573."""
    files = write({"marts__product": [OWNER]})
    assert told(planned(files, "marts__product", [OWNER, READER])) == [
        "marts__product: - READER group business@example.com"
    ]


def test_pain_04_a_view_that_was_made_again_loses_its_authorization(write):
    """dbt#1189."""
    files = write({"warehouse__app": [OWNER], "marts__product": [OWNER]}, {"warehouse__app": [VIEW]})
    memory = Memory(views={"warehouse__app": {Entry(VIEW).key: "1"}})
    live = [OWNER, VIEW]
    assert not planned(files, "warehouse__app", live, memory=memory).differs
    again = planned(files, "warehouse__app", live, memory=memory, created=lambda _: "2")
    assert told(again) == ["warehouse__app: renewed view noren-test.marts__product.top_screens"]
    assert again.access == [OWNER]
    stands("scripts/stack/gateway/test_apply.py", "test_a_view_that_was_made_again_is_authorized_anew")


def test_pain_05_at_most_2500_authorized_resources(project, write):
    """python-bigquery#1064, dbt#1240."""
    views = [{"view": {**VIEW["view"], "tableId": f"v{n}"}} for n in range(2001)]
    write({"warehouse__app": [OWNER], "marts__product": [OWNER]}, {"warehouse__app": views})
    [finding] = [finding for finding in lint(project) if finding.code == "NRN034"]
    assert "authorize the dataset marts__product as a whole" in finding.suggestion


def test_pain_06_terraform_erases_view_authorizations(project, write):
    """tpg#10156, #11218."""
    write({"marts__product": [OWNER]})
    (project.root / "terraform").mkdir()
    (project.root / "terraform" / "a.tf").write_text('resource "google_bigquery_dataset_iam_binding" "x" {\n}\n')
    assert [finding.code for finding in lint(project)] == ["NRN050"]


def test_pain_07_plans_that_show_differences_where_there_are_none(write):
    """tpg#7486, #7755."""
    files = write({"marts__product": [OWNER, READER]})
    spelled = [
        {"role": "roles/bigquery.dataOwner", "iamMember": f"serviceAccount:{APPLIER}"},
        {"groupByEmail": "Business@Example.com", "role": "roles/bigquery.dataViewer"},
    ]
    assert planned(files, "marts__product", spelled).changes == ()
    stands("iam/test_importing.py", "test_live_lists_become_files_that_load")
    stands("scripts/stack/gateway/test_cloud.py", "test_what_was_imported_leaves_nothing_to_plan_and_no_drift")


def test_pain_08_deleted_members_block_applies(project, write):
    """tpg#7896, #10716."""
    gone = {"role": "READER", "iamMember": "deleted:group:gone@example.com?uid=1"}
    files = write({"marts__product": [OWNER, gone]})
    done = planned(files, "marts__product", [OWNER, gone])
    assert done.access == [OWNER]
    nobody = {"role": "READER", "groupByEmail": "nobody@example.com"}
    write({"marts__product": [OWNER, gone, nobody]})
    assert {finding.code for finding in lint(project)} == {"NRN006", "NRN010"}


def test_pain_09_conditions_and_unknown_fields_get_lost(write):
    """python-bigquery#2217."""
    limited = {**READER, "condition": {"expression": "true", "title": "t"}}
    unknown = {"role": "READER", "newKindOfMember": "x", "more": {"a": [1]}}
    files = write({"marts__product": [OWNER, limited]})
    done = planned(files, "marts__product", [OWNER, limited, unknown, VIEW])
    assert done.access == [OWNER, limited, unknown]


def test_pain_10_authorizing_needs_the_right_to_change_the_source(write):
    """dbt-core#2911. The applier has it, dbt needs it nowhere; who lacks it is told before anything is changed."""
    files = write({"warehouse__app": [OWNER]})
    writer = [Entry({"role": "WRITER", "userByEmail": APPLIER}), Entry({"role": "OWNER", "userByEmail": "x@y.com"})]
    assert not may_change(files, writer, APPLIER)
    assert may_change(files, [Entry(OWNER)], APPLIER)
    unknown_group = [Entry({"role": "OWNER", "groupByEmail": "who@knows.com"})]
    assert may_change(files, unknown_group, APPLIER)
    stands("scripts/stack/gateway/test_apply.py", "test_an_applier_that_may_not_change_a_source_is_told_before")


def test_pain_11_a_view_and_its_dataset_depend_on_each_other(write):
    """tpg#2686, bqva#1. Grants, then the build, then authorizations: each phase can be run at any time."""
    files = write({"warehouse__app": [OWNER], "marts__product": [OWNER]}, {"warehouse__app": [VIEW]})
    assert planned(files, "warehouse__app", [OWNER], grants_only=True).changes == ()
    before = planned(files, "warehouse__app", [OWNER], created=lambda _: None)
    assert [change.action for change in before.changes] == ["skip"]
    assert not before.differs
    assert planned(files, "warehouse__app", [OWNER]).access == [OWNER, VIEW]
    stands("scripts/stack/gateway/test_apply.py", "test_a_kill_between_grants_and_views_heals_on_the_next_run")


def test_pain_12_policy_tags_go_missing():
    """dbt-adapters#1338, dbt-core#3304, fabric#1532. They are given back; the check after the build fails closed."""
    stands(
        "scripts/stack/gateway/test_governed.py",
        "test_a_view_that_lost_a_policy_tag_gets_it_back_before_it_is_authorized",
        "test_a_view_without_the_column_of_a_policy_tag_is_authorized_nowhere",
    )


def test_pain_13_access_files_are_misread(project, write):
    """bigquery-etl PR#8136, PR#9462, PR#3363."""
    with pytest.raises(NorenError, match="unknown key 'conditoin'"):
        write({"marts__product": [OWNER, {**READER, "conditoin": {}}]})
    write({"marts__product": [OWNER], "warehouse__app": [OWNER, READER]})
    assert [finding.code for finding in lint(project)] == ["NRN022"]


def test_pain_14_who_has_access():
    """JupiterOne/integrations#17, steampipe-plugin-gcp#176. Both directions, with files and lines."""
    files = load(REPOSITORY)
    here = from_files(files)
    table = TableName(files.project, "marts__product", "top_screens")
    who = {
        member
        for group in files.groups
        for member in group.members
        if decide(here, member, Action.QUERY, table, at=datetime.now(UTC)).allowed
    }
    assert who == {"ada@example.com", "ana@example.com", "bo@example.com", "eng@example.com"}
    decision = decide(here, "bo@example.com", Action.QUERY, table)
    assert any("iam/datasets/marts__product.json" in str(reason) for reason in decision.reasons)


def test_pain_15_authoritative_or_additive_by_dataset(project, write):
    """snowflake provider#4512."""
    live = entries([OWNER, READER])
    assert difference(live, entries([OWNER]), authoritative=True)[1] == (Entry(READER),)
    assert difference(live, entries([OWNER]), authoritative=False)[1] == ()
    assert difference(live, entries([OWNER]), authoritative=False, ours={Entry(READER).key})[1] == (Entry(READER),)
    layers = (REPOSITORY.iam / "layers.yaml").read_text()
    one = "  apply: authoritative\n  datasets: {marts__product: {apply: additive}}\n\ndead_letter:"
    (project.iam / "layers.yaml").write_text(layers.replace("  apply: authoritative\n\ndead_letter:", one))
    files = write({"marts__product": [OWNER], "marts__places": [OWNER]})
    assert told(planned(files, "marts__product", [OWNER, READER])) == []
    assert told(planned(files, "marts__places", [OWNER, READER])) == [
        "marts__places: - READER group business@example.com"
    ]


def test_pain_16_dead_letters():
    """DataflowTemplates#7, #287; gcp-ingestion#560, #1096: an error never stops the job, a replay has the original
    attributes, no value stands in an error's text."""
    stands("dataflow/dead_letters/test_envelope.py", "test_with_the_key_data_and_all_attributes_come_back")
    stands(
        "scripts/cli/test_run_on_servers.py",
        "test_each_dead_letter_has_reason_and_field_and_opens_with_the_key",
        "test_no_value_stands_in_a_dead_letter_or_behind_the_curtain",
    )
    stands(
        "scripts/cli/dlq/test_dlq_on_servers.py",
        "test_after_the_contract_is_mended_the_replayed_rows_land_and_a_second_run_changes_nothing",
    )


def test_pain_17_pipelines_write_nothing_or_twice():
    """beam#28168, #30973."""
    stands("scripts/cli/test_run_on_servers.py", "test_published_is_raw_and_dead_and_duplicates")
    stands(
        "dataflow/sinks/test_load.py",
        "test_written_twice_is_written_once",
        "test_random_faults_lose_nothing_and_write_nothing_twice",
    )


def test_pain_18_erased_rows_are_resurrected():
    """bigquery-etl PR#6289, #6385, #9683. Cannot occur yet: nothing here erases rows, they expire with their partition,
    and a journal entry that was committed keeps no rows from which a re-run could bring them back. What is erased must
    be kept from coming back by the erasure itself, once there is one."""
    assert not (REPOSITORY.iam / "erasure").exists(), "an erasure needs a test of this pain: point to it here"
