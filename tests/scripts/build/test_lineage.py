"""The repository's own models, compiled by real dbt without a connection, and what noren lineage says of them."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dataflow.errors import NorenError
from dataflow.project import Project
from iam.engine import TableName, from_dbt
from scripts.build import digest
from scripts.build.lineage import lineage_of
from scripts.build.manifest import manifest_of
from scripts.cli.acl.diff import diff_command
from scripts.cli.acl.explain import relations
from scripts.cli.lineage import lineage as command

ROOT = Path(__file__).parents[3]
INCREMENTAL = """{{ config(materialized='incremental') }}
select page_name as told from {{ ref('events') }}
{% if is_incremental() %}
union all select user_id from {{ ref('events') }} where event_time > (select max(told) from {{ this }})
{% endif %}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The repository's files in a git repository of their own, compiled once."""
    root = tmp_path_factory.mktemp("project")
    for folder in ("dataflow/contracts", "dbt", "iam"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    shutil.copy(ROOT / "dataflow" / "policy.yaml", root / "dataflow")
    for arguments in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"],
    ):
        subprocess.run(["git", *arguments], cwd=root, check=True)
    lineage_of(Project(root))
    return Project(root)


@pytest.fixture
def here(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.chdir(project.root)
    yield project
    subprocess.run(["git", "checkout", "-q", "."], cwd=project.root, check=True)


def noren(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_the_repositorys_models_are_proved(here: Project) -> None:
    result = noren("--check")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("proved: ")


def test_a_column_down_to_its_contract(here: Project) -> None:
    assert noren("daily_active_users.users", "--no-html").stdout.splitlines()[:5] == [
        "marts__product.daily_active_users (view, dbt/models/marts/product/daily_active_users.sql)",
        "  users: count",
        "    <- warehouse__app.events.user_id, counted",
        "       <- anonymized__app.app_event.user_id",
        "          = app_event.user_id (identifier), token",
    ]


def test_json_names_origins_and_what_decides(here: Project) -> None:
    [told] = json.loads(noren("marts__product.top_screens", "--json").stdout)
    assert told["columns"][0]["origins"] == [
        {
            "field": "app_event.timestamp",
            "classification": "quasi_identifier",
            "method": "truncate_time (unit minute: times to the minute)",
            "passage": "derived",
        }
    ]
    assert {"column": "warehouse__app.events.event_type", "how": ["filter"]} in told["influences"]


def test_the_graph_needs_no_network_and_holds_no_sql(here: Project, tmp_path: Path) -> None:
    file = tmp_path / "graph.html"
    assert noren("--html", str(file)).exit_code == 0
    text = file.read_text()
    assert "default-src 'none'" in text
    assert "checkins_by_area_hour" in text
    assert not [
        word
        for word in ("http://", "https://", "select\\n", "group by")
        if word in text.replace("http://www.w3.org/2000/svg", "")
    ]


def test_what_did_not_change_is_not_compiled_again(here: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.build.offline._run", None)
    assert lineage_of(here).relations()
    then = lineage_of(here, revision=(here, "HEAD"))
    assert then.relations() == lineage_of(here).relations()


def test_caches_hold_no_sql(here: Project) -> None:
    files = list((here.state / "cache" / "lineage").iterdir())
    assert len(files) == 3  # flows, models, origins
    assert not [file for file in files if b"= 'page_view'" in file.read_bytes()]  # a literal of top_screens


def test_what_dbt_made_and_git_has_makes_no_other_models(here: Project) -> None:
    made = here.dbt / "target" / "manifest.json"
    made.parent.mkdir(exist_ok=True)
    made.write_text("{}")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "add", "-f", "dbt/target"], cwd=here.root, check=True)
    subprocess.run([*git, "commit", "-qm", "made"], cwd=here.root, check=True)
    described = digest.described(here)
    assert digest.models(here, (here, "HEAD"), described) == digest.models(here, None, described)


def test_lint_asks_dbt_for_nothing_that_lineage_compiled(here: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.build.offline._run", None)
    known = from_dbt(manifest_of(here))
    assert {f"{name.project}.{name.dataset}.{name.table}" for name in known} >= set(lineage_of(here).relations())
    assert not [file for file in (here.state / "cache" / "manifest").iterdir() if "page_view" in file.read_text()]


def test_lint_of_models_that_changed_leaves_the_work_tree_alone(here: Project) -> None:
    file = here.dbt / "models" / "marts" / "product" / "more.sql"
    file.write_text("select user_id from {{ ref('events') }}")
    (here.dbt / "models" / "staging" / "sources.yml").unlink()
    said: list[str] = []
    try:
        known = from_dbt(manifest_of(here, said.append))
    finally:
        file.unlink()
    assert said == ["dbt parses the models"]
    more = known[TableName(here.id, "marts__product", "more")]
    assert [read.table for read in more.reads] == ["events"]
    assert not (here.dbt / "models" / "staging" / "sources.yml").exists()


def test_explain_counts_the_columns_that_a_view_mentions(here: Project) -> None:
    """A policy tag on another column of the same table keeps nobody from the view."""
    seen = relations(here, None)
    dau = seen[TableName(here.id, "marts__product", "daily_active_users")]
    assert dau.reads == {TableName(here.id, "warehouse__app", "events")}
    [(source, columns)] = dau.touches.items()
    assert source.table == "events"
    assert "user_id" in columns
    assert "page_name" not in columns


def test_models_are_not_written_to(here: Project) -> None:
    status = subprocess.run(["git", "status", "--porcelain", "dbt"], cwd=here.root, capture_output=True, check=True)
    assert status.stdout == b""


def test_a_model_that_lies_fails_the_check_with_its_line(here: Project) -> None:
    mart = here.dbt / "models" / "marts" / "product" / "daily_active_users.sql"
    mart.write_text(mart.read_text().replace("count(distinct user_id) as users", "min(user_id) as users"))
    asks = here.dbt / "models" / "marts" / "product" / "top_screens.sql"
    asks.write_text("{{ config(materialized='incremental') }}\n{% set x = run_query('select 1') %}" + asks.read_text())
    result = noren("--check")
    assert result.exit_code == 1
    assert isinstance(result.exception, NorenError)
    assert "dbt cannot compile the models" in str(result.exception)
    assert "top_screens" in str(result.exception)
    asks.write_text("select 1 as one")
    assert noren("--check").stdout.splitlines() == [
        "dbt/models/marts/product/product.yml:20: marts__product.daily_active_users.users is declared count, and "
        "carries pseudonym, from app_event.user_id (identifier), token."
    ]


def test_the_second_run_of_an_incremental_model_counts_too(here: Project) -> None:
    file = here.dbt / "models" / "marts" / "product" / "told.sql"
    file.write_text(INCREMENTAL)
    try:
        found = lineage_of(here)
    finally:
        file.unlink()
    assert found.columns("noren-local.marts__product.told") == {"told": "pseudonym"}


def test_a_pull_request_in_people_and_columns_with_its_gate(here: Project, tmp_path: Path) -> None:
    grants = here.iam / "datasets" / "marts__product.json"
    grants.write_text(grants.read_text().replace('"business@example.com"', '"data-protection@example.com"'))
    review = {
        "id": 1,
        "user": {"login": "dpo", "type": "User"},
        "state": "APPROVED",
        "author_association": "MEMBER",
        "commit_id": "c",
    }
    (tmp_path / "reviews.json").write_text(json.dumps([review]))
    shut = CliRunner().invoke(diff_command, ["HEAD", "--gate", "--json"])
    assert shut.exit_code == 3
    told = json.loads(shut.stdout)
    assert {(reading["who"], reading["gained"]) for reading in told["readings"]} == {
        ("data-protection@example.com", True),
        ("business@example.com", False),
    }
    assert told["readings"][0]["why"] == "iam/datasets/marts__product.json:5"
    by = ["--author", "ana", "--reviews", str(tmp_path / "reviews.json")]
    assert CliRunner().invoke(diff_command, ["HEAD", *by, "--head", "c"]).exit_code == 0
    assert CliRunner().invoke(diff_command, ["HEAD", *by, "--head", "d"]).exit_code == 3
    assert CliRunner().invoke(diff_command, ["HEAD"]).exit_code == 0


def test_a_base_that_is_none_is_one_sentence(here: Project) -> None:
    result = CliRunner().invoke(diff_command, ["nothing"])
    assert isinstance(result.exception, NorenError)
    assert "is no file, no directory and no git revision" in str(result.exception)
