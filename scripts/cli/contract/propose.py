"""`noren contract propose`: the undeclared fields that the local stack counted, as a patch of the contracts."""

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataflow import names
from dataflow.errors import NorenError
from dataflow.project import Project

if TYPE_CHECKING:
    from google.cloud import bigquery

    from dataflow.inference.propose import Unknown


@click.command(epilog="Example: noren contract propose --stream app_event --write")
@click.option("--home", type=click.Path(path_type=Path), help="Home of the running stack [.noren/local].")
@click.option("--stream", help="Only this stream [all].")
@click.option("--write", is_flag=True, help="Apply the patch to the contracts.")
def propose(home: Path | None, stream: str | None, write: bool) -> None:
    """Print a patch that declares the unknown fields of operations.unknown_fields: optional, with a classification
    proposed from the name alone, since values are never kept.
    """
    from dataflow.contract import load_contracts
    from dataflow.inference.propose import propose as made
    from dataflow.inference.rules import checked, lines, needed
    from dataflow.policy import load_policy
    from scripts.stack import endpoints

    project = Project.find()
    contracts = load_contracts(project.contracts)
    if stream is not None and stream not in contracts:
        raise NorenError(f"{stream} is no stream: there are contracts for {', '.join(contracts)}.")
    counted = unknown_fields(endpoints.load((home or project.state / "local").resolve()).warehouse_client())
    left: list[str] = []
    patched = 0
    for name in sorted(counted.keys() & contracts.keys()):
        if stream not in (None, name):
            continue
        path = project.contracts / f"{name}.yaml"
        before = path.read_text("utf-8")
        proposal = made(before, contracts[name], counted[name])
        left += [f"{name}.{field}: {why}" for field, why in proposal.left]
        if not proposal.added:
            continue
        patched += len(proposal.added)
        shown = path.relative_to(project.root)
        click.echo("".join(_patch(before, proposal.text, str(shown))), nl=False)
        rules = needed(checked(name, proposal.text), load_policy(project.policy))
        if rules:
            left.append(f"{name}: policy.yaml needs, under streams: {' '.join(' '.join(lines(name, rules)).split())}")
        if write:
            path.write_text(proposal.text, "utf-8")
            click.echo(f"written: {shown}", err=True)
    for line in left:
        click.echo(line, err=True)
    if not patched:
        click.echo("no unknown field that can be declared", err=True)


def unknown_fields(client: "bigquery.Client") -> "dict[str, list[Unknown]]":
    """stream -> what `operations.unknown_fields` has counted of it.

    Raises NorenError when the warehouse does not answer. No table yet is nothing counted.
    """
    from google.api_core import exceptions as api

    from dataflow.inference.propose import Unknown

    dataset, table = names.UNKNOWN_FIELDS
    query = (
        f"SELECT stream, field, type, SUM(events) AS events FROM `{client.project}.{dataset}.{table}` "  # noqa: S608
        "GROUP BY stream, field, type ORDER BY stream, field, type"
    )
    found: dict[str, list[Unknown]] = {}
    try:
        client.get_table(f"{client.project}.{dataset}.{table}")
        for row in client.query_and_wait(query):
            found.setdefault(row["stream"], []).append(Unknown(row["field"], row["type"], row["events"]))
    except api.NotFound:
        return {}
    except api.GoogleAPICallError as error:
        raise NorenError(f"{dataset}.{table}: cannot be read: {error.message}") from error
    return found


def _patch(before: str, after: str, path: str) -> list[str]:
    return list(difflib.unified_diff(before.splitlines(True), after.splitlines(True), f"a/{path}", f"b/{path}"))
