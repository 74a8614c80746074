"""Build the models of a project: one command for the local stack and for BigQuery."""

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Literal

from dataflow.errors import NorenError
from dataflow.project import LOCAL_PROJECT_ID, Project
from dataflow.schemas import dbt as sources
from scripts.build.process import Node, Process, Result, prepared
from scripts.stack import endpoints
from scripts.stack.tokens import Tokens

type Target = Literal["local", "production"]

TOKEN_LIFETIME = timedelta(hours=1)


def identity(project_id: str) -> str:
    """The service account that dbt comes as: reads anonymized, writes warehouse and marts, administers nothing."""
    return f"dbt@{project_id}.iam.gserviceaccount.com"


def build(
    project: Project,
    target: Target = "local",
    *,
    home: Path | None = None,
    select: Sequence[str] = (),
    tests: bool = False,
    say: Callable[[Node], None] = lambda _: None,
    process: Process | None = None,
) -> Result:
    """Bring the sources file up to date and have dbt build the models.

    target: `local`, the gateway of the stack that runs in `home` (default `.noren/local`), or `production`.
    select: dbt's node selection (https://docs.getdbt.com/reference/node-selection/syntax); all models without it.
    tests: run data tests too, and on the local target the unit tests, which make small tables of their own.
    say: is given each model or test when it is done.
    process: a `prepared()` dbt, which is used up by this call; without it one is loaded now.
    Raises NorenError when no stack runs, a contract is wrong, or dbt cannot be run at all.
    """
    environment = environment_of(project, target, home)
    render_sources(project)
    with prepared() if process is None else nullcontext(process) as dbt:
        return dbt.run(arguments(project, target, select, tests), environment, say)


def render_sources(project: Project) -> None:
    """Write the sources file when it differs from what contracts and policy say; dbt parses again what was written."""
    for path, text in sources.files(project).items():
        file = project.root / path
        if not file.exists() or file.read_text("utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")


def environment_of(project: Project, target: Target, home: Path | None) -> dict[str, str]:
    """The variables that `dbt/profiles.yml` reads."""
    if target == "production":
        if project.id == LOCAL_PROJECT_ID:
            raise NorenError("NOREN_PROJECT is not set: it names the Google Cloud project to build in.")
        account = os.environ.get("NOREN_DBT_SERVICE_ACCOUNT", identity(project.id))
        return {"NOREN_PROJECT": project.id, "NOREN_DBT_SERVICE_ACCOUNT": account}
    stack = endpoints.load((home or project.state / "local").resolve())
    return {
        "NOREN_PROJECT": stack.project_id,
        "NOREN_BIGQUERY": stack.gateway,
        "DBT_ENV_SECRET_NOREN_TOKEN": Tokens(stack.home.root).issue(identity(stack.project_id), TOKEN_LIFETIME),
        # The token must reach the gateway and nobody else: no proxy, and no .netrc entry in its place.
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "NETRC": os.devnull,
    }


def arguments(project: Project, target: Target, select: Sequence[str], tests: bool) -> list[str]:
    """dbt's command line. Its cache, artifacts and log are written to `.noren/dbt/<target>`, nothing to `dbt/`."""
    place = project.state / "dbt" / target
    command = [
        *("--quiet", "--no-use-colors", "--no-version-check", "--no-send-anonymous-usage-stats"),
        *("--log-path", str(place / "logs")),
        "build" if tests else "run",
        *("--project-dir", str(project.dbt), "--profiles-dir", str(project.dbt)),
        *("--target", target, "--target-path", str(place)),
    ]
    if tests and target == "production":
        command += ["--exclude-resource-type", "unit_test"]
    return [*command, "--select", *select] if select else command
