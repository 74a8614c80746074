"""The models, built by dbt through the gateway on the emulator, from rows whose answers can be counted by hand."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from google.api_core.exceptions import Forbidden
from google.cloud import bigquery

from dataflow.contract import load_contracts
from dataflow.policy import load_policy
from dataflow.project import Project
from dataflow.schemas import anonymized_table
from iam.apply import apply
from iam.files import load
from scripts.build.build import build
from scripts.build.process import prepared
from scripts.cli.build import build_command
from scripts.stack import services
from scripts.stack.callers import caller_client
from scripts.stack.endpoints import Endpoints
from scripts.stack.supervisor import Stack
from scripts.stack.warehouse.environment import Environment

ROOT = Path(__file__).parents[2]
MODELS = {
    f"{model['name']}": model
    for file in sorted((ROOT / "dbt" / "models").glob("*/*/*.yml"))
    for model in yaml.safe_load(file.read_text())["models"]
}
DATASETS = ("warehouse__app", "warehouse__places", "marts__product", "marts__places")

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Built:
    """A project of its own, its stack, and what `noren build --tests --json` said of it."""

    project: Project
    stack: Endpoints
    admin: bigquery.Client
    said: dict[str, Any]
    access_before: dict[str, list[Any]]
    files_before: set[Path]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.admin.query_and_wait(sql)]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    root = tmp_path_factory.mktemp("project")
    for folder in ("dataflow/contracts", "dbt", "iam"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    shutil.copy(ROOT / "dataflow" / "policy.yaml", root / "dataflow")
    project = Project(root, "noren-test")
    wanted = [service for service in services.SERVICES if service.name in ("warehouse", "gateway")]
    environment = Environment.of(Project(ROOT).state)
    with Stack(root / "home", project.id, wanted, free_ports=True, environment=environment).running() as stack:
        admin = stack.warehouse_client()
        apply(admin, load(project), grants_only=True)
        fill(admin, project)
        access = {name: admin.get_dataset(name).access_entries for name in DATASETS}
        files = set((root / "dbt").rglob("*"))
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(root)
            result = noren_build("--home", str(stack.home.root), "--tests", "--json")
        assert result.exit_code == 0, result.output
        apply(admin, load(project))
        yield Built(project, stack, admin, json.loads(result.stdout), access, files)


def noren_build(*arguments: str) -> Result:
    return CliRunner().invoke(build_command, arguments)


def fill(admin: bigquery.Client, project: Project) -> None:
    policy = load_policy(project.policy)
    rows = {"app_event": app_events(), "checkin": checkins()}
    for stream, contract in load_contracts(project.contracts).items():
        table = anonymized_table(contract, policy)
        schema = [bigquery.SchemaField.from_api_repr(column) for column in table.bigquery()]
        loading = bigquery.LoadJobConfig(schema=schema)
        admin.load_table_from_json(rows[stream], f"{project.id}.{table.id}", job_config=loading).result()


def row(token: str, time: str, epoch: int, **fields: Any) -> dict[str, Any]:
    own = {"event_token": token, "event_time": time, "receive_time": time, "key_epoch": epoch}
    versions = {"contract_version": "1.0.0", "policy_version": "1.0.0", "batch_id": "b"}
    return own | versions | {"event_id": f"id of {token}", "timestamp": time} | fields


def app_events() -> list[dict[str, Any]]:
    def event(
        token: str, time: str, user: str, session: str, type: str, page: str | None, device: str
    ) -> dict[str, Any]:
        return row(
            token,
            time,
            22,
            event_type=type,
            user_id=user,
            session_id=session,
            device={"type": device, "os_version": "17", "app_version": "3.2"},
            location={"latitude": 35.68, "longitude": 139.77} if type == "location_share" else None,
            properties=None if page is None else {"page_name": page, "button_id": None},
        )

    return [
        # 23:58 to 00:01 in Tokyo, over the end of January
        event("e1", "2024-01-31T14:58:00Z", "ada", "s1", "page_view", "home", "ios"),
        event("e2", "2024-01-31T14:59:00Z", "ada", "s1", "page_view", "map", "ios"),
        event("e3", "2024-01-31T15:01:00Z", "ada", "s1", "location_share", None, "ios"),
        event("e4", "2024-01-31T15:00:00Z", "bo", "s2", "page_view", "home", "android"),
        event("e5", "2024-01-31T15:00:00Z", "bo", "s2", "button_click", "home", "android"),
        event("e6", "2024-02-01T03:00:00Z", "ada", "s3", "page_view", "home", "ios"),
    ]


def checkins() -> list[dict[str, Any]]:
    def checkin(token: str, user: str, time: str, latitude: float) -> dict[str, Any]:
        venue = {"category_id": "c", "category": "Park", "latitude": latitude, "longitude": 139.77}
        return row(token, time, 11, user_id=user, timezone_offset=540, venue=venue)

    return [
        # five people at 18 o'clock in Tokyo, one of them on two days
        *(checkin(f"a{n}", f"person {n}", "2012-04-03T09:00:00Z", 35.7) for n in range(5)),
        checkin("a5", "person 0", "2012-04-04T09:00:00Z", 35.7),
        # four people at 19 o'clock, five check-ins
        *(checkin(f"b{n}", f"person {n % 4}", "2012-04-03T10:00:00Z", 35.7) for n in range(5)),
        # five people elsewhere, on two hours
        *(checkin(f"c{n}", f"person {n}", f"2012-04-03T{9 + n % 2:02}:00:00Z", 35.71) for n in range(5)),
    ]


def test_every_model_and_every_test_is_well(built: Built) -> None:
    by_kind: dict[str, set[str]] = {}
    for node in built.said["nodes"]:
        by_kind.setdefault(node["kind"], set()).add(node["status"])
    assert by_kind == {"view": {"success"}, "test": {"pass"}, "unit_test": {"pass"}}
    assert built.said["exit_code"] == 0
    assert {node["relation"] for node in built.said["nodes"] if node["kind"] == "view"} == {
        "warehouse__app.events",
        "warehouse__app.sessions",
        "warehouse__places.checkins",
        "marts__product.daily_active_users",
        "marts__product.monthly_active_users",
        "marts__product.top_screens",
        "marts__places.checkins_by_area_hour",
    }


def test_each_model_has_a_unit_test(built: Built) -> None:
    tested = {node["relation"].split(".")[-1] for node in built.said["nodes"] if node["kind"] == "view"}
    files = (ROOT / "dbt" / "models").glob("*/*/*.yml")
    assert {test["model"] for file in files for test in yaml.safe_load(file.read_text())["unit_tests"]} == tested


def test_sessions_are_counted_from_their_events(built: Built) -> None:
    columns = (
        "session_id, user_id, start_time, duration_minutes, start_date, events, screens, first_screen, last_screen"
    )
    assert built.rows(f"SELECT {columns}, device_type FROM warehouse__app.sessions ORDER BY 1") == [
        ("s1", "ada", datetime(2024, 1, 31, 14, 58, tzinfo=UTC), 3, date(2024, 1, 31), 3, 2, "home", "map", "ios"),
        ("s2", "bo", datetime(2024, 1, 31, 15, tzinfo=UTC), 0, date(2024, 2, 1), 2, 1, "home", "home", "android"),
        ("s3", "ada", datetime(2024, 2, 1, 3, tzinfo=UTC), 0, date(2024, 2, 1), 1, 1, "home", "home", "ios"),
    ]


def test_days_and_months_are_those_of_tokyo(built: Built) -> None:
    assert built.rows("SELECT * FROM marts__product.daily_active_users ORDER BY 1, 2") == [
        (date(2024, 1, 31), "ios", 1, 1, 2),
        (date(2024, 2, 1), "android", 1, 1, 2),
        (date(2024, 2, 1), "ios", 1, 2, 2),
    ]
    assert built.rows("SELECT * FROM marts__product.monthly_active_users ORDER BY 1") == [
        (date(2024, 1, 1), 1, 1, 2, 1),
        (date(2024, 2, 1), 2, 3, 4, 1),
    ]


def test_top_screens_are_page_views(built: Built) -> None:
    assert built.rows("SELECT * FROM marts__product.top_screens ORDER BY 1, views DESC, 2") == [
        (date(2024, 1, 31), "home", 1, 1),
        (date(2024, 1, 31), "map", 1, 1),
        (date(2024, 2, 1), "home", 2, 2),
    ]


def test_an_area_and_hour_of_fewer_than_five_people_is_not_published(built: Built) -> None:
    assert built.rows("SELECT * FROM marts__places.checkins_by_area_hour") == [("35.70,139.77", 35.7, 139.77, 18, 6, 5)]


def test_no_mart_has_the_token_of_a_person_a_session_or_an_event(built: Built) -> None:
    views = [node["relation"] for node in built.said["nodes"] if node["kind"] == "view"]
    marts = [view for view in views if view.startswith("marts__")]
    assert len(marts) == 4
    columns = {column.name for mart in marts for column in built.admin.get_table(mart).schema}
    assert columns & {"user_id", "session_id", "event_id", "event_token"} == set()


def test_business_users_read_the_marts_and_no_layer_below(built: Built) -> None:
    bo = caller_client(built.stack, "bo@example.com")
    for mart in ("product.daily_active_users", "product.monthly_active_users", "product.top_screens"):
        assert bo.query_and_wait(f"SELECT * FROM marts__{mart}").total_rows > 0
    assert bo.query_and_wait("SELECT * FROM marts__places.checkins_by_area_hour").total_rows == 1
    for below in ("warehouse__app.events", "warehouse__places.checkins", "anonymized__app.app_event"):
        with pytest.raises(Forbidden):
            bo.query_and_wait(f"SELECT * FROM {below}")


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_view_has_the_columns_types_and_descriptions_of_its_yaml(built: Built, name: str) -> None:
    [relation] = [node["relation"] for node in built.said["nodes"] if node["id"] == f"model.noren.{name}"]
    view = built.admin.get_table(relation)
    # The API answers with the types' legacy names.
    names = {"INTEGER": "INT64", "FLOAT": "FLOAT64"}
    found = [
        (column.name, names.get(column.field_type, column.field_type), column.description) for column in view.schema
    ]
    declared = MODELS[name]["columns"]
    assert sorted(found) == sorted((column["name"], column["data_type"], column["description"]) for column in declared)
    assert all(description for _, _, description in found)
    assert view.description.split() == MODELS[name]["description"].split()
    assert view.labels == {"lane": "pseudonymized"}


def test_no_text_calls_the_pseudonymized_lane_anonymous() -> None:
    texts = [file.read_text().lower() for file in (ROOT / "dbt" / "models").rglob("*.*")]
    assert len(texts) > len(MODELS)
    assert not [text for text in texts if "anonymous" in text]


def test_dbt_leaves_access_lists_alone(built: Built) -> None:
    now = {name: built.admin.get_dataset(name).access_entries for name in DATASETS}
    added = {
        name: [entry.entity_type for entry in now[name] if entry not in built.access_before[name]] for name in DATASETS
    }
    # What is new are the authorized views, which the access files brought after the build.
    assert added == {
        "warehouse__app": ["view"] * 4,
        "warehouse__places": ["view"],
        "marts__product": [],
        "marts__places": [],
    }


def test_unit_tests_leave_no_tables(built: Built) -> None:
    kinds = {table.table_type for name in DATASETS for table in built.admin.list_tables(name)}
    assert kinds == {"VIEW"}


def test_nothing_is_written_beside_the_models(built: Built) -> None:
    assert set(built.project.dbt.rglob("*")) == built.files_before
    assert (built.project.state / "dbt" / "local" / "manifest.json").exists()


def test_the_token_is_in_no_file(built: Built) -> None:
    files = [file for file in (built.project.state / "dbt").rglob("*") if file.is_file()]
    assert any(file.name == "dbt.log" for file in files)
    assert not [file for file in files if b"eyJ" in file.read_bytes()]


def test_a_prepared_dbt_builds_what_is_selected(built: Built) -> None:
    with prepared() as process:
        result = build(built.project, home=built.stack.home.root, select=["sessions"], process=process)
    assert [(node.name, node.status) for node in result.nodes] == [("warehouse__app.sessions", "success")]
    assert result.exit_code == 0


def test_a_model_that_fails_is_told_with_bigquerys_words(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = built.project.dbt / "models" / "marts" / "product" / "broken.sql"
    broken.write_text("select no_such_column from {{ ref('events') }}")
    monkeypatch.chdir(built.project.root)
    try:
        result = noren_build("--home", str(built.stack.home.root), "--select", "broken")
    finally:
        broken.unlink()
    assert result.exit_code == 1
    assert "marts__product.broken" in result.stdout
    assert "1 view: 1 error" in result.stdout
    assert "no_such_column" in result.stderr


def test_a_missing_dataset_is_not_made_but_named(built: Built) -> None:
    settings = built.project.dbt / "dbt_project.yml"
    text = settings.read_text()
    settings.write_text(text.replace("+schema: warehouse__places", "+schema: warehouse__nowhere"))
    try:
        result = build(built.project, home=built.stack.home.root, select=["checkins"])
    finally:
        settings.write_text(text)
    assert result.exit_code != 0
    assert "`noren-test`.`warehouse__nowhere` does not exist" in (result.error or "")
    assert "noren acl apply" in (result.error or "")
    assert "warehouse__nowhere" not in {dataset.dataset_id for dataset in built.admin.list_datasets()}
