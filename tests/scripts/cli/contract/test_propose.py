"""`noren contract propose` on the emulator: what a running stream counted becomes a patch that applies."""

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dataflow.contract import load_contract
from dataflow.project import Project
from dataflow.schemas import unknown_field_table
from scripts.cli.contract import contract
from scripts.stack import endpoints, services
from scripts.stack.services import Service
from scripts.stack.supervisor import Stack, free_port
from scripts.stack.warehouse.environment import Environment

ROOT = Path(__file__).parents[4]

COUNTED = (
    ("app_event", "device.carrier", "string", 3),
    ("app_event", "device.carrier", "string", 4),
    ("app_event", "<other>", "string", 2),
    ("app_event", "home_address", "string", 1),
    ("gone", "carrier", "string", 9),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a warehouse where nothing was counted yet."""
    home = tmp_path_factory.mktemp("home")
    emulator = Service("warehouse", free_port(), services.warehouse, prepare=services.install_warehouse)
    environment = Environment.of(Project.find(Path(__file__)).state)
    with Stack(home, "noren-test", (emulator,), environment=environment).running():
        yield home


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "dataflow" / "contracts", tmp_path / "dataflow" / "contracts")
    shutil.copy(ROOT / "dataflow" / "policy.yaml", tmp_path / "dataflow")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(home: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(contract, ["propose", "--home", str(home), *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result


@pytest.mark.usefixtures("project")
def test_a_stack_that_counted_nothing_has_nothing_to_propose(home: Path) -> None:
    result = run(home)
    assert (result.stdout, result.stderr) == ("", "no unknown field that can be declared\n")


@pytest.fixture(scope="module")
def counted(home: Path) -> Path:
    """The same home, where COUNTED was counted."""
    client = endpoints.load(home).warehouse_client()
    table = unknown_field_table()
    client.create_dataset(table.dataset)
    from google.cloud import bigquery

    made = client.create_table(bigquery.Table(f"{client.project}.{table.id}", schema=table.bigquery()))
    moment = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
    rows = [
        {"stream": stream, "field": field, "type": kind, "events": events}
        | {"contract_version": "1.0.0", "receive_time": moment, "batch_id": "b"}
        for stream, field, kind, events in COUNTED
    ]
    client.load_table_from_json(rows, made, job_config=bigquery.LoadJobConfig(schema=made.schema)).result()
    return home


def test_the_patch_applies_and_gives_what_write_gives(counted: Path, project: Path) -> None:
    path = project / "dataflow" / "contracts" / "app_event.yaml"
    before = path.read_bytes()
    result = run(counted)
    assert path.read_bytes() == before
    assert "            # counted undeclared in 7 events" in result.stdout
    assert result.stderr.splitlines() == [
        "app_event.<other>: names that may be data themselves (2 events)",
        "app_event: policy.yaml needs, under streams: app_event: fields: home_address: {method: drop}",
    ]
    subprocess.run(["patch", "-p1", "-s"], input=result.stdout.encode(), cwd=project, check=True)
    patched = path.read_bytes()
    path.write_bytes(before)
    assert run(counted, "--write").stdout == result.stdout
    assert path.read_bytes() == patched
    assert load_contract(path).version == "1.1.0"


def test_only_the_stream_that_is_asked_for(counted: Path, project: Path) -> None:
    assert run(counted, "--stream", "checkin").stdout == ""


def test_the_second_time_there_is_nothing_left(counted: Path, project: Path) -> None:
    run(counted, "--write")
    result = run(counted)
    assert result.stdout == ""
    assert result.stderr.endswith("no unknown field that can be declared\n")
