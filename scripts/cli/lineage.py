"""`noren lineage`: where every column comes from, and the proof that none carries what it must not."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataflow.errors import NorenError
from dataflow.project import Project

if TYPE_CHECKING:
    from iam.lineage.trace import Lineage


@click.command(epilog="Example: noren lineage daily_active_users.users")
@click.argument("target", required=False)
@click.option("--check", is_flag=True, help="Prove it: print what is wrong, exit code 1 when anything is.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Where the graph goes [.noren/lineage.html]."
)
@click.option("--no-html", is_flag=True, help="Write no graph.")
def lineage(target: str | None, check: bool, as_json: bool, html: Path | None, no_html: bool) -> None:
    """Trace columns of the dbt models to contract fields and the methods applied to them.

    TARGET is MODEL, DATASET.TABLE, or one of these with .COLUMN; without it every model has a line. No warehouse is
    asked: dbt compiles the models without a connection, once; what did not change comes from a cache.

    With --check: no identifier in clear reaches a view, nothing but the anonymizer reads raw, no description,
    classification or policy tag understates what a column carries, and every model can be traced.
    """
    from scripts.build.lineage import lineage_of

    project = Project.find()
    found = lineage_of(project, say=lambda text: click.echo(f"{text} ...", err=True))
    if check:
        _check(project, found, as_json)
        return
    from iam.lineage import text

    relation, path = text.found(found, target) if target else ("", "")
    relations = [relation] if relation else found.relations()
    if as_json:
        click.echo(json.dumps(text.as_json(found, relations, path), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(text.tree(found, relation, path) if relation else text.summary(found)))
    if html or not (as_json or no_html):
        from iam.lineage.page import page

        place = html or project.state / "lineage.html"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(page(found), encoding="utf-8")
        anchor = f"#{relation.partition('.')[2]}" if relation else ""
        click.echo(f"graph: {place.resolve().as_uri()}{anchor}", err=as_json)


def _check(project: Project, found: "Lineage", as_json: bool) -> None:
    from iam.files import load
    from iam.lineage.check import check

    files = load(project)
    findings = check(found, project.root, files.authorized, frozenset(files.policy_tags))
    if as_json:
        click.echo(json.dumps([vars(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(str(finding))
    if findings:
        count = f"{len(findings)} finding{'s' * (len(findings) != 1)}"
        raise NorenError(f"{count}; nothing is proved until they are mended.")
    if not as_json:
        columns = sum(len(found.columns(relation)) for relation in found.relations())
        click.echo(f"proved: {columns} columns of {len(found.relations())} models, each traced to its contract")
