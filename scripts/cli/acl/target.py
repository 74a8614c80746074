"""Which BigQuery a verb speaks to: the gateway of the local stack, as the applier, or BigQuery itself."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dataflow.project import Project

if TYPE_CHECKING:
    from google.cloud import bigquery

APPLIER = "acl-applier"
"""The service identity, in iam/principals.json, that owns every dataset's access list."""


@dataclass(frozen=True)
class Target:
    """client: of google-cloud-bigquery. project: the files, for the project that the client speaks to.

    identity: who the client asks as, where that is known; never empty on the local stack. ledger: directory of the
    ledgers.
    """

    client: "bigquery.Client"
    project: Project
    identity: str | None
    ledger: Path


def options[F: Callable[..., Any]](command: F) -> F:
    """`--home` and `--cloud`."""
    for option in (
        click.option("--cloud", is_flag=True, help="Speak to BigQuery itself, with application default credentials."),
        click.option("--home", type=click.Path(path_type=Path), help="Home of the local stack [.noren/local]."),
    ):
        command = option(command)
    return command


def target(home: Path | None, cloud: bool) -> Target:
    """The target of the options. Raises NorenError when no stack runs there."""
    project = Project.find()
    if cloud:
        from dataflow.clients import bigquery_client

        client = bigquery_client(project.id)
        named = Project(project.root, client.project)
        return Target(client, named, session_user(client), project.state / "ledger" / client.project)
    from scripts.stack.callers import caller_client
    from scripts.stack.endpoints import load

    stack = load((home or project.state / "local").resolve())
    identity = f"{APPLIER}@{stack.project_id}.iam.gserviceaccount.com"
    client = caller_client(stack, identity)
    return Target(client, Project(project.root, stack.project_id), identity, stack.home.root / "ledger")


def session_user(client: "bigquery.Client") -> str | None:
    """Who BigQuery takes the client's credentials for; None when it cannot be asked."""
    from google.api_core.exceptions import GoogleAPICallError

    try:
        return str(next(iter(client.query_and_wait("SELECT SESSION_USER()")))[0])
    except GoogleAPICallError:
        return None
