"""What every program shares: its arguments, CPU seconds of itself and its children, the check, the answer."""

import itertools
import json
import os
import resource
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from scripts.bench.loops import tuned

ROUNDS = 3
CHECKED = 500


def arguments() -> tuple[Path, list[bytes], int]:
    """(the file, COUNT of its events, from the first again when it has fewer; events a batch)."""
    path, count, batch = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    return path, list(itertools.islice(itertools.cycle(path.read_bytes().splitlines()), count)), batch


def cut(events: list[bytes], size: int) -> list[list[bytes]]:
    return [events[start : start + size] for start in range(0, len(events), size)]


def cpu_seconds() -> float:
    """User and system time of this process, its threads and its descendants, such as a Java virtual machine.

    Living children are read from /proc (proc_pid_stat(5), fields 14 to 17); without /proc only ended ones count.
    """
    tree, pending = _processes(), [os.getpid()]
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    total = own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime
    while pending:
        parent = pending.pop()
        for child, (of, ticks) in tree.items():
            if of == parent:
                pending.append(child)
                total += ticks / os.sysconf("SC_CLK_TCK")
    return total


def _processes() -> dict[int, tuple[int, int]]:
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        found[int(directory.name)] = (int(fields[1]), sum(map(int, fields[11:15])))
    return found


def answer(count: int, run: Callable[[], object], differs: Iterable[str] = (), rounds: int = ROUNDS) -> None:
    """Warm up, time `rounds` runs over `count` events, print the JSON."""
    run()
    rates = []
    for _ in range(rounds):
        before = cpu_seconds()
        run()
        rates.append(count / (cpu_seconds() - before))
    rates.sort()
    figures = {"events_per_core_second": rates[len(rates) // 2], "rounds": rates, "differs": sorted(set(differs))}
    print(json.dumps(figures), flush=True)  # noqa: T201 - the answer


def differing(events: list[bytes], rows: Iterable[Mapping[str, Any] | None]) -> set[str]:
    """Names of fields of the first rows that are not the tuned loop's; a row is flat or nested, None is missing."""
    names: set[str] = set()
    for event, row in zip(events[:CHECKED], rows, strict=False):
        want = dict(_flat(json.loads(tuned(event)[1])))
        have = {name: value for name, value in _flat(row or {}) if value is not None}
        names |= {name for name in want.keys() | have.keys() if want.get(name) != have.get(name)}
    return names


def _flat(row: Mapping[str, Any], parent: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{parent}{name}.")
        else:
            yield parent + name, value
