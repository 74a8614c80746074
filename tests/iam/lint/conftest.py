"""The repository's access files, to be spoiled."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dataflow.project import Project
from iam.engine import Kind, Table, TableName
from iam.lint import Finding, lint
from iam.positions import Place

REPOSITORY = Project.find(Path(__file__))
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A copy of the repository's own access files; the lint has nothing to say of them."""
    for folder in ("datasets", "authorized_views"):
        shutil.copytree(REPOSITORY.iam / folder, tmp_path / "iam" / folder)
    for name in ("groups.json", "principals.json", "project.json", "layers.yaml"):
        shutil.copy(REPOSITORY.iam / name, tmp_path / "iam")
    return Project(tmp_path, "noren-test")


@pytest.fixture
def add(project: Project) -> Callable[..., None]:
    """add("datasets/marts__product", {...}): one more entry at the end of a file."""

    def append(file: str, *items: Any) -> None:
        path = project.iam / f"{file}.json"
        content = json.loads(path.read_text()) if path.exists() else []
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps([*content, *items], indent=2))

    return append


@pytest.fixture
def found(project: Project) -> Callable[..., list[Finding]]:
    """found(relations): what the lint says of the spoiled files."""

    def run(relations: dict[TableName, Table] | None = None) -> list[Finding]:
        return lint(project, relations, NOW)

    return run


def view(dataset: str, table: str, *reads: str) -> tuple[TableName, Table]:
    """view("marts__product", "daily", "warehouse__app.events")"""
    name = TableName("noren-test", dataset, table)
    sources = frozenset(TableName("noren-test", *read.split(".")) for read in reads)
    return name, Table(name, Kind.VIEW, sources, place=Place(f"dbt/models/{table}.sql"))


@pytest.fixture
def built() -> dict[TableName, Table]:
    """What dbt builds of the repository's models."""
    events = "warehouse__app.events"
    return dict(
        (
            view("warehouse__app", "events", "anonymized__app.app_event"),
            view("warehouse__app", "sessions", events),
            view("warehouse__places", "checkins", "anonymized__places.checkin"),
            view("marts__product", "daily_active_users", events),
            view("marts__product", "monthly_active_users", events),
            view("marts__product", "top_screens", events),
            view("marts__places", "checkins_by_area_hour", "warehouse__places.checkins"),
        )
    )
