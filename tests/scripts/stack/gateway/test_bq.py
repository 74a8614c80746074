"""The real `bq` client, where it is installed."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.stack.endpoints import Endpoints
from scripts.stack.tokens import Tokens

pytestmark = pytest.mark.skipif(shutil.which("bq") is None, reason="the bq client is not installed")

Bq = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def bq(stack: Endpoints, tmp_path: Path) -> Bq:
    """bq("ana@example.com", "ls"): bq with a configuration of its own and a token of the stack."""

    def run(email: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "CLOUDSDK_CONFIG": str(tmp_path / "gcloud"),
            "CLOUDSDK_AUTH_ACCESS_TOKEN": Tokens(stack.home.root).issue(email),
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        }
        command = ["bq", "--api", stack.gateway, "--project_id", stack.project_id, "--format=json", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    return run


def test_an_analyst_queries_the_warehouse_and_lists_what_is_hers(bq):
    sql = "SELECT user_token FROM warehouse__app.events ORDER BY 1"
    asked = bq("ana@example.com", "query", "--nouse_legacy_sql", sql)
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert json.loads(asked.stdout) == [{"user_token": "t1"}, {"user_token": "t2"}]
    listed = json.loads(bq("ana@example.com", "ls").stdout)
    assert "raw__app" not in {dataset["datasetReference"]["datasetId"] for dataset in listed}


def test_an_analyst_is_refused_raw_in_bigquerys_words(bq):
    asked = bq("ana@example.com", "query", "--nouse_legacy_sql", "SELECT * FROM raw__app.app_event")
    assert asked.returncode == 1
    said = " ".join(asked.stdout.split())
    assert "BigQuery error in query operation: Access Denied: Table noren-" in said
    assert "User does not have permission to query table" in said
