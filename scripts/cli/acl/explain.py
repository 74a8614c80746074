"""`noren acl explain` and `noren acl matrix`: who can see what, and why, from the files and without a cloud."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dataflow.errors import NorenError
from dataflow.project import Project

if TYPE_CHECKING:
    from iam.engine import Table, TableName, World

NOT_KNOWN = "Grants on single keys, topics, buckets and service accounts are not in iam/"


def sources[F: Callable[..., Any]](command: F) -> F:
    """Options that say where views and members come from."""
    for option in (
        click.option("--cloud-identity", is_flag=True, help="Members of groups from Cloud Identity, kept for an hour."),
        click.option("--no-dbt", is_flag=True, help="Leave the views out: what the access lists say alone."),
        click.option(
            "--manifest",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="dbt's manifest.json [the models as they are, compiled when they changed].",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    ):
        command = option(command)
    return command


@click.command("explain", epilog="Example: noren acl explain --why bo@example.com marts__product.top_screens")
@click.option("--who", "table", metavar="TABLE[.COLUMN]", help="Who can query it, and the views that lead to it.")
@click.option("--what", "member", metavar="MEMBER", help="What a person, group or service account sees.")
@click.option(
    "--why", "pair", nargs=2, metavar="MEMBER TABLE[.COLUMN]", help="The chain that grants it, or what is missing."
)
@click.option("--matrix", is_flag=True, help="People by datasets: `noren acl matrix`, which writes a page, too.")
@sources
def explain_command(
    table: str | None,
    member: str | None,
    pair: tuple[str, str] | None,
    matrix: bool,
    manifest: Path | None,
    no_dbt: bool,
    cloud_identity: bool,
    as_json: bool,
) -> None:
    """Answer from the files of iam/, with the file and line of every link.

    A TABLE is dataset.table. An answer is `proved` when project IAM was imported (`noren acl import`), else it holds
    `as far as iam/ tells`. The exit code is 0 whatever the answer is.
    """
    if sum(asked is not None for asked in (table, member, pair)) + matrix != 1:
        raise NorenError("ask one question: --who TABLE, --what MEMBER, --why MEMBER TABLE or --matrix.")
    if matrix:
        _matrix(world_of(manifest, True, cloud_identity), None, as_json)
        return
    world = world_of(manifest, no_dbt, cloud_identity)
    if member is not None:
        _what(world, _known_member(world, member), as_json)
        return
    asked = pair[1] if pair is not None else table or ""
    name, column = _table(world, asked)
    if not no_dbt and manifest is None:
        _known_table(world, name, column)
    if pair is not None:
        _why(world, _known_member(world, pair[0]), asked, name, column, as_json)
    else:
        _who(world, asked, name, column, as_json)


@click.command("matrix", epilog="Example: noren acl matrix --html access.html")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page instead.")
@sources
def matrix_command(html: Path | None, manifest: Path | None, no_dbt: bool, cloud_identity: bool, as_json: bool) -> None:
    """People by datasets, with the highest right that each has: on the whole dataset, not through views."""
    _matrix(world_of(manifest, True if manifest is None else no_dbt, cloud_identity), html, as_json)


def _matrix(world: "World", html: Path | None, as_json: bool) -> None:
    from iam.explain import matrix

    found = matrix(world)
    if html is not None:
        html.write_text(found.html(), "utf-8")
        click.echo(f"{html}: {len(found.rows)} members, {len(found.datasets)} datasets")
    else:
        click.echo(json.dumps(found.as_json(), indent=2) if as_json else found.text())


def world_of(manifest: Path | None, no_dbt: bool, cloud_identity: bool) -> "World":
    """The world of the files of the project, with the views of dbt."""
    from dataclasses import replace

    from iam.engine import from_files
    from iam.files import load

    project = Project.find()
    files = load(project)
    world = from_files(files, None if no_dbt else relations(project, manifest))
    if cloud_identity:
        from iam.cloud_identity import with_members

        world = replace(world, groups=with_members(files.groups, project.state / "cache"))
    return world


def relations(project: Project, manifest: Path | None) -> "dict[TableName, Table]":
    """The views, with the columns that each mentions: a policy tag counts for no others.

    From a manifest, and from models that cannot be compiled without a connection, the columns are not known: then all
    of what a view reads count.
    """
    from scripts.cli.acl.lint import relations as outline

    if manifest is not None or not (project.dbt / "dbt_project.yml").is_file():
        return outline(project, manifest)
    from dataclasses import replace

    from iam.lineage.relations import tables
    from scripts.build.lineage import lineage_of

    try:
        lineage = lineage_of(project, say=lambda told: click.echo(f"{told} ...", err=True))
    except NorenError as error:
        click.echo(f"noren: {error} So all columns of what a view reads count.", err=True)
        return outline(project, None)
    known, traced = outline(project, None), tables(lineage)
    return {
        name: replace(table, reads=table.reads | traced[name].reads, touches=traced[name].touches)
        if name in traced
        else table
        for name, table in known.items()
    }


def _who(world: "World", asked: str, table: "TableName", column: str | None, as_json: bool) -> None:
    from iam.engine.other_ways import other_ways
    from iam.explain import who

    readers, others = who(world, table, column), [str(way) for way in other_ways(world)]
    if as_json:
        told = [reader.as_json() for reader in readers]
        answer = {"readers": told, "other_ways": others, "not_known": f"{NOT_KNOWN}."}
        click.echo(json.dumps(answer, indent=2))
        return
    if not readers:
        click.echo(f"Nobody can query {asked}.")
    for reader in readers:
        click.echo("\n".join(reader.lines()))
    _others(others)
    click.echo(_certainty(world))


def _what(world: "World", member: str, as_json: bool) -> None:
    from iam.explain import what

    seen = what(world, member)
    if as_json:
        click.echo(json.dumps([one.as_json() for one in seen], indent=2))
        return
    if not seen:
        click.echo(f"{member} sees nothing.")
    for one in seen:
        rights = ", ".join(right.lower() for right in one.rights) or "through views alone"
        click.echo(f"{one.dataset}: {rights}" + (f": {', '.join(one.objects)}" if one.objects else ""))
    click.echo(_certainty(world))


def _why(world: "World", member: str, asked: str, table: "TableName", column: str | None, as_json: bool) -> None:
    from iam.explain import why
    from iam.explain.questions import decision_lines

    answer = why(world, member, table, column)
    if as_json:
        click.echo(json.dumps(answer.as_json(), indent=2))
        return
    click.echo(f"{member} {'can' if answer.decision.allowed else 'cannot'} query {asked}.")
    click.echo("\n".join(decision_lines(answer.decision)))
    for line in (answer.decision.denial, answer.ask):
        if line:
            click.echo(f"  {line}")
    _others(list(answer.others))
    click.echo(f"{answer.decision.certainty.value.capitalize()}.")


def _others(others: list[str]) -> None:
    if others:
        click.echo("Other ways to raw data:")
        for line in others:
            click.echo(f"  {line}")
    click.echo(f"{NOT_KNOWN}{': those above are of the project alone' if others else ''}.")


def _certainty(world: "World") -> str:
    from iam.engine import Certainty

    known = {dataset.project for dataset in world.datasets} <= world.imported
    return f"{(Certainty.PROVED if known else Certainty.AS_FAR_AS_IAM_TELLS).value.capitalize()}."


def _table(world: "World", asked: str) -> "tuple[TableName, str | None]":
    """`dataset.table` or `dataset.table.column`. Raises NorenError for a dataset that no file describes."""
    import difflib

    from iam.engine import DatasetName, TableName

    parts = asked.replace("`", "").split(".")
    if parts[:1] == [world.project]:
        parts = parts[1:]
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise NorenError(f"{asked} is no table: write dataset.table or dataset.table.column.")
    if DatasetName(world.project, parts[0]) not in world.datasets:
        close = difflib.get_close_matches(parts[0], [dataset.dataset for dataset in world.datasets], 1)
        hint = f"did you mean {close[0]}?" if close else "iam/datasets/ has a file for each."
        raise NorenError(f"there is no dataset {parts[0]}: {hint}")
    return TableName(world.project, parts[0], parts[1]), parts[2] if len(parts) == 3 else None


def _known_table(world: "World", table: "TableName", column: str | None) -> None:
    """Say so when nothing makes the table: the answer is that of any name there. Raises NorenError for a column that a
    table of contracts or dbt does not have."""
    from scripts.build.lineage import lineage_of

    known = world.tables.get(table)
    mentioned = {name for other in world.tables.values() for name in other.touches.get(table, ())}
    if known is not None and (column is None or column.lower() in mentioned):
        return
    project = Project.find()
    if not (project.dbt / "dbt_project.yml").is_file():
        return
    try:
        lineage = lineage_of(project)
    except NorenError:
        return  # `relations` told
    relation = f"{table.project}.{table.dataset}.{table.table}"
    leaves = lineage.columns(relation)
    columns = {".".join(path.split(".")[: n + 1]) for path in leaves for n in range(path.count(".") + 1)}
    if known is None and not columns:
        told = f"no contract and no model describes {table.short}: the answer is that for any table of {table.dataset}."
        click.echo(told, err=True)
    elif column is not None and columns and column.lower() not in {name.lower() for name in columns}:
        import difflib

        close = difflib.get_close_matches(column, sorted(columns), 1)
        hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(sorted(leaves))}."
        raise NorenError(f"{table.short} has no column {column}: {hint}")


def _known_member(world: "World", member: str) -> str:
    """An address in lower case. One that nobody names is answered too: a stranger sees what everybody sees."""
    if "@" not in member:
        raise NorenError(f"{member} is no e-mail address.")
    from iam.explain import members

    if member.lower() not in members(world) and member.lower() not in world.groups:
        click.echo(f"{member.lower()} is in no group and no grant.", err=True)
    return member.lower()
