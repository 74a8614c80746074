"""dbt-bigquery, unmodified, through the gateway as a service identity that may write one dataset and owns none."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud import bigquery

from scripts.stack.endpoints import Endpoints
from scripts.stack.tokens import Tokens

PROBE = Path(__file__).parents[1] / "warehouse" / "dbt_project"
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
def probe(stack: Endpoints, admin: bigquery.Client) -> Iterator[str]:
    """A dataset of the name that the dbt project builds in; dbt may write there."""
    dataset = bigquery.Dataset(f"{stack.project_id}.probe")
    dbt = f"dbt@{stack.project_id}.iam.gserviceaccount.com"
    dataset.access_entries = [
        bigquery.AccessEntry("OWNER", "groupByEmail", "data-admins@example.com"),
        bigquery.AccessEntry("WRITER", "userByEmail", dbt),
    ]
    admin.create_dataset(dataset)
    yield dbt
    admin.delete_dataset(dataset, delete_contents=True)


def test_dbt_builds_every_materialization_twice_and_its_documentation(stack, admin, probe, tmp_path):
    environment = os.environ | {
        "PROBE_ENDPOINT": stack.gateway,
        "PROBE_TOKEN": Tokens(stack.home.root).issue(probe),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    paths = ["--project-dir", str(PROBE), "--profiles-dir", str(PROBE), "--target-path", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *paths, "--log-path", str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    counts = {
        table: next(iter(admin.query(f"SELECT count(*) FROM probe.{table}").result()))[0]
        for table in ("events", "daily", "merged", "replaced", "counted")
    }
    assert counts == {"events": 72, "daily": 4, "merged": 72, "replaced": 4, "counted": 4}
