"""dbt-bigquery, unmodified, against the patched emulator: two builds and the documentation."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).with_name("dbt_project")
RUN = """
import sys
from dbt.cli.main import dbtRunner
runner = dbtRunner()
for command in (["build", "--vars", "{hours: 48}"], ["build", "--vars", "{hours: 72}"], ["docs", "generate"]):
    done = runner.invoke([*command, *sys.argv[1:]])
    if not done.success:
        sys.exit(f"{command}: {done.exception or done.result}")
"""


@pytest.fixture(scope="module")
def built(launch: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The emulator and dbt's target directory after both builds. Without `secret`: no gateway stands before it here."""
    home, target = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("target")
    with launch(home, "secret").running() as endpoints:
        paths = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", str(target)]
        done = subprocess.run(
            [sys.executable, "-c", RUN, *paths, "--log-path", str(target)],
            env=os.environ | {"PROBE_ENDPOINT": endpoints.warehouse, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
            capture_output=True,
            text=True,
            timeout=110,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        yield endpoints.warehouse_client(), target


def rows(client: Any, sql: str) -> list[tuple[Any, ...]]:
    return [row.values() for row in client.query_and_wait(sql)]


def test_every_materialization_has_the_rows_of_the_second_build(built: Any) -> None:
    client, _ = built
    counted = "SELECT SUM(events), COUNT(*) FROM probe."
    assert rows(client, "SELECT COUNT(*), COUNT(DISTINCT id) FROM probe.events") == [(72, 72)]
    assert rows(client, "SELECT COUNT(*), COUNT(DISTINCT id) FROM probe.merged") == [(72, 72)]
    assert rows(client, counted + "daily") == [(72, 4)]
    assert rows(client, counted + "replaced") == [(72, 4)]
    assert rows(client, counted + "counted") == [(72, 4)]


def test_the_second_build_was_incremental(built: Any) -> None:
    kinds = [job.statement_type for job in built[0].list_jobs() if job.job_type == "query"]
    assert kinds.count("MERGE") == 1
    assert kinds.count("SCRIPT") == 1


def test_descriptions_labels_partitions_and_clusters_reach_the_tables(built: Any) -> None:
    daily = built[0].get_table("probe.daily")
    assert (daily.description, daily.labels) == ("Events a day, as a table.", {"lane": "pseudonymized"})
    assert {field.name: field.description for field in daily.schema} == {"day": "UTC day.", "events": None}
    assert (daily.time_partitioning.field, daily.clustering_fields) == ("day", ["events"])
    events = built[0].get_table("probe.events")
    assert (events.table_type, events.description) == ("VIEW", "Events as a view.")


def test_the_documentation_has_every_model_and_its_columns(built: Any) -> None:
    catalog = json.loads((built[1] / "catalog.json").read_text())
    columns = {
        name.rpartition(".")[2]: sorted(node["columns"], key=lambda column: node["columns"][column]["index"])
        for name, node in catalog["nodes"].items()
    }
    assert columns == {
        "counted": ["day", "events"],
        "daily": ["day", "events"],
        "events": ["id", "at"],
        "merged": ["id", "at"],
        "replaced": ["day", "events"],
    }
