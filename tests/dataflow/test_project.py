"""The project of the current directory, and the names of what it has."""

from pathlib import Path

import pytest

from dataflow import names
from dataflow.errors import NorenError
from dataflow.project import LOCAL_PROJECT_ID, Project


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "dataflow").mkdir()
    (tmp_path / "dataflow" / "policy.yaml").touch()
    (tmp_path / "dbt" / "models").mkdir(parents=True)
    return tmp_path.resolve()


def test_it_is_found_from_any_directory_below_its_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOREN_PROJECT", raising=False)
    monkeypatch.chdir(root / "dbt" / "models")
    assert Project.find() == Project.find(root) == Project(root, LOCAL_PROJECT_ID)


def test_the_environment_names_the_cloud_project(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOREN_PROJECT", "company-data")
    assert Project.find(root).id == "company-data"


def test_outside_of_a_project_it_says_what_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(NorenError) as refused:
        Project.find(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path.resolve()} is in no Noren project: change to a directory that has dataflow/policy.yaml."
    )


def test_paths_start_at_its_root(root: Path) -> None:
    project = Project(root)
    paths = (project.contracts, project.policy, project.iam, project.dbt, project.state)
    assert [str(path.relative_to(root)) for path in paths] == [
        "dataflow/contracts",
        "dataflow/policy.yaml",
        "iam",
        "dbt",
        ".noren",
    ]


def test_the_local_id_is_one_that_beam_takes() -> None:
    assert 6 <= len(LOCAL_PROJECT_ID) <= 30


def test_names_of_datasets_topics_and_subscriptions() -> None:
    assert (names.raw("app"), names.anonymized("app")) == ("raw__app", "anonymized__app")
    assert [
        name("app_event") for name in (names.topic, names.subscription, names.anonymized_topic, names.dead_letter_topic)
    ] == ["app-event", "app-event-anonymizer", "app-event-anonymized", "app-event-dead-letter"]
