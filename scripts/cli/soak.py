"""`noren soak`: faults on purpose, and whether everything still adds up."""

import json
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataflow.project import Project

if TYPE_CHECKING:
    from scripts.soak.report import Report


@click.command(epilog="Example: noren soak --rounds 50 --seed 7 --json soak.json")
@click.option("--rounds", type=click.IntRange(min=1), default=2, show_default=True, help="A round takes about 20 s.")
@click.option("--seed", type=int, help="Draws events, faults and their moments [a new one].")
@click.option("--rate", type=click.IntRange(min=10), default=400, show_default=True, help="Events a second.")
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write the report to this file.")
def soak(rounds: int, seed: int | None, rate: int, file: Path | None) -> None:
    """Break the pipeline and the servers around it, ROUNDS times, and count after each round.

    In every round events are published without pause, out of order and some of them again, while faults strike: the
    pipeline is killed and stopped, Pub/Sub and the warehouse are killed, the warehouse answers with errors, messages
    are delivered again, the clock jumps, a policy is published. Then every message has to be in the tables
    once. It runs on a stack and data of its own, which are removed afterwards; the data of a broken round is kept.
    Exit code 1 when something does not add up.
    """
    from scripts.soak.soak import Soak

    project = Project.find()
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    project.state.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="soak-", dir=project.state))
    click.echo(f"seed {seed}: {rounds} rounds of {rate:,} events a second")
    run = Soak(project, home, rounds, seed, rate, click.echo)
    report = run.report
    try:
        run.run()
        report.kept = str(home) if report.problems else None
    except Exception:
        report.kept = str(home)
        click.echo(f"noren: the data is kept in {home}.", err=True)
        raise
    finally:
        if report.kept is None:
            shutil.rmtree(home, ignore_errors=True)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(report.to_dict(), indent=2) + "\n", "utf-8")
    _tell(report)
    if report.problems:
        sys.exit(1)


def _tell(report: "Report") -> None:
    for line in report.lines():
        click.echo(line)
    for problem in report.problems:
        click.echo(f"noren: {problem}", err=True)
    if report.kept is not None:
        click.echo(f"noren: its data is kept in {report.kept}; remove it when it is understood.", err=True)
    else:
        click.echo("All adds up.")
