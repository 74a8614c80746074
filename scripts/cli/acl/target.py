"""Which BigQuery a verb speaks to: the gateway of the local stack, as the applier, or BigQuery itself."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dataflow.project import Project

if TYPE_CHECKING:
    from google.cloud import bigquery

    from dataflow.objects import Objects
    from iam.files import AccessFiles
    from iam.plan import Change
    from iam.record import LedgerRecord
    from iam.tags import TagServices

APPLIER = "acl-applier"
"""The service identity, in iam/principals.json, that owns every dataset's access list."""


@dataclass(frozen=True)
class Target:
    """client: of google-cloud-bigquery. project: the files, for the project that the client speaks to.

    identity: who the client asks as, where that is known; never empty on the local stack. ledgers: the store of the
    ledgers. warehouse: a client that writes operations.ledger. cloud: whether it is BigQuery itself.
    """

    client: "bigquery.Client"
    project: Project
    identity: str | None
    ledgers: "Objects"
    warehouse: "Callable[[], bigquery.Client]"
    cloud: bool = False

    def tag_services(self) -> "TagServices | None":
        """Data Catalog and BigQuery's data policies; None on the local stack, whose gateway reads
        iam/policy_tags.json itself."""
        return tag_services(self.client) if self.cloud else None

    def record(self) -> "LedgerRecord":
        from iam.record import record_of

        return record_of(self.project, self.ledgers)

    def copy(self, record: "LedgerRecord") -> None:
        """Copy what was written down to operations.ledger."""
        from scripts.cli.copying import copy

        copy(record.ledger, self.warehouse)


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
        return Target(client, named, session_user(client), cloud_ledgers(named), lambda: client, cloud)
    from dataflow.objects import LocalObjects
    from scripts.stack.callers import caller_client
    from scripts.stack.endpoints import load

    stack = load((home or project.state / "local").resolve())
    identity = f"{APPLIER}@{stack.project_id}.iam.gserviceaccount.com"
    client = caller_client(stack, identity)
    ledgers = LocalObjects(stack.home.root / "ledger")
    return Target(client, Project(project.root, stack.project_id), identity, ledgers, stack.warehouse_client)


def tag_services(client: "bigquery.Client") -> "TagServices":
    """Data Catalog and BigQuery's data policies, with the credentials of BigQuery's client."""
    from google.cloud.bigquery_datapolicies_v1 import DataPolicyServiceClient

    from iam.tags import DataPolicies, PolicyTags, TagServices

    return TagServices(PolicyTags(client._http), DataPolicies(DataPolicyServiceClient(credentials=client._credentials)))


def tags(
    target: Target,
    files: "AccessFiles",
    record: "LedgerRecord | None" = None,
    *,
    dry_run: bool = False,
    say: "Callable[[Change], None]" = lambda _: None,
) -> "list[Change]":
    """The readers of policy tags, in clear and through masks, made what the files say; told once they are made."""
    if not files.policy_tags or (services := target.tag_services()) is None:
        return []
    from iam.tags import apply_tags

    changes = apply_tags(services, files, dry_run=dry_run, intended=record.tags if record else lambda _: None)
    for change in changes:
        say(change)
    return changes


def cloud_ledgers(project: Project) -> "Objects":
    """The store of the ledgers of a project in the cloud. Raises NorenError when its place is none."""
    from dataflow.objects.places import open_objects
    from iam.record import PLACE, place_of_ledgers

    place = place_of_ledgers(project)
    if "://" not in place and in_ci():
        told = f"noren: the ledger is in {place}, gone with this machine: give iam/ledger.yaml or {PLACE} a bucket."
        click.echo(told, err=True)
    return open_objects(place)


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true")


def session_user(client: "bigquery.Client") -> str | None:
    """Who BigQuery takes the client's credentials for; None when it cannot be asked."""
    from google.api_core.exceptions import GoogleAPICallError

    try:
        return str(next(iter(client.query_and_wait("SELECT SESSION_USER()")))[0])
    except GoogleAPICallError:
        return None
