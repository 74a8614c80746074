"""How an import says how far it is, and what became of it."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dataflow.ingest.driver import Progress

type Report = Callable[["Progress"], None]


def sentence(progress: "Progress") -> str:
    """e.g. `app_event: 1,200 read = 1,000 new + 190 there already + 10 refused (wrong_type 10)`."""
    parts = [f"{progress.raw:,} new", f"{progress.duplicates:,} there already", f"{progress.dead:,} refused"]
    if progress.reasons:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(progress.reasons.items()))
        parts[-1] += f" ({reasons})"
    if progress.outside:
        parts.append(f"{progress.outside:,} behind the cut-over")
    return f"{progress.stream}: {progress.read:,} read = {' + '.join(parts)}"


@contextmanager
def reporting(*, as_json: bool) -> Iterator[Report]:
    """A progress bar on a terminal, JSON lines with --json, else nothing until the end."""
    if as_json:
        yield lambda progress: click.echo(json.dumps(progress.to_dict()))
        return
    from rich import progress as rich
    from rich.console import Console

    console = Console(stderr=True)
    columns: list[Any] = [
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.TaskProgressColumn(),
        rich.TimeRemainingColumn(),
    ]
    with rich.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=None)

        def show(progress: "Progress") -> None:
            bar.update(task, total=progress.size, completed=progress.done, description=sentence(progress))

        yield show


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set: the import ends behind the chunk at hand and goes on from there later.

    A second signal ends at once, for a server that is away may be waited for; nothing is lost by that either.
    """
    stop = threading.Event()

    def handle(number: int, _: object) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def conclude(progress: "Progress", *, as_json: bool) -> None:
    """The last word on stdout, but for --json, whose last line says it."""
    if as_json:
        return
    click.echo(sentence(progress) + ("" if progress.finished else "; stopped, the same command goes on from here"))
