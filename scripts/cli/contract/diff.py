"""`noren contract diff`: what changed, who can read whom, and what BigQuery can do."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from dataflow.errors import NorenError
from dataflow.project import Project

if TYPE_CHECKING:
    from dataflow.evolution import Comparison

LEVELS = ("NONE", "BACKWARD", "FORWARD", "FULL")


@click.command(epilog="Example: noren contract diff origin/main --level BACKWARD")
@click.argument("base")
@click.option("--level", default="NONE", show_default=True, type=click.Choice(LEVELS), help="Fail below this.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def diff(base: str, level: str, as_json: bool) -> None:
    """Compare the contracts with those at BASE: a git revision, a directory, or a file.

    BACKWARD: the new contract reads what was sent under the old one. FORWARD: the old one reads what is sent under the
    new. FULL: both. Exit code 1 when a version does not say what changed, or the contracts are below --level.
    """
    from dataflow.contract import load_contracts
    from dataflow.evolution import Level, compare, contracts_at
    from dataflow.policy import load_policy

    project = Project.find()
    old, single = contracts_at(project, base)
    new = load_contracts(project.contracts)
    if single:
        new = {stream: contract for stream, contract in new.items() if stream in old}
    found = compare(old, new, load_policy(project.policy))
    if as_json:
        click.echo(json.dumps([comparison.to_dict() for comparison in found], indent=2, ensure_ascii=False))
    else:
        lines = [line for comparison in found if comparison.changed for line in told(comparison)]
        click.echo("\n".join(lines) if lines else "nothing changed")
    faults = [f"{comparison.stream}: {comparison.fault}" for comparison in found if comparison.fault]
    faults += [
        f"{comparison.stream} is {comparison.level} compatible, {level} is asked for."
        for comparison in found
        if not comparison.level.covers(Level(level))
    ]
    if faults:
        raise NorenError(" ".join(faults))


def told(comparison: "Comparison") -> Iterator[str]:
    """A comparison in lines."""
    stream = comparison.stream
    if not comparison.old:
        yield f"{stream} {comparison.new}: new"
        return
    if not comparison.new:
        yield f"{stream} {comparison.old}: removed: NONE, its events are not read any more; its tables stay"
        return
    yield f"{stream} {comparison.old} -> {comparison.new}: {comparison.level}"
    for change in comparison.changes:
        yield f"  {stream}.{change}"
    for table in comparison.tables:
        yield f"  {table}"
    if comparison.policy:
        yield f"  the anonymized table cannot be compared: {comparison.policy}"
    if comparison.least and not comparison.fault:
        yield f"  version {comparison.new} is right ({comparison.least} or above)"
