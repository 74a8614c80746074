"""One emulator and one gateway for all tests of this folder, with the project's own access files applied."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.cloud import bigquery

from dataflow.project import Project
from iam.apply import apply
from iam.files import AccessFiles, load
from scripts.stack import services
from scripts.stack.callers import caller_client
from scripts.stack.endpoints import Endpoints
from scripts.stack.supervisor import Stack
from scripts.stack.tokens import Tokens

PROJECT = "noren-test"
DBT = f"dbt@{PROJECT}.iam.gserviceaccount.com"

As = Callable[[str], bigquery.Client]

TABLES = {
    "raw__app.app_event": "user_id STRING, secret STRING",
    "anonymized__app.app_event": "user_token STRING, day DATE",
    "anonymized__places.checkin": "user_token STRING, area STRING",
    "dead_letter.events": "reason STRING",
    "operations.metrics": "name STRING, value INT64",
}
VIEWS = {
    "warehouse__app.events": "SELECT * FROM `{p}`.anonymized__app.app_event",
    "warehouse__app.sessions": "SELECT user_token, count(*) AS events FROM `{p}.warehouse__app.events` GROUP BY 1",
    "warehouse__places.checkins": "SELECT * FROM `{p}`.`anonymized__places`.`checkin`",
    "marts__product.daily_active_users": (
        "SELECT day, count(DISTINCT user_token) AS users FROM warehouse__app.events GROUP BY 1"
    ),
    "marts__product.monthly_active_users": "SELECT DATE_TRUNC(day, MONTH) AS month FROM warehouse__app.events",
    "marts__product.top_screens": "SELECT user_token FROM warehouse__app.events",
    "marts__places.checkins_by_area_hour": "SELECT area, count(*) AS n FROM warehouse__places.checkins GROUP BY area",
}


@pytest.fixture(scope="session")
def files() -> AccessFiles:
    """The repository's own access files, for the project of the tests."""
    return load(replace(Project.find(Path(__file__)), id=PROJECT))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, files: AccessFiles) -> Iterator[Endpoints]:
    """Emulator and gateway, with tables, views and access lists as after a demo."""
    wanted = [service for service in services.SERVICES if service.name in ("warehouse", "gateway")]
    with Stack(tmp_path_factory.mktemp("home"), PROJECT, wanted, free_ports=True).running() as endpoints:
        admin = endpoints.warehouse_client()
        apply(admin, files, grants_only=True)
        for name, columns in TABLES.items():
            admin.query(f"CREATE TABLE {name} ({columns})").result()
        admin.query("INSERT INTO raw__app.app_event VALUES ('ada', 'hush'), ('bo', 'hush')").result()
        admin.query("INSERT INTO anonymized__app.app_event VALUES ('t1', '2026-01-02'), ('t2', '2026-01-02')").result()
        admin.query("INSERT INTO anonymized__places.checkin VALUES ('t1', '35.6,139.7')").result()
        for name, query in VIEWS.items():
            admin.query(f"CREATE VIEW {name} AS {query.format(p=PROJECT)}").result()
        apply(admin, files)
        yield endpoints


@pytest.fixture(scope="session")
def as_(stack: Endpoints) -> As:
    """as_("ana@example.com"): a client of google-cloud-bigquery that asks as her."""
    clients: dict[str, bigquery.Client] = {}

    def client(email: str) -> bigquery.Client:
        if email not in clients:
            clients[email] = caller_client(stack, email)
        return clients[email]

    return client


@pytest.fixture(scope="session")
def admin(stack: Endpoints) -> bigquery.Client:
    """Straight to the emulator, around the gateway."""
    return stack.warehouse_client()


@pytest.fixture(scope="session")
def call(stack: Endpoints) -> Callable[..., httpx.Response]:
    """call("ana@example.com", "GET", "/datasets"): one request below /bigquery/v2/projects/PROJECT."""
    tokens = Tokens(stack.home.root)

    def request(email: str, method: str, where: str, **arguments: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {tokens.issue(email)}", **arguments.pop("headers", {})}
        base = arguments.pop("base", f"/bigquery/v2/projects/{PROJECT}")
        return httpx.request(method, f"{stack.gateway}{base}{where}", headers=headers, trust_env=False, **arguments)

    return request
