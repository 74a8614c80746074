"""`noren acl schemas`: JSON Schemas of the access files, for editors."""

import sys

import click

from dataflow.project import Project


@click.command("schemas", epilog="Example: noren acl schemas --check")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when a file differs.")
def schemas_command(check: bool) -> None:
    """Write iam/schemas/: what an editor completes and underlines by. `iam/schemas/README.md` says how to use them."""
    from iam.files.schema import schemas, text

    folder = Project.find().iam / "schemas"
    different = False
    for name, schema in schemas().items():
        path, content = folder / name, text(schema)
        if path.is_file() and path.read_text("utf-8") == content:
            continue
        different = True
        click.echo(f"{'differs: ' if check else ''}iam/schemas/{name}")
        if not check:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(content, "utf-8")
    sys.exit(1 if check and different else 0)
