"""`noren contract render`: generated files are written, kept, checked and removed."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from dataflow.errors import NorenError
from dataflow.project import Project
from scripts.cli.contract import contract
from scripts.cli.contract.render import COMMITTED, FORMATS

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


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_files_are_what_the_contracts_say(name: str) -> None:
    wanted = FORMATS[name].render(Project(ROOT))
    owned = FORMATS[name].owns
    assert owned is not None
    present = {path.relative_to(ROOT): path.read_text() for path in ROOT.glob(owned)}
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


def test_without_a_format_everything_committed_is_written(project: Path) -> None:
    run()
    assert (project / "dataflow/contracts/DICTIONARY.md").exists()
    assert (project / "dbt/models/staging/sources.yml").exists()
    assert not list(project.rglob("*.avsc"))


def test_a_format_that_is_printed_only_says_so(project: Path) -> None:
    result = CliRunner().invoke(contract, ["render", "avro"])
    assert result.exit_code == 2
    assert "avro: printed only; add --stdout." in result.output


def test_one_file_is_printed_as_it_is(project: Path) -> None:
    assert json.loads(run("avro", "--stdout", "--stream", "checkin"))["name"] == "Checkin"


def test_several_files_are_printed_under_their_names(project: Path) -> None:
    output = run("bigquery", "--stdout", "--stream", "checkin")
    assert [line for line in output.splitlines() if line.startswith("==>")] == [
        "==> raw__places.checkin.json <==",
        "==> anonymized__places.checkin.json <==",
    ]
    raw = json.loads(output.split("<==")[1].split("==>")[0])
    assert [column["name"] for column in raw][-1] == "venue"


def test_a_stream_that_nothing_is_named_for_is_refused(project: Path) -> None:
    with pytest.raises(NorenError, match=r"^avro: no file is named for the stream nothing\.$"):
        run("avro", "--stdout", "--stream", "nothing")
