"""`noren acl lint`: what is wrong with the files of iam/, or risky."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataflow.errors import NorenError
from dataflow.project import Project

if TYPE_CHECKING:
    from iam.engine import Table, TableName


@click.command("lint", epilog="Example: noren acl lint --format sarif > lint.sarif")
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "sarif", "junit"]), default="text", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--fix", "fixing", is_flag=True, help="Mend what is safe to mend, and tell what is left.")
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@click.option("--manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="dbt's manifest.json.")
@click.option("--no-dbt", is_flag=True, help="Leave out what dbt's manifest is needed for.")
@click.option("--rules", is_flag=True, help="List the rules.")
@click.option("--explain", metavar="CODE", help="Say what a rule is for.")
def lint_command(
    form: str,
    as_json: bool,
    fixing: bool,
    strict: bool,
    manifest: Path | None,
    no_dbt: bool,
    rules: bool,
    explain: str | None,
) -> None:
    """Check the files of iam/: unknown keys and groups, people, public principals, reachable raw data, broken chains.

    Authorized views are held against what dbt builds: its manifest is rendered when none is given, and kept until a
    model changes. The exit code is 1 when there is an error.
    """
    from iam.lint import RULES, Severity, fix, lint
    from iam.lint.report import FORMATS

    if rules or explain:
        shown = [rule for rule in RULES if explain is None or rule.code == explain.upper()]
        if not shown:
            raise NorenError(f"there is no rule {explain}: `noren acl lint --rules` lists them.")
        for rule in shown:
            click.echo(f"{rule.code} {rule.name}: {rule.documentation() if explain else rule.summary()}")
        return
    project = Project.find()
    known = None if no_dbt else relations(project, manifest)
    findings = lint(project, known)
    if fixing:
        mended = fix(project, findings)
        for finding in mended:
            click.echo(f"mended {finding}", err=True)
        click.echo(f"{len(mended)} mended", err=True)
        findings = lint(project, known)
    click.echo(FORMATS["json" if as_json else form](findings))
    if any(strict or finding.severity is Severity.ERROR for finding in findings):
        sys.exit(1)


def relations(project: Project, manifest: Path | None) -> "dict[TableName, Table]":
    """What dbt builds, from a manifest that is given or rendered now."""
    import json

    from iam.engine import from_dbt

    if manifest is None:
        from scripts.build.manifest import manifest_of  # loads the contracts' core

        return from_dbt(manifest_of(project, lambda told: click.echo(f"{told} ...", err=True)))
    try:
        return from_dbt(json.loads(manifest.read_text("utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NorenError(f"{manifest}: is no manifest of dbt.") from error
