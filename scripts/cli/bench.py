"""`noren bench`: how fast it is."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click


@click.group(epilog="Example: noren bench access")
def bench() -> None:
    """Measure speed, beside other ways to do the same work, in the same run."""


@bench.command(epilog="Example: noren bench anonymizer --no-peers --json bench.json")
@click.option(
    "--input", "file", type=click.Path(path_type=Path), help="Events, one JSON object a line; else made here."
)
@click.option("--events", type=click.IntRange(min=1_000), default=100_000, show_default=True, help="Events to take.")
@click.option("--json", "report", type=click.Path(path_type=Path), help="Write the figures to this file.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Write the anonymized rows, flat, to this Parquet file."
)
@click.option("--no-peers", is_flag=True, help="Leave the other tools out.")
@click.option("--peers", metavar="A,B", help="Only these other tools, separated by commas.")
def anonymizer(
    file: Path | None, events: int, report: Path | None, output: Path | None, no_peers: bool, peers: str | None
) -> None:
    """Events per CPU second of one core: raw row and anonymized row out, exact errors on.

    In the same run on the same events: a naive and a tuned loop, free-form properties, bad rows, latency, each
    method's cost, and other tools, each installed on first use into an environment of its own.
    """
    os.environ["POLARS_MAX_THREADS"] = "1"  # one core; read when polars is imported
    from dataflow.project import Project
    from scripts.bench.anonymizer import measure
    from scripts.bench.events import events as made
    from scripts.bench.peers.runner import chosen, run_peers
    from scripts.stack.streams import read_lines

    names = [name.strip() for name in peers.split(",")] if peers is not None else None
    chosen(names)  # a wrong name is told before the work
    lines = read_lines(file)[:events] if file else list(made(events))
    if output is not None:
        write_rows(lines, output)

    def say(sentence: str) -> None:
        click.echo(f"{sentence} ...", err=True)

    figures = measure(lines, say)
    if not no_peers:
        figures.peers = run_peers(lines, Project.find().state, names, say)
    result = figures.to_dict()
    if report is not None:
        report.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    show(result)
    sys.stdout.flush()


@bench.command(epilog="Example: noren bench access --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def access(as_json: bool) -> None:
    """Seconds that lint, plan, diff and explain take on 200 datasets, 2,000 views and 500 groups.

    First the lineage of all views without a cache, which takes a minute or two; then every command with it.
    """
    from dataclasses import asdict

    from scripts.bench.access import measure

    figures = measure(say=lambda text: click.echo(f"{text} ...", err=True))
    if as_json:
        click.echo(json.dumps([asdict(figure) for figure in figures], indent=2))
        return
    for figure in figures:
        (fastest, slowest), (least, most) = figure.seconds, figure.cpu
        click.echo(f"{figure.name:<26} {fastest:.2f} to {slowest:.2f} s, CPU {least:.2f} to {most:.2f} s")


@bench.command(epilog="Example: noren bench sinks --events 100000 --json sinks.json")
@click.option(
    "--events", type=click.IntRange(min=100), default=100_000, show_default=True, help="Events a commit group."
)
@click.option("--groups", type=click.IntRange(min=1), default=10, show_default=True, help="Groups by load jobs.")
@click.option("--sink", type=click.Choice(["load", "storage-write"]), help="Only this one.")
@click.option("--json", "report", type=click.Path(path_type=Path), help="Write the figures to this file.")
def sinks(events: int, groups: int, sink: str | None, report: Path | None) -> None:
    """Events a second into both tables of a stream, by each sink, on a warehouse of its own that is removed.

    An event is one raw and one anonymized row of the benchmark's events. The Storage Write API gets a tenth of the
    groups: the local warehouse inserts its rows one by one.
    """
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # as the pipeline runs
    from scripts.bench.sinks import SINKS, measure

    names = tuple(name for name in SINKS if sink in (None, name))
    figures = measure(events, groups, names, lambda sentence: click.echo(f"{sentence} ...", err=True))
    if report is not None:
        report.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    for name, found in figures.items():
        click.echo(
            f"{name}: {found['events_per_second']:,} events/s ({found['group_ms']:,} ms a group of {events:,}; "
            f"CPU us an event: {found['own_us']} here, {found['emulator_us']} in the warehouse)"
        )


@bench.command(epilog="Example: noren bench pipeline --quick --json pipeline.json")
@click.option("--json", "report", type=click.Path(path_type=Path), help="Write the figures to this file.")
@click.option("--quick", is_flag=True, help="All of it in about a minute: short runs, wide spreads.")
@click.option(
    "--minutes", type=click.FloatRange(min=0.05), help="Of the run that memory is measured in [1; 0.1 if quick]."
)
@click.option("--only", metavar="A,B", help="Only these parts: arrow, tables, delays, pause, memory.")
@click.option("--check", is_flag=True, help="End with exit code 1 when a target is missed.")
def pipeline(report: Path | None, quick: bool, minutes: float | None, only: str | None, check: bool) -> None:
    """The pipeline from Pub/Sub to Arrow and to both tables: events a second, delays, catching up, memory.

    Starts a stack with a project and data of its own, and removes them. Ends with exit code 1 when events are missing
    or double.
    """
    import dataclasses

    from dataflow.errors import NorenError
    from dataflow.project import Project
    from scripts.bench.pipeline.measure import PARTS, QUICK, Plan, measure, problems
    from scripts.stack.warehouse.environment import Environment

    parts = tuple(name.strip() for name in only.split(",")) if only is not None else PARTS
    if wrong := [name for name in parts if name not in PARTS]:
        raise NorenError(f"there is no part {wrong[0]}; there are {', '.join(PARTS)}.")
    plan = QUICK if quick else Plan()
    if minutes is not None:
        plan = dataclasses.replace(plan, memory_seconds=minutes * 60)
    result = measure(
        Environment.of(Project.find().state), plan, parts, lambda sentence: click.echo(f"{sentence} ...", err=True)
    )
    if report is not None:
        report.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    show_pipeline(result)
    if wrong := problems(result):
        raise NorenError(" ".join(wrong))
    if check and any(target["held"] is False for target in result["targets"]):
        sys.exit(1)


def show_pipeline(result: dict[str, Any]) -> None:
    """The targets as a table."""
    from rich.console import Console
    from rich.table import Table

    console = Console() if sys.stdout.isatty() else Console(width=100)
    table = Table("target", "limit", "figure", "held", box=None, pad_edge=False)
    for target in result["targets"]:
        if target["held"] is not None:
            figure = "-" if target["figure"] is None else f"{target['figure']:,.2f}".rstrip("0").rstrip(".")
            table.add_row(target["target"], f"{target['limit']:,.0f}", figure, "yes" if target["held"] else "no")
    console.print(table)
    for name, part in result.items():
        if isinstance(part, dict) and "events_per_cpu_second" in part:
            rates = ", ".join(f"{which} {rate:,}" for which, rate in part["events_per_cpu_second"].items())
            console.print(f"{name.replace('_', ' ')}: events a CPU second: {rates}", highlight=False)
    loads = result["machine"]["load_average"]
    console.print(f"load average {min(loads)} to {max(loads)} on {result['machine']['cores']} cores", highlight=False)


def write_rows(lines: list[bytes], output: Path) -> None:
    """The declared pass's anonymized rows, flat, as Parquet."""
    import polars as pl

    from scripts.bench.subject import anonymizer, batches, flat

    core = anonymizer("declared")
    pl.concat([flat(core.process(batch).anonymized) for batch in batches(lines)]).write_parquet(output)


def show(result: dict[str, Any]) -> None:
    """The figures as tables."""
    from rich.console import Console
    from rich.table import Table

    console = Console() if sys.stdout.isatty() else Console(width=100)
    speed = Table("contestant", "events per core second", "slowest to fastest round", box=None, pad_edge=False)
    for name, (low, high) in result["spread"].items():
        speed.add_row(name, f"{result['events_per_core_second'][name]:,}", f"{low:,} to {high:,}")
    console.print(speed)
    if result["peer_notes"]:
        rates = result["events_per_core_second"]["peers"]
        peers = Table("peer", "events per core second", "same work", "what to know", box=None, pad_edge=False)
        for name, note in result["peer_notes"].items():
            shown = "-" if rates[name] is None else f"{rates[name]:,}"
            peers.add_row(name, shown, "yes" if name in result["peers_of_same_work"] else "no", note)
        console.print(peers)
    for name, ratio in result["ratios"].items():
        console.print(f"{name.replace('_', ' ')}: {ratio} times", highlight=False)
    for rate, latency in result["latency_ms"].items():
        console.print(f"latency at {int(rate):,}/s: " + ", ".join(f"{k} {v} ms" for k, v in latency.items()))
    for share, relative in result["bad_rows"].items():
        console.print(f"with {float(share):.0%} bad rows: {relative:.1%} of the clean speed", highlight=False)
    console.print(f"peak memory: {result['peak_mebibytes']} MiB", highlight=False)
    costs = ", ".join(f"{n} {v}" for n, v in result["ns_per_value"].items() if v is not None)
    console.print(f"ns a value: {costs}", highlight=False)
