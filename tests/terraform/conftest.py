"""Terraform itself, on a copy of the tree.

Providers come from the CLI configuration file that NOREN_TF_CLI_CONFIG names (an empty file: from the registry, as for
everybody), else from the schema-only ones of `../shared/tools/tfschema/install`, installed once under
`.noren/env/terraform`.
"""

import fcntl
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
INSTALLER = ROOT.parent / "shared" / "tools" / "tfschema" / "install"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "xdist_group(name): one worker runs them all, and so initializes once")


@dataclass(frozen=True)
class Result:
    """What `terraform test` said in one folder.

    runs: run -> pass, fail, error or skip.
    problems: what went wrong, in its own words.
    plan: planned resources of the run `plan`: type, address and known values under `values`.
    """

    runs: dict[str, str]
    problems: list[str]
    plan: list[dict[str, Any]]

    def values(self, *types: str) -> list[dict[str, Any]]:
        return [resource["values"] for resource in self.plan if resource["type"] in types]


class Terraform:
    """The terraform binary over one copy of the repository's tree."""

    def __init__(self, tree: Path, environment: dict[str, str]) -> None:
        self.tree = tree
        self.environment = environment
        self._results: dict[str, Result] = {}

    def run(self, folder: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["terraform", *arguments],
            cwd=self.tree / folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def ready(self, folder: str) -> None:
        """Initialized: providers linked, no backend."""
        if not (self.tree / folder / ".terraform").exists():
            done = self.run(folder, "init", "-backend=false", "-input=false", "-no-color")
            assert done.returncode == 0, done.stderr

    def test(self, folder: str) -> Result:
        """`terraform test` of one folder, once."""
        if folder not in self._results:
            self.ready(folder)
            self._results[folder] = _read(self.run(folder, "test", "-json", "-verbose").stdout)
        return self._results[folder]


def _read(output: str) -> Result:
    runs: dict[str, str] = {}
    problems: list[str] = []
    plan: list[dict[str, Any]] = []
    for line in output.splitlines():
        if '"type":"test_plan"' in line and '"@testrun":"plan"' not in line:
            continue  # 9 MB of schemas in each
        event = json.loads(line)
        if event["type"] == "test_run" and event["test_run"]["progress"] == "complete":
            runs[event["test_run"]["run"]] = event["test_run"]["status"]
        elif event["type"] == "diagnostic":
            problems.append(f"{event.get('@testrun', 'all runs')}: {event['@message']}")
        elif event["type"] == "test_plan":
            plan = [
                {"address": change["address"], "type": change["type"], "values": change["change"]["after"]}
                for change in event["test_plan"]["resource_changes"]
                if change["mode"] == "managed"
            ]
    return Result(runs, problems, plan)


@pytest.fixture(scope="session")
def unready(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Terraform without providers: it can format."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not on PATH: install 1.11 or newer to test terraform/")
    tree = tmp_path_factory.mktemp("tree")
    ours = shutil.ignore_patterns(".terraform*", "*.tfstate*", "__pycache__")
    for folder in ("terraform", "dataflow/contracts", "iam"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=ours)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TF_", "GOOGLE_"))}
    return Terraform(tree, kept | {"CHECKPOINT_DISABLE": "1"})


@pytest.fixture(scope="session")
def terraform(unready: Terraform) -> Terraform:
    """Terraform with providers: it can validate, plan and test."""
    unready.environment["TF_CLI_CONFIG_FILE"] = str(_providers())
    return unready


def _providers() -> Path:
    """The CLI configuration file that tells terraform where its providers are."""
    if given := os.environ.get("NOREN_TF_CLI_CONFIG"):
        return Path(given)
    if not INSTALLER.exists():
        pytest.skip("no Terraform providers: name a CLI configuration file in NOREN_TF_CLI_CONFIG")
    folder = ROOT / ".noren" / "env" / "terraform"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run([INSTALLER, folder], capture_output=True, text=True, timeout=280, check=False)
    if done.returncode != 0:
        pytest.skip(f"the Terraform provider schemas could not be installed: {done.stderr.strip().splitlines()[-1]}")
    return folder / "tfrc"
