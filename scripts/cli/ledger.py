"""`noren ledger`: what stands in the ledgers, and whether they are whole."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dataflow.errors import NorenError
from dataflow.project import Project

if TYPE_CHECKING:
    from google.cloud import bigquery

    from dataflow.ledger import Ledger

HOME = click.option("--home", type=click.Path(path_type=Path), help="Home of the running stack [.noren/local].")
CLOUD = click.option("--cloud", is_flag=True, help="The ledgers of the project in the cloud (iam/ledger.yaml).")
IN_CLOUD = ("access",)
"""Ledgers of a project in the cloud."""


@click.group(epilog="Example: noren ledger verify")
def ledger() -> None:
    """Who did what: access applied, dead letters opened and replayed."""


@ledger.command("list", epilog="Example: noren ledger list dead_letters")
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@CLOUD
@HOME
def list_command(names: tuple[str, ...], as_json: bool, cloud: bool, home: Path | None) -> None:
    """Print the lines of the ledgers NAMES [all], oldest first."""
    import msgspec

    lines = [(book.name, line) for book in _ledgers(home, cloud, names) for line in book.entries()]
    if as_json:
        click.echo(json.dumps([{"ledger": name, **msgspec.to_builtins(line)} for name, line in lines], indent=2))
        return
    for name, line in lines:
        said = " ".join(f"{key}={json.dumps(value)}" for key, value in sorted(line.details.items()))
        click.echo(f"{name} {line.number}  {line.time:%Y-%m-%d %H:%M:%S}  {line.who}  {line.kind}  {said}")
    if not lines:
        click.echo("no lines")


@ledger.command(epilog="Example: noren ledger verify access")
@click.argument("names", nargs=-1)
@click.option("--offline", is_flag=True, help="Do not hold them against their copy in operations.ledger.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, an object a ledger.")
@CLOUD
@HOME
def verify(names: tuple[str, ...], offline: bool, as_json: bool, cloud: bool, home: Path | None) -> None:
    """Look for lines of the ledgers NAMES [all] that were altered, removed or moved. Exit code 1 when one was."""
    from dataflow.ledger import mirrored

    books = _ledgers(home, cloud, names)
    client = None if offline or not books else _warehouse(home, cloud)
    found: list[dict[str, Any]] = []
    for book in books:
        copy = {} if client is None else mirrored(book, client)
        damages = book.verify(copy)
        found.append(
            {
                "ledger": book.name,
                "lines": len(book.numbers("lines")),
                "copied": len(copy),
                "damages": [{"line": damage.number, "kind": damage.kind, "words": damage.words} for damage in damages],
            }
        )
    if as_json:
        click.echo(json.dumps(found, indent=2))
    for result in found:
        if not as_json:
            against = "not held against a copy" if client is None else f"{result['copied']} of them in the copy"
            click.echo(
                f"{result['ledger']}: {result['lines']} lines, {against}: {'DAMAGED' if result['damages'] else 'whole'}"
            )
            for damage in result["damages"]:
                click.echo(f"  {damage['words']}")
    if not books and not as_json:
        click.echo("no ledger yet")
    if any(result["damages"] for result in found):
        sys.exit(1)


def _root(home: Path | None) -> Path:
    return (home or Project.find().state / "local").resolve()


def _warehouse(home: Path | None, cloud: bool) -> "bigquery.Client":
    if cloud:
        from dataflow.clients import bigquery_client

        return bigquery_client(Project.find().id)
    from scripts.stack import endpoints

    return endpoints.load(_root(home)).warehouse_client()


def _ledgers(home: Path | None, cloud: bool, names: tuple[str, ...]) -> "list[Ledger]":
    """Raises NorenError for a ledger that there is none of: reading makes none."""
    from dataflow.ledger import Ledger
    from dataflow.objects import LocalObjects
    from dataflow.objects.places import open_objects

    if cloud:
        from iam.record import place_of_ledgers

        place = place_of_ledgers(Project.find())
        objects = open_objects(place)
        there = [name for name in IN_CLOUD if list(objects.names(f"{name}/lines"))]
        for name in names:
            if name not in there:
                raise NorenError(f"{name}: there is no such ledger in {place}; there are {', '.join(there) or 'none'}.")
        return [Ledger(objects, name) for name in names or there]
    directory = _root(home) / "ledger"
    there = sorted(path.parent.name for path in directory.glob("*/identity"))
    for name in names:
        if name not in there:
            raise NorenError(f"{name}: there is no such ledger in {directory}; there are {', '.join(there) or 'none'}.")
    return [Ledger(LocalObjects(directory), name) for name in names or there]
