"""`noren acl import`: the access files of a project that has grown by hand."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from dataflow.project import Project

if TYPE_CHECKING:
    from google.cloud import bigquery

    from iam.policies import Policies
    from iam.tags import TagServices

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


@click.command("import", epilog="Example: noren acl import acme-analytics")
@click.argument("project_id", metavar="PROJECT")
@click.option("--overwrite", is_flag=True, help="Replace files that say something else.")
@click.option("--no-project-iam", is_flag=True, help="Datasets only; then no answer of `noren acl explain` is proved.")
@click.option("--no-tables", is_flag=True, help="Leave out grants and row access policies of single tables.")
@click.option("--no-tags", is_flag=True, help="Leave out readers of policy tags: Data Catalog is not asked.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written and left out as JSON.")
def import_command(
    project_id: str, overwrite: bool, no_project_iam: bool, no_tables: bool, no_tags: bool, as_json: bool
) -> None:
    """Write the files of iam/ from the live PROJECT of Google Cloud: who has access to which dataset, view, row and
    column with a policy tag, and in iam/imported.json what is granted on the project, above it and on single tables.

    It takes application default credentials with bigquery.datasets.get on the datasets, getIamPolicy on row access
    policies, policy tags and data policies, and resourcemanager.*.getIamPolicy on the project and what is above it.
    Nothing in the cloud is changed. `noren acl plan --cloud` then says what the files leave out.
    """
    from iam.importing import import_access
    from iam.live import Live

    client, policies, tags = clients(project_id, project_iam=not no_project_iam, tags=not no_tags)
    project = Project(Project.find().root, project_id)

    def say(told: str) -> None:
        click.echo(f"{told} ...", err=True)

    result = import_access(
        project, Live(client), policies, tags=tags, tables=not no_tables, overwrite=overwrite, say=say
    )
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
    click.echo(f"{len(result.written)} written, {len(result.same)} said so already")
    click.echo("next: noren acl lint, noren acl plan --cloud")


def clients(
    project_id: str, *, project_iam: bool, tags: bool
) -> "tuple[bigquery.Client, Policies | None, TagServices | None]":
    """A client of BigQuery, a reader of IAM policies and one of policy tags, with application default credentials."""
    import google.auth
    from google.auth.transport.requests import AuthorizedSession

    from dataflow.clients import bigquery_client
    from dataflow.errors import NorenError
    from iam.policies import Policies
    from scripts.cli.acl.target import tag_services

    try:
        credentials, _ = google.auth.default(scopes=SCOPES)
    except google.auth.exceptions.DefaultCredentialsError as error:
        raise NorenError(
            "there are no application default credentials: `gcloud auth application-default login`."
        ) from error
    client = bigquery_client(project_id)
    policies = Policies(AuthorizedSession(credentials)) if project_iam else None
    return client, policies, tag_services(client) if tags else None
