"""`noren contract render`: what is made from the contracts."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from dataflow.errors import NorenError
from dataflow.project import Project


@dataclass(frozen=True)
class Format:
    """Generated files that are committed.

    files: module:function that takes a Project and gives {path relative to its root: text}.
    owns: a glob relative to the root; every file that matches it is one of these.
    help: one line.
    """

    files: str
    owns: str
    help: str

    def render(self, project: Project) -> dict[Path, str]:
        module, _, name = self.files.partition(":")
        function: Callable[[Project], dict[Path, str]] = getattr(importlib.import_module(module), name)
        return function(project)


FORMATS = {
    "dbt": Format("dataflow.schemas.dbt:files", "dbt/models/staging/sources.yml", "dbt sources that the models read"),
    "pubsub": Format(
        "dataflow.schemas.pubsub:files", "terraform/platform/schemas/*.proto", "Pub/Sub schemas that Terraform creates"
    ),
}


@click.command(epilog="Example: noren contract render pubsub --check")
@click.argument("formats", nargs=-1, type=click.Choice(sorted(FORMATS)))
@click.option("--check", is_flag=True, help="Write nothing; fail when a committed file is stale.")
def render(formats: tuple[str, ...], check: bool) -> None:
    """Write the generated files of FORMATS (default: all) that differ from their contracts."""
    project = Project.find()
    stale = sorted(path for name in formats or sorted(FORMATS) for path in _update(project, FORMATS[name], check))
    if check and stale:
        raise NorenError(f"stale: {', '.join(map(str, stale))}; run noren contract render and commit what it writes.")
    for path in stale:
        click.echo(f"{'written' if (project.root / path).exists() else 'removed'}: {path}")
    if not stale:
        click.echo("up to date")


def _update(project: Project, form: Format, check: bool) -> list[Path]:
    """The files of one format that differ from what they should be; written or removed unless `check`."""
    wanted = form.render(project)
    present = {path.relative_to(project.root): path for path in project.root.glob(form.owns)}
    orphans = [path for path in present if path not in wanted]
    stale = [path for path, text in wanted.items() if path not in present or present[path].read_text("utf-8") != text]
    if not check:
        for path in orphans:
            (project.root / path).unlink()
        for path in stale:
            (project.root / path).parent.mkdir(parents=True, exist_ok=True)
            (project.root / path).write_text(wanted[path], "utf-8")
    return [*orphans, *stale]
