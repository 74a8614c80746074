"""`noren contract check`: everything that is wrong with the contracts."""

import json

import click

from dataflow.errors import NorenError
from dataflow.project import Project


@click.command(epilog="Example: noren contract check --json")
@click.option("--json", "as_json", is_flag=True, help="Print the problems as a JSON list.")
def check(as_json: bool) -> None:
    """Check the contracts of dataflow/contracts/: the standard, names, types, classifications, identity, event time.

    Everything that is wrong is printed with file and line; exit code 1 then.
    """
    from dataflow.review.check import check_contracts

    project = Project.find()
    problems = check_contracts(project.contracts, project.root)
    if as_json:
        click.echo(json.dumps([problem.to_dict() for problem in problems], indent=2, ensure_ascii=False))
    else:
        for problem in problems:
            click.echo(str(problem))
    if problems:
        files = len({problem.file for problem in problems})
        raise NorenError(f"{_count(len(problems), 'problem')} in {_count(files, 'contract')}.")
    if not as_json:
        click.echo(f"{_count(len(list(project.contracts.glob('*.yaml'))), 'contract')}: nothing to complain about")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
