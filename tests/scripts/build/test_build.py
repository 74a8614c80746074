"""What dbt is told, and with which variables; dbt itself runs in tests/dbt/."""

import os
import shutil
from pathlib import Path

import pytest

from dataflow.errors import NorenError
from dataflow.project import Project
from scripts.build.build import arguments, build, environment_of, render_sources
from scripts.build.process import prepared

ROOT = Path(__file__).parents[3]
SOURCES = Path("dbt/models/staging/sources.yml")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project of the two descriptions alone."""
    shutil.copytree(ROOT / "dataflow" / "contracts", tmp_path / "dataflow" / "contracts")
    shutil.copy(ROOT / "dataflow" / "policy.yaml", tmp_path / "dataflow")
    return Project(tmp_path, "acme-analytics")


def test_a_build_runs_the_models_and_tests_are_asked_for(project: Project) -> None:
    assert "run" in arguments(project, "local", [], tests=False)
    assert "build" in arguments(project, "local", [], tests=True)


def test_unit_tests_make_no_tables_in_production(project: Project) -> None:
    assert "--exclude-resource-type" not in arguments(project, "local", [], tests=True)
    assert arguments(project, "production", [], tests=True)[-2:] == ["--exclude-resource-type", "unit_test"]


def test_a_selection_is_passed_on(project: Project) -> None:
    assert arguments(project, "local", ["events+", "marts"], tests=False)[-3:] == ["--select", "events+", "marts"]
    assert "--select" not in arguments(project, "local", [], tests=False)


def test_dbt_writes_under_the_state_directory_alone(project: Project) -> None:
    command = arguments(project, "production", [], tests=False)
    assert command[command.index("--target-path") + 1] == str(project.state / "dbt" / "production")
    assert command[command.index("--log-path") + 1] == str(project.state / "dbt" / "production" / "logs")


def test_dbt_calls_nobody_at_home(project: Project) -> None:
    assert {"--no-send-anonymous-usage-stats", "--no-version-check"} <= set(arguments(project, "local", [], False))


def test_production_comes_as_dbts_own_identity(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOREN_DBT_SERVICE_ACCOUNT", raising=False)
    assert environment_of(project, "production", None) == {
        "NOREN_PROJECT": "acme-analytics",
        "NOREN_DBT_SERVICE_ACCOUNT": "dbt@acme-analytics.iam.gserviceaccount.com",
    }


def test_production_takes_another_identity_or_none_from_the_environment(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOREN_DBT_SERVICE_ACCOUNT", "")
    assert environment_of(project, "production", None)["NOREN_DBT_SERVICE_ACCOUNT"] == ""


def test_production_needs_a_project(project: Project) -> None:
    with pytest.raises(NorenError, match=r"^NOREN_PROJECT is not set: "):
        build(Project(project.root), "production")


def test_a_local_build_needs_a_running_stack(project: Project) -> None:
    with pytest.raises(NorenError, match=rf"^no stack runs in {project.state}/local: start one with `noren up`\.$"):
        build(project)
    assert not (project.root / SOURCES).exists()


def test_sources_are_written_only_when_they_differ(project: Project) -> None:
    file = project.root / SOURCES
    render_sources(project)
    assert file.read_text() == (ROOT / SOURCES).read_text()
    os.utime(file, (1, 1))
    render_sources(project)
    assert file.stat().st_mtime == 1
    file.write_text("edited")
    render_sources(project)
    assert file.read_text() == (ROOT / SOURCES).read_text()


def test_the_production_target_can_be_parsed(project: Project) -> None:
    """Without a network: parsing opens no connection."""
    environment = {"NOREN_PROJECT": "acme-analytics", "NOREN_DBT_SERVICE_ACCOUNT": "dbt@example.com"}
    place = Project(ROOT, project.id)
    command = arguments(place, "production", [], tests=False)
    command[command.index("run")] = "parse"
    command[command.index("--target-path") + 1] = str(project.state / "target")
    command[command.index("--log-path") + 1] = str(project.state / "logs")
    with prepared() as process:
        result = process.run(command, environment)
    assert (result.exit_code, result.error, result.nodes) == (0, None, ())
