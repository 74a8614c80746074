"""`noren policy`: what is done with each field, checked, compared and published."""

import json
from typing import TYPE_CHECKING

import click

from dataflow.errors import NorenError
from dataflow.project import Project

if TYPE_CHECKING:
    from dataflow.policy.diff import Change


@click.group(epilog="Example: noren policy check")
def policy() -> None:
    """What is done with each field, in dataflow/policy.yaml."""


@policy.command(epilog="Example: noren policy check --json")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as a JSON list.")
def check(as_json: bool) -> None:
    """Check dataflow/policy.yaml against the contracts. Everything that is wrong is printed; exit code 1 then."""
    from dataflow.contract import load_contracts
    from dataflow.policy.check import review
    from dataflow.policy.read import read_text

    project = Project.find()
    contracts = load_contracts(project.contracts)
    found, findings = review(read_text(project.policy), project.policy.name, contracts)
    if as_json:
        click.echo(json.dumps([vars(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(str(finding))
    fields = sum(len(contract.leaves()) for contract in contracts.values())
    if findings:
        raise NorenError(f"{len(findings)} findings in policy.yaml; mend them before it is published.")
    if not as_json:
        click.echo(f"policy.yaml {found.version} fits {fields} fields of {', '.join(contracts)}")


@policy.command(epilog="Example: noren policy diff origin/main")
@click.argument("base")
@click.option("--json", "as_json", is_flag=True, help="Print the changes as a JSON list.")
def diff(base: str, as_json: bool) -> None:
    """Say what leaves the curtain now and did not at BASE: a git revision, a directory or a policy file."""
    from dataflow.policy.base import rules_at, rules_of
    from dataflow.policy.diff import diff as compare

    project = Project.find()
    changes = compare(rules_at(project, base), rules_of(project))
    if as_json:
        click.echo(json.dumps([vars(change) | {"weakens": change.weakens} for change in changes], indent=2))
    else:
        click.echo("\n".join(told(changes)))


def told(changes: "list[Change]") -> list[str]:
    """The changes in lines, and what they ask for."""
    lines = [f"{change.direction:<9}{change}" for change in changes]
    if not lines:
        return ["nothing changes in what leaves the curtain"]
    weaker = sum(change.weakens for change in changes)
    if weaker:
        return [*lines, f"{weaker} of {len(lines)} changes let more through or cannot be compared: two approvals"]
    return [*lines, "nothing is weaker"]
