"""`noren build`: build the dbt models."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataflow.project import Project
from scripts.build.build import Target, build
from scripts.build.process import Node, Result

if TYPE_CHECKING:
    from iam.plan import Change
    from scripts.build.governed import Governed


def show(node: Node) -> None:
    """A line for a model, and for a test that did not pass; what went wrong below it."""
    if node.kind in ("test", "unit_test") and node.status == "pass":
        return
    click.echo(f"{node.name:<40} {node.kind:<10} {node.status:<8} {node.seconds:5.1f} s")
    if node.failed or node.status == "warn":
        click.echo("\n".join(f"    {line}" for line in node.message.strip().splitlines()), err=True)


def summary(result: Result) -> str:
    """`8 views, 58 tests: all well, 3.1 s`."""
    kinds = Counter(node.kind for node in result.nodes)
    failed = Counter(node.status for node in result.nodes if node.status not in ("success", "pass"))
    if not kinds:
        return f"nothing was built, {result.seconds:.1f} s"
    made = ", ".join(f"{count} {kind.replace('_', ' ')}{'s' * (count != 1)}" for kind, count in kinds.items())
    said = ", ".join(f"{count} {status}" for status, count in failed.items())
    return f"{made}: {said or 'all well'}, {result.seconds:.1f} s"


@click.command("build", epilog="Example: noren build --select sessions+")
@click.option("--target", type=click.Choice(["local", "production"]), default="local", show_default=True)
@click.option("--home", type=click.Path(path_type=Path), help="Home of the running stack [.noren/local].")
@click.option(
    "--select", multiple=True, help="dbt's node selection; may be given several times. All models without it."
)
@click.option("--tests", is_flag=True, help="Run the tests too: data tests, and on the local target unit tests.")
@click.option("--models-only", is_flag=True, help="dbt alone: leave access lists as they are.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def build_command(
    target: Target, home: Path | None, select: tuple[str, ...], tests: bool, models_only: bool, as_json: bool
) -> None:
    """Grant, build the models of dbt/ as views, give back what that took, authorize them, and check the lists.

    What a table or view that is made again has lost: policy tags of its columns, row access policies, authorizations.
    Through the gateway of the local stack, or in BigQuery. The exit code is dbt's: 1 when a model or test failed, 2
    when dbt could not run; and 1 when a view could not be authorized or lacks a policy tag that its model declares.
    """
    project = Project.find()
    say = (lambda _: None) if as_json else show

    def run() -> Result:
        return build(project, target, home=home, select=select, tests=tests, say=say)

    done = None if models_only else governed_build(run, target, home, as_json)
    result = done.result if done else run()
    problems = done.problems if done else ()
    if as_json:
        access = {"access": [change.as_json() for change in done.changes], "problems": problems} if done else {}
        click.echo(json.dumps(asdict(result) | access, indent=2))
    else:
        click.echo(summary(result))
        if result.error:
            click.echo(f"noren: dbt: {result.error}", err=True)
        for problem in problems:
            click.echo(f"noren: {problem}", err=True)
    sys.exit(done.exit_code if done else result.exit_code)


def governed_build(run: Callable[[], Result], target: Target, home: Path | None, quiet: bool) -> "Governed":
    """The build between grants and authorizations."""
    from iam.files import load
    from scripts.build.governed import governed, manifest_of_run
    from scripts.cli.acl import target as targets

    access = targets.target(home, cloud=target == "production")
    manifest = manifest_of_run(access.project.state, target)
    record, files = access.record(), load(access.project)

    def say(change: "Change") -> None:
        if not quiet:
            click.echo(str(change))

    def readers() -> "list[Change]":
        return targets.tags(access, files, record, say=say)

    try:
        return governed(files, access.client, run, manifest, record, access.identity, say, readers)
    finally:
        access.copy(record)
