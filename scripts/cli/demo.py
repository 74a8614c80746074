"""`noren demo`: the main job end to end, on a stack of its own with fresh data."""

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dataflow.errors import NorenError
from dataflow.project import Project

if TYPE_CHECKING:
    from scripts.main_job.job import Input, Result


@click.command(epilog="Example: noren demo --events 50000 --keep")
@click.option(
    "--input", "file", type=click.Path(path_type=Path), help="CSV of check-ins to replay; else a simulated app."
)
@click.option("--events", type=click.IntRange(min=1), default=20_000, show_default=True, help="Events to simulate.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the simulation.")
@click.option("--summary", type=click.Path(path_type=Path), help="Write the figures as JSON to this file.")
@click.option("--keep", is_flag=True, help="Leave the stack up afterwards, and say how to query it.")
def demo(file: Path | None, events: int, seed: int, summary: Path | None, keep: bool) -> None:
    """Run the main job: grant, stream, build, authorize, and ask as four people.

    Starts with fresh data under .noren/demo every time. The exit code is 1 when anything does not add up.
    """
    project = Project.find()
    home = project.state / "demo"
    from scripts.main_job.job import read_input
    from scripts.stack.home import Home

    if Home(home).supervisor() is not None:
        raise NorenError(f"a demo is up already: stop it with noren down --home {_shown(home, project)}.")
    source = read_input(file, events, seed)
    shutil.rmtree(home, ignore_errors=True)
    click.echo(f"input      {source.description}")
    result = _on_a_stack(project, home, source, keep)
    _report(result)
    if keep:
        asked = list(dict.fromkeys(answer.table for answer in result.answers))
        _say_how_to_query(_shown(home, project), [asked[2], asked[3]])
    if summary is not None:
        summary.parent.mkdir(parents=True, exist_ok=True)
        summary.write_text(json.dumps(result.summary(), indent=2, default=str) + "\n", "utf-8")
    if result.problems:
        sys.exit(1)


def _on_a_stack(project: Project, home: Path, source: "Input", keep: bool) -> "Result":
    """Run the job on a fresh stack. With `keep` the stack is one in the background, and stays up."""
    from scripts.build.process import prepared
    from scripts.main_job.job import MainJob
    from scripts.stack import background
    from scripts.stack.supervisor import Stack
    from scripts.stack.warehouse.environment import Environment
    from scripts.stack.warehouse.install import install

    # dbt loads beside the stack's start
    with prepared() as dbt:
        if keep:
            install(Environment.of(project.state), click.echo)
            endpoints = background.start(home, project.id)
            return MainJob(project, endpoints, source, click.echo, _progress()).run(dbt)
        with Stack(home, project.id, say=click.echo).running() as endpoints:
            return MainJob(project, endpoints, source, click.echo, _progress()).run(dbt)


def _say_how_to_query(home: str, tables: list[str]) -> None:
    from scripts.main_job.questions import ANALYST, BUSINESS

    ask = f"  scripts/noren query --home {home} --as"
    click.echo("\nThe stack stays up. Ask it as anybody of iam/groups.json:")
    for person, table in ((ANALYST, tables[0]), (BUSINESS, tables[1])):
        click.echo(f'{ask} {person} "SELECT * FROM {table} LIMIT 5"')  # noqa: S608
    click.echo(f"Stop it with: scripts/noren down --home {home}")


def _progress() -> Any:
    """A line that overwrites itself on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        return lambda _: None

    def show(progress: dict[str, Any]) -> None:
        click.echo(f"\r\x1b[K           {progress.get('accounted', 0):,} events", nl=False, err=True)
        if progress.get("committed"):
            click.echo("\r\x1b[K", nl=False, err=True)

    return show


def _report(result: "Result") -> None:
    """The table of who saw what, and the verdict."""
    from rich.console import Console
    from rich.table import Table

    from scripts.main_job.questions import PEOPLE

    table = Table(title="who saw what", title_justify="left", title_style="bold", show_lines=True)
    table.add_column("question", min_width=24)
    for person, kind in PEOPLE.items():
        table.add_column(f"{kind}\n{person.partition('@')[0]}@")
    asked = dict.fromkeys((answer.table, answer.question) for answer in result.answers)
    for name, question in asked:
        cells = [_cell(answer) for answer in result.answers if answer.table == name]
        table.add_row(f"{question}\n[dim]{name}[/dim]", *cells)
    console = Console() if sys.stdout.isatty() else Console(width=120)
    console.print(table)
    for problem in result.problems:
        console.print(f"[red]does not add up:[/red] {problem}", highlight=False, soft_wrap=True)
    if not result.problems:
        console.print(f"All adds up, in {result.seconds:.1f} s.", highlight=False)


def _cell(answer: Any) -> str:
    from rich.markup import escape

    if answer.error is not None:
        return "[red]403[/red]" if answer.forbidden else f"[red]{escape(answer.error)}[/red]"
    lines = [", ".join(str(value) for value in row.values()) for row in answer.rows]
    return escape("\n".join(lines))


def _shown(path: Path, project: Project) -> str:
    return str(path.relative_to(project.root)) if path.is_relative_to(project.root) else str(path)
