"""`noren acl diff`: what a change means in people and columns."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataflow.errors import NorenError
from dataflow.project import Project

if TYPE_CHECKING:
    from dataflow.policy.diff import Rules
    from iam.difference.gate import Gate
    from iam.difference.state import State

SHUT = 3
"""Exit code when an approval is missing; 1 is an error, 2 a wrong call."""


@click.command(
    "diff", epilog="Example: noren acl diff origin/main --format markdown --reviews reviews.json --author ana"
)
@click.argument("base")
@click.option("--format", "form", type=click.Choice(["text", "markdown"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--gate", is_flag=True, help="Exit with 3 when something takes an approval that is missing.")
@click.option(
    "--reviews", type=click.Path(path_type=Path), help="GitHub's answer to GET /pulls/N/reviews. Means --gate."
)
@click.option("--author", help="Login of who opened the pull request.")
@click.option("--head", help="Commit that was reviewed: approvals of another one do not count.")
def diff_command(
    base: str, form: str, as_json: bool, gate: bool, reviews: Path | None, author: str | None, head: str | None
) -> None:
    """Say who can read what now and could not at BASE, a git revision, and the other way round.

    Compared are access files, groups, contracts, policy and the dbt models together: a column that derives from
    something more telling is a change for everybody who reads it. Who approves, and from where on, stands in
    iam/gate.yaml as it is at BASE.

    Exit code 0: nothing takes an approval, or it is there, or nobody asked for the gate. 1: something is wrong with the
    files. 3: an approval is missing.
    """
    from iam.difference import text
    from iam.difference.compare import compare
    from iam.difference.gate import judge, read_gate, refusal

    if reviews is not None and author is None:
        raise NorenError("--reviews needs --author: an author's own approval does not count.")
    project = Project.find()
    with states(project, base) as (before, after, old_gate):
        found = compare(before, after, datetime.now(UTC))
    approvals = None
    if reviews is not None and author is not None:
        from dataflow.bundle.approvals import read_approvals

        approvals = read_approvals(reviews, author, head)
    verdict = judge(found, old_gate, read_gate(project.iam), approvals)
    if as_json:
        click.echo(json.dumps(text.as_json(found, verdict), indent=2, ensure_ascii=False))
    elif form == "markdown":
        click.echo(text.markdown(found, verdict, base))
    else:
        click.echo("\n".join(text.lines(found)))
        for ask in verdict.asks:
            click.echo(f"takes an approval: {ask}")
    if (gate or reviews is not None) and not verdict.open:
        click.echo(f"noren: {refusal(verdict, old_gate)}", err=True)
        sys.exit(SHUT)


@contextmanager
def states(project: Project, base: str) -> "Iterator[tuple[State, State, Gate]]":
    """The project at BASE, as it is now, and the gate at BASE."""
    from dataflow.revision import checked_out
    from iam.difference.gate import read_gate
    from iam.difference.state import State
    from iam.files import load
    from scripts.build.lineage import lineage_of

    def say(text: str) -> None:
        click.echo(f"{text} ...", err=True)

    after = State(load(project), lineage_of(project, say=say), lambda: rules(project))
    with checked_out(project, base, "iam", "dataflow/policy.yaml", "dataflow/contracts") as then:
        lineage = lineage_of(then, state=project.state, revision=(project, base), say=say)
        yield State(load(then), lineage, lambda: rules(then)), after, read_gate(then.iam)


def rules(project: Project) -> "Rules":
    from dataflow.policy.base import rules_of

    return rules_of(project)
