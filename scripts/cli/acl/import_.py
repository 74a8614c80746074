"""`noren acl import`: the access files of a project that has grown by hand."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from dataflow.project import Project

if TYPE_CHECKING:
    from google.cloud import bigquery

    from iam.policies import Policies

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


@click.command("import", epilog="Example: noren acl import acme-analytics")
@click.argument("project_id", metavar="PROJECT")
@click.option("--overwrite", is_flag=True, help="Replace files that say something else.")
@click.option("--no-project-iam", is_flag=True, help="Datasets only; then no answer of `noren acl explain` is proved.")
@click.option("--no-tables", is_flag=True, help="Leave out grants of single tables: one request each.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written and left out as JSON.")
def import_command(project_id: str, overwrite: bool, no_project_iam: bool, no_tables: bool, as_json: bool) -> None:
    """Write iam/datasets/, iam/authorized_views/ and iam/imported.json from the live PROJECT of Google Cloud.

    It takes application default credentials with bigquery.datasets.get on the datasets and
    resourcemanager.*.getIamPolicy on the project and what is above it. Nothing in the cloud is changed.
    """
    from iam.importing import import_access
    from iam.live import Live

    client, policies = clients(project_id, project_iam=not no_project_iam)
    project = Project(Project.find().root, project_id)

    def say(told: str) -> None:
        click.echo(f"{told} ...", err=True)

    result = import_access(project, Live(client), policies, tables=not no_tables, overwrite=overwrite, say=say)
    if as_json:
        click.echo(json.dumps(asdict(result), indent=2))
        return
    for file in result.written:
        click.echo(f"written {file}")
    for told in result.left_out:
        click.echo(f"left out {told}")
    for what, names in (("groups.json", result.groups), ("principals.json", result.principals)):
        for name in names:
            click.echo(f"not in iam/{what} yet: {name}")
    click.echo(
        f"{len(result.written)} written, {len(result.same)} said so already; next: noren acl lint, noren acl plan"
    )


def clients(project_id: str, *, project_iam: bool) -> "tuple[bigquery.Client, Policies | None]":
    """A client of BigQuery and a reader of IAM policies, with application default credentials."""
    import google.auth
    from google.auth.transport.requests import AuthorizedSession

    from dataflow.clients import bigquery_client
    from dataflow.errors import NorenError
    from iam.policies import Policies

    try:
        credentials, _ = google.auth.default(scopes=SCOPES)
    except google.auth.exceptions.DefaultCredentialsError as error:
        raise NorenError(
            "there are no application default credentials: `gcloud auth application-default login`."
        ) from error
    session = AuthorizedSession(credentials)
    return bigquery_client(project_id), Policies(session) if project_iam else None
