"""`noren contract render`: generated files are written, kept, checked and removed."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from dataflow.errors import NorenError
from dataflow.project import Project
from scripts.cli.contract import contract
from scripts.cli.contract.render import FORMATS

ROOT = Path(__file__).parents[3]
APP_EVENT = Path("terraform/platform/schemas/app-event.proto")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of the two descriptions alone, as the current directory."""
    shutil.copytree(ROOT / "dataflow" / "contracts", tmp_path / "dataflow" / "contracts")
    shutil.copy(ROOT / "dataflow" / "policy.yaml", tmp_path / "dataflow")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(contract, ["render", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_committed_files_are_what_the_contracts_say(name: str) -> None:
    wanted = FORMATS[name].render(Project(ROOT))
    present = {path.relative_to(ROOT): path.read_text() for path in ROOT.glob(FORMATS[name].owns)}
    assert present == wanted, f"run noren contract render {name}"


def test_render_writes_what_is_missing_and_then_nothing(project: Path) -> None:
    assert f"written: {APP_EVENT}" in run("pubsub")
    assert (project / APP_EVENT).read_text() == (ROOT / APP_EVENT).read_text()
    assert run("pubsub") == "up to date\n"


def test_render_removes_the_file_of_a_contract_that_is_gone(project: Path) -> None:
    run("pubsub")
    (project / "dataflow" / "contracts" / "app_event.yaml").unlink()
    assert f"removed: {APP_EVENT}\n" in run("pubsub")
    assert not (project / APP_EVENT).exists()


def test_check_names_the_stale_file_and_leaves_it(project: Path) -> None:
    run("pubsub")
    (project / APP_EVENT).write_text("edited")
    with pytest.raises(NorenError, match=rf"^stale: {APP_EVENT}; run noren contract render"):
        run("pubsub", "--check")
    assert (project / APP_EVENT).read_text() == "edited"
