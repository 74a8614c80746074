"""Where the ledger of access lies, and that another machine with the same place remembers."""

from pathlib import Path

import pytest

from dataflow.errors import NorenError
from dataflow.objects.places import open_objects
from dataflow.project import Project
from iam.entries import Entry
from iam.record import place_of_ledgers, record_of

ENTRY = Entry({"role": "READER", "groupByEmail": "a@example.com"})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("NOREN_LEDGER", raising=False)
    (tmp_path / "iam").mkdir()
    return Project(tmp_path, "our-project")


def test_without_a_file_the_ledger_is_below_the_state_directory(project: Project) -> None:
    assert place_of_ledgers(project) == str(project.state / "ledger" / "our-project")


def test_the_file_names_a_bucket_for_each_environment(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (project.iam / "ledger.yaml").write_text("place: gs://${project}-ledger/noren")
    assert place_of_ledgers(project) == "gs://our-project-ledger/noren"
    monkeypatch.setenv("NOREN_LEDGER", "elsewhere")
    assert place_of_ledgers(project) == str(project.root / "elsewhere")


@pytest.mark.parametrize("text", ["gs://bucket", "place: 1", "place: x\nowner: y", "place: [", ""])
def test_a_file_that_is_wrong_is_one_sentence(project: Project, text: str) -> None:
    (project.iam / "ledger.yaml").write_text(text)
    with pytest.raises(NorenError, match=r"^iam/ledger\.yaml: "):
        place_of_ledgers(project)


def test_a_run_on_another_machine_remembers_what_was_added(project: Project, tmp_path: Path) -> None:
    """Two checkouts, one place: an additive dataset loses what the first added, and nothing else."""
    (project.iam / "ledger.yaml").write_text(f"place: {tmp_path / 'bucket'}")
    record_of(project, open_objects(place_of_ledgers(project))).intended("raw__t", [ENTRY], [])
    other = Project(tmp_path / "other", "our-project")
    other.iam.mkdir(parents=True)
    (other.iam / "ledger.yaml").write_text((project.iam / "ledger.yaml").read_text())
    memory = record_of(other, open_objects(place_of_ledgers(other))).memory()
    assert memory.ours == {"raw__t": frozenset({ENTRY.key})}
