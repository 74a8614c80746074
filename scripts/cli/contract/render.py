"""`noren contract render`: what is made from the contracts."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from dataflow import names
from dataflow.errors import NorenError
from dataflow.project import Project


@dataclass(frozen=True)
class Format:
    """Generated files.

    files: module:function that takes a Project and gives {path relative to its root: text}.
    owns: a glob relative to the root; every file that matches it is one of these. None: nothing is committed, the
    files are printed only.
    help: one line.
    """

    files: str
    owns: str | None
    help: str

    def render(self, project: Project) -> dict[Path, str]:
        module, _, name = self.files.partition(":")
        function: Callable[[Project], dict[Path, str]] = getattr(importlib.import_module(module), name)
        return function(project)


FORMATS = {
    "avro": Format("dataflow.schemas.avro:files", None, "Avro schemas of the events, for senders"),
    "bigquery": Format("dataflow.schemas.bigquery:files", None, "BigQuery schemas of raw and anonymized tables"),
    "dbt": Format("dataflow.schemas.dbt:files", "dbt/models/staging/sources.yml", "dbt sources that the models read"),
    "markdown": Format("dataflow.schemas.markdown:files", "dataflow/contracts/DICTIONARY.md", "the data dictionary"),
    "pubsub": Format(
        "dataflow.schemas.pubsub:files", "terraform/platform/schemas/*.proto", "Pub/Sub schemas that Terraform creates"
    ),
}

COMMITTED = sorted(name for name, form in FORMATS.items() if form.owns is not None)


@click.command(
    epilog="Example: noren contract render bigquery --stdout --stream app_event\n\n"
    + "\n\n".join(f"{name}: {form.help}{'' if form.owns else ' (printed only)'}" for name, form in FORMATS.items())
)
@click.argument("formats", nargs=-1, type=click.Choice(sorted(FORMATS)))
@click.option("--check", is_flag=True, help="Write nothing; fail when a committed file is stale.")
@click.option("--stdout", is_flag=True, help="Print instead of writing; several files each under their name.")
@click.option("--stream", help="With --stdout: only files named for this stream.")
def render(formats: tuple[str, ...], check: bool, stdout: bool, stream: str | None) -> None:
    """Write the generated files of FORMATS (default: all that are committed) that differ from their contracts."""
    project = Project.find()
    if stdout and check:
        raise click.UsageError("--check looks at committed files; leave out --stdout.")
    if stdout:
        _print(project, formats or tuple(COMMITTED), stream)
        return
    if printed := [name for name in formats if name not in COMMITTED]:
        raise click.UsageError(f"{', '.join(printed)}: printed only; add --stdout.")
    stale = sorted(path for name in formats or COMMITTED for path in _update(project, FORMATS[name], check))
    if check and stale:
        raise NorenError(f"stale: {', '.join(map(str, stale))}; run noren contract render and commit what it writes.")
    for path in stale:
        click.echo(f"{'written' if (project.root / path).exists() else 'removed'}: {path}")
    if not stale:
        click.echo("up to date")


def _print(project: Project, formats: tuple[str, ...], stream: str | None) -> None:
    """One file as it is; of several each under its name."""
    files = {path: text for name in formats for path, text in FORMATS[name].render(project).items()}
    if stream is not None:
        parts = (stream, names.topic(stream), names.anonymized_topic(stream))
        files = {path: text for path, text in files.items() if any(part in parts for part in path.name.split("."))}
        if not files:
            raise NorenError(f"{', '.join(formats)}: no file is named for the stream {stream}.")
    for path, text in files.items():
        if len(files) > 1:
            click.echo(f"==> {path} <==")
        click.echo(text, nl=False)


def _update(project: Project, form: Format, check: bool) -> list[Path]:
    """The files of one format that differ from what they should be; written or removed unless `check`."""
    assert form.owns is not None
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
