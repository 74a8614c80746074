"""`noren contract new`: draft a contract from a sample of events."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataflow.errors import NorenError
from dataflow.project import Project

if TYPE_CHECKING:
    from dataflow.inference import ContractDraft


@click.command(epilog="Example: noren contract new --from web_log.ndjson --domain web --policy --access")
@click.option(
    "--from", "source", required=True, type=click.Path(path_type=Path), help="NDJSON file of events (or .gz)."
)
@click.option("--stream", help="Name of the stream [the file's name].")
@click.option("--domain", help="Domain of its datasets, as in raw__DOMAIN [first word of the stream].")
@click.option("--sample", default=50_000, show_default=True, type=click.IntRange(1), help="Events to look at.")
@click.option("--event-time", help="Path of the field that says when an event happened [guessed].")
@click.option("--identity", help="Paths, with commas, of the fields that name an event [guessed].")
@click.option("--policy", "with_policy", is_flag=True, help="Write the rules that it needs into policy.yaml too.")
@click.option("--access", "with_access", is_flag=True, help="Write access files for the datasets of a new domain too.")
def new(
    source: Path,
    stream: str | None,
    domain: str | None,
    sample: int,
    event_time: str | None,
    identity: str | None,
    with_policy: bool,
    with_access: bool,
) -> None:
    """Draft dataflow/contracts/STREAM.yaml from a file of events: types, limits, identity and event time are inferred,
    classifications proposed with a confidence, the strict one where it is unsure. No value is copied, except the
    enums of public fields. Nothing is overwritten.
    """
    from dataflow.inference import drafted, stream_of
    from dataflow.inference.write import text

    project = Project.find()
    stream = stream or stream_of(source)
    domain = domain or stream.split("_")[0]
    target = project.contracts / f"{stream}.yaml"
    shown = target.relative_to(project.root)
    if target.exists():
        raise NorenError(f"{shown} exists already; name another with --stream, or remove it first.")
    keys = tuple(path.strip() for path in identity.split(",")) if identity else ()
    with Progress() as progress:
        draft, counts = drafted(source, stream, domain, sample, time=event_time, keys=keys, advance=progress)
    rules = _accepted(project, stream, text(draft), with_policy)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("x", encoding="utf-8") as file:
        file.write(text(draft))
    looked = f"{counts.events:,} events looked at, {counts.skipped:,} passed over, {counts.bad:,} bad lines"
    click.echo(f"{shown}: {len(draft.leaves())} fields; {looked}")
    _review(draft)
    _rules(stream, rules, with_policy)
    _access(project, domain, with_access)
    click.echo("\nReview and mend the contract, then:\n  noren contract check && noren policy check")
    click.echo(f"  noren contract render && noren acl apply --grants-only\n  noren run {stream}")


def _accepted(project: Project, stream: str, text: str, write: bool) -> dict[str, str]:
    """The rules that the policy lacks for the contract; written into it if asked for.

    Raises NorenError when the draft has a fault after all: then nothing is written anywhere.
    """
    from dataflow.inference.rules import added, checked, needed
    from dataflow.policy import load_policy

    contract = checked(stream, text)
    rules = needed(contract, load_policy(project.policy))
    if write and rules:
        project.policy.write_text(added(project.policy.read_text("utf-8"), stream, rules), "utf-8")
    return rules


def _review(draft: "ContractDraft") -> None:
    """What a person should look at, the least sure first."""
    from dataflow.inference.words import SURE

    keys = sorted((field.key, field.path) for field in draft.all() if field.key is not None)
    click.echo(f"  an event is named by {', '.join(path for _, path in keys)} and happened at {draft.event_time}")
    unsure = [(field.guess, field.path) for field in draft.leaves() if field.guess and field.guess.confidence < SURE]
    if unsure:
        click.echo("\nReview first:")
    for guess, path in sorted(unsure, key=lambda item: item[0].confidence):
        click.echo(f"  {path}: {guess.classification}? {guess}")
    for field in draft.all():
        for remark in field.remarks:
            click.echo(f"  {field.path}: {remark}")
    if draft.undeclared:
        click.echo("\nNot in the contract, so dropped and counted:")
    for path, why in sorted(set(draft.undeclared)):
        click.echo(f"  {path}: {why}")


def _rules(stream: str, rules: dict[str, str], written: bool) -> None:
    from dataflow.inference.rules import lines

    if rules:
        done = (
            "Added to dataflow/policy.yaml, under"
            if written
            else "Add to dataflow/policy.yaml (or use --policy), under"
        )
        click.echo(f"\n{done} streams:")
        click.echo("\n".join(f"  {line}" for line in lines(stream, rules)))


def _access(project: Project, domain: str, write: bool) -> None:
    from scripts.cli.contract.access import missing

    files = missing(project, domain)
    if not files:
        return
    if write:
        for path, text in files.items():
            (project.root / path).parent.mkdir(parents=True, exist_ok=True)
            (project.root / path).write_text(text, "utf-8")
    done = "Written, with owners and service identities alone" if write else "Missing (--access writes them)"
    click.echo(f"\n{done}: {', '.join(map(str, files))}")


class Progress:
    """Says how far a long reading is: a bar on a terminal, else a line every ten seconds. Called with bytes."""

    PATIENCE_SECONDS = 10.0

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._console = Console(stderr=True)
        columns = (TextColumn("reading events"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._bar = Bar(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
        self._task = self._bar.add_task("read")
        self._next = time.monotonic() + (0.2 if self._console.is_terminal else self.PATIENCE_SECONDS)

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, done: int, size: int) -> None:
        if (now := time.monotonic()) < self._next:
            return
        if self._console.is_terminal:
            self._bar.update(self._task, completed=done, total=size)
            self._next = now + 0.2
        else:
            click.echo(f"reading events: {done:,} of {size:,} bytes", err=True)
            self._next = now + self.PATIENCE_SECONDS
