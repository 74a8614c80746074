"""`noren verify`: the access engine's rules, held against a real BigQuery."""

import contextlib
import json
import os
import secrets
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataflow.errors import NorenError

if TYPE_CHECKING:
    from iam.verify.cases import Case, Stage
    from iam.verify.play import Player
    from iam.verify.run import Means, Result

PATIENCE = 180
DIFFERS = 1


@click.command(epilog="Example: noren verify --project acme-test --cast cast.yaml --dry-run")
@click.option("--project", help="Google Cloud project to play in: one that is made for tests.")
@click.option(
    "--cast", type=click.Path(path_type=Path, dir_okay=False), help="Who plays: service accounts, groups, policy tags."
)
@click.option("--rehearse", is_flag=True, help="Play on the gateway of a local stack of its own instead.")
@click.option("--location", default="US", show_default=True, help="Where the datasets are made.")
@click.option("--public", is_flag=True, help="Also play cases that open a dataset of two made-up rows to everybody.")
@click.option("--patience", default=PATIENCE, show_default=True, help="Seconds that a change of access may take.")
@click.option("--case", "part", default="", help="Only cases with this in their name.")
@click.option("--dry-run", is_flag=True, help="Say what would be played and what not, and why; touch nothing.")
@click.option("--clean", is_flag=True, help="Only delete what an earlier run left: datasets labelled noren: verify.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(
    project: str | None,
    cast: Path | None,
    rehearse: bool,
    location: str,
    public: bool,
    patience: int,
    part: str,
    dry_run: bool,
    clean: bool,
    as_json: bool,
) -> None:
    """Play BigQuery's documented access cases in datasets that are thrown away, and say where the engine is wrong.

    Each case makes its datasets, views and policies, asks as an impersonated test identity, and compares with the
    engine's answer. The project's IAM is not changed; no data but two made-up rows is written. Everything is deleted at
    the end, also after a failure or Ctrl-C, and tables expire after an hour in any case. Changes of access take
    BigQuery up to minutes, so that an unexpected answer is asked for again.

    Exit code 1 when the engine and BigQuery differ. For --cast see iam/verify/README.md.
    """
    from iam.verify.run import unplayable

    stage, means = _stage(project, cast, rehearse, public)
    if dry_run:
        plan = {case.name: unplayable(case, means, stage) for case in stage.cases() if part in case.name}
        _tell_plan(plan, as_json)
        return
    with _player(stage, cast, rehearse, location) as player:
        if clean:
            player.made += player.leftovers()
            many = len(player.made)
            _thrown_away(player)
            click.echo(f"{many} datasets deleted")
            return
        threads, wait = (1, 0) if rehearse else (8, patience)
        results = list(_played(stage, player, means, part, wait, threads, as_json))
    _tell(results, as_json)


def _stage(project: str | None, cast: Path | None, rehearse: bool, public: bool) -> "tuple[Stage, Means]":
    from iam.verify.cases import Stage
    from iam.verify.cast import read_cast
    from iam.verify.run import Means

    if rehearse:
        return Stage(), Means(people=None, gateway=True)
    if project is None or cast is None:
        raise NorenError("--project needs --cast, the test identities that play; or try it with --rehearse.")
    known = read_cast(cast)
    stage = Stage(project, f"noren_verify_{secrets.token_hex(4)}_", known.names)
    return stage, Means(frozenset(known.names), public, frozenset(known.policy_tags), roles=known.roles)


@contextmanager
def _player(stage: "Stage", cast: Path | None, rehearse: bool, location: str) -> "Iterator[Player]":
    """What was made is thrown away when the block ends, however it ends."""
    from iam.verify.play import Player

    if rehearse:
        with _gateway(stage) as player:
            yield player
        return
    from dataflow.clients import bigquery_client
    from iam.verify.cast import impersonated, read_cast
    from scripts.cli.acl.target import session_user

    assert cast is not None
    administrator = bigquery_client(stage.project)
    owner = session_user(administrator)
    if owner is None:
        raise NorenError(f"{stage.project}: BigQuery does not say who you are; log in, or check roles/bigquery.admin.")
    tags = read_cast(cast).policy_tags
    player = Player(administrator, owner, lambda email: impersonated(stage.project, email), location, tags)
    with _interruptible():
        try:
            yield player
        finally:
            _thrown_away(player)


@contextmanager
def _gateway(stage: "Stage") -> "Iterator[Player]":
    """A stack of its own, whose gateway reads the groups of the cases."""
    from dataflow.project import Project
    from iam.verify.play import Player
    from scripts.stack import services
    from scripts.stack.callers import caller_client
    from scripts.stack.supervisor import Stack
    from scripts.stack.warehouse.environment import Environment

    environment = Environment.of(Project.find().state)
    wanted = [service for service in services.SERVICES if service.name in ("warehouse", "gateway")]
    with tempfile.TemporaryDirectory(prefix="noren-verify-") as directory, contextlib.ExitStack() as stack:
        root = Path(directory, "checkout")
        (root / "dataflow").mkdir(parents=True)
        (root / "iam").mkdir()
        (root / "dataflow" / "policy.yaml").touch()
        for name, content in stage.files().items():
            (root / "iam" / name).write_text(json.dumps(content), "utf-8")
        here = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
        before = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = here  # the services start in the other directory
        stack.callback(_restore, before)
        stack.enter_context(contextlib.chdir(root))
        made = Stack(Path(directory, "home"), stage.project, wanted, free_ports=True, environment=environment)
        ends = stack.enter_context(made.running())
        tags = _Tags(stage.project)
        owner = "nobody@nowhere.example"
        yield Player(ends.warehouse_client(), owner, lambda email: caller_client(ends, email), "US", tags)


class _Tags(dict[str, str]):
    """Any name is a policy tag of the emulator."""

    def __init__(self, project: str) -> None:
        super().__init__()
        self.project = project

    def __missing__(self, name: str) -> str:
        return f"projects/{self.project}/locations/us/taxonomies/1/policyTags/{name}"


def _restore(path: str | None) -> None:
    if path is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = path


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends the block like Ctrl-C: what was made is thrown away."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _thrown_away(player: "Player") -> None:
    """A second Ctrl-C does not stop it."""
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        if player.made:
            click.echo(f"deleting {len(player.made)} datasets ...", err=True)
        if left := player.throw_away():
            names = ", ".join(left)
            click.echo(f"noren: not deleted: {names}; try noren verify --project {player.project} --clean", err=True)
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _played(
    stage: "Stage", player: "Player", means: "Means", part: str, patience: float, threads: int, quiet: bool
) -> "Iterator[Result]":
    from iam.verify.run import verify

    def say(result: "Result") -> None:
        if not quiet:
            click.echo(f"{result.outcome}: {result.case}" + (f" ({result.reason})" if result.differs else ""), err=True)

    def wanted(case: "Case") -> bool:
        return part in case.name

    yield from verify(stage, player, means, patience=patience, threads=threads, wanted=wanted, say=say)


def _tell_plan(plan: dict[str, str], as_json: bool) -> None:
    if as_json:
        told = [{"case": name, "plays": not why, "reason": why or None} for name, why in plan.items()]
        click.echo(json.dumps(told, indent=2))
        return
    for name, why in plan.items():
        click.echo(f"would skip: {name}: {why}" if why else f"would play: {name}")
    click.echo(f"{sum(not why for why in plan.values())} of {len(plan)} cases would be played")


def _tell(results: "list[Result]", as_json: bool) -> None:
    differing = [result for result in results if result.differs]
    if as_json:
        told = [
            {"case": r.case, "outcome": r.outcome.name.lower(), "said": r.reason or None, "engine": r.expected or None}
            for r in results
        ]
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for result in differing:
            click.echo(f"{result.case}: {result.outcome}")
            click.echo(f"  BigQuery: {result.reason or 'allowed'}\n  engine:   {result.expected or 'allowed'}")
        reasons = Counter(r.reason.partition(";")[0] for r in results if r.outcome.name == "SKIPPED")
        for reason, many in reasons.most_common():
            click.echo(f"skipped {many}: {reason}")
        same = sum(r.outcome.name == "SAME" for r in results)
        click.echo(f"{same} of {len(results)} cases are as the engine says, {len(differing)} differ")
    if differing:
        sys.exit(DIFFERS)
