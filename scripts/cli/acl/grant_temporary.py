"""`noren acl grant-temporary`: access that ends by itself."""

import datetime
import json
import re

import click

from dataflow.errors import NorenError
from dataflow.project import Project

SPAN = re.compile(r"(\d{1,4})([hd])")
ROLES = ("READER", "WRITER")


def end(span: str, now: datetime.datetime) -> datetime.datetime:
    """`8h`, `3d` from now, or a time, `2027-01-31T18:00:00+09:00`. Raises NorenError."""
    if match := SPAN.fullmatch(span):
        number = int(match[1])
        return now + (datetime.timedelta(hours=number) if match[2] == "h" else datetime.timedelta(days=number))
    try:
        moment = datetime.datetime.fromisoformat(span)
    except ValueError:
        raise NorenError(f"--for {span}: give hours (8h), days (3d) or a time (2027-01-31T18:00:00+09:00).") from None
    if moment.tzinfo is None:
        raise NorenError(f"--for {span}: the time has no time zone, e.g. 2027-01-31T18:00:00+09:00.")
    return moment


@click.command(
    "grant-temporary",
    epilog="Example: noren acl grant-temporary dead_letter engineers@example.com --for 8h --reason 'incident 42' "
    "--asked-by eng@example.com --approved-by dpo@example.com",
)
@click.argument("dataset")
@click.argument("group")
@click.option("--role", type=click.Choice(ROLES), default="READER", show_default=True)
@click.option("--for", "span", required=True, help="8h, 3d, or a time: 2027-01-31T18:00:00+09:00.")
@click.option("--reason", required=True, help="Why, in a few words; it stands in the file for all to read.")
@click.option("--asked-by", required=True, help="Who needs it: an e-mail.")
@click.option("--approved-by", required=True, help="The second person: an e-mail.")
@click.option("--json", "as_json", is_flag=True, help="Print the entry as JSON.")
def grant_temporary(
    dataset: str, group: str, role: str, span: str, reason: str, asked_by: str, approved_by: str, as_json: bool
) -> None:
    """Write a grant that ends by itself into the file of DATASET, for GROUP: to be reviewed and applied like any other.

    When it has ended it grants nothing, and `noren acl lint --fix` removes it.
    """
    from iam import edit
    from iam.files import EMAIL, load
    from iam.lint.settings import FILE, read_settings
    from iam.temporary import Note, entry, line

    project, now = Project.find(), datetime.datetime.now(datetime.UTC)
    files = load(project)
    if dataset not in files.datasets:
        raise NorenError(f"there is no iam/datasets/{dataset}.json: known are {', '.join(sorted(files.datasets))}.")
    if group.lower() not in files.groups:
        raise NorenError(f"group {group} is not in iam/groups.json: people come by groups, for an hour too.")
    settings = read_settings(project.root / FILE)
    ours = settings.ours(files.groups)
    for option, person in (("--asked-by", asked_by), ("--approved-by", approved_by)):
        if not EMAIL.fullmatch(person):
            raise NorenError(f"{option} must be an e-mail address; it is {person}.")
        if person.lower().partition("@")[2] not in ours:
            raise NorenError(f"{option} {person}: is outside of {', '.join(sorted(ours))}.")
    until, days = end(span, now), settings.temporary_days
    if not now < until <= now + datetime.timedelta(days=days):
        raise NorenError(f"--for {span}: a temporary grant ends in the future, within {days} days.")
    item = entry(role, group.lower(), until, Note(reason.strip(), asked_by.lower(), approved_by.lower()))
    edit.append(project.iam / "datasets" / f"{dataset}.json", item)
    if as_json:
        click.echo(json.dumps(item, indent=2, ensure_ascii=False))
        return
    click.echo(line(item))
    click.echo(
        f"Written to iam/datasets/{dataset}.json: have it reviewed, then `noren acl apply`. It ends {until:%c %Z}."
    )
