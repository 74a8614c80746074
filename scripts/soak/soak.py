"""Round after round: publish, break, wait until all is committed, count."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import polars as pl

from dataflow.project import Project
from scripts.soak.balance import Counts, Tables, lost
from scripts.soak.faults import FAULTS, Planned, Scene, draw
from scripts.soak.keeper import Keeper
from scripts.soak.report import Injected, Report, Round
from scripts.soak.stand import STREAM, Stand, drawn_sink, stand
from scripts.soak.traffic import Traffic
from scripts.soak.watch import Watch, seconds_with

START_SECONDS = 120.0
"""For the first pipeline."""

RECOVERY_SECONDS = 120.0
"""A fault after which nothing is committed for so long is not recovered from."""

STALL_SECONDS = 120.0
"""Without a message more accounted for after so long the round is broken: a killed pipeline's leases run out after 40
seconds."""

type Say = Callable[[str], None]


class Soak:
    """A run. say: is given a line for each round."""

    def __init__(self, project: Project, home: Path, rounds: int, seed: int, rate: int, say: Say) -> None:
        self._project = project
        self._home = home
        self._rounds = rounds
        self._seed = seed
        self._rate = rate
        self._say = say
        self._accepted: set[str] = set()
        self._before = Counts()
        self.report = Report(seed)

    def run(self) -> Report:
        """All rounds, up to the first that is broken; everything is stopped at the end.

        Raises NorenError when a server does not start.
        """
        with stand(self._project, self._home, self._seed) as up:
            sinks = random.Random(f"{self._seed}/sinks")  # noqa: S311  (a run is to be repeatable)
            keeper = Keeper(lambda: up.start_pipeline(drawn_sink(sinks)))
            watch = Watch(up.journal, up.shard)
            tables = Tables(up.client, up.tables, STREAM, up.contract.identity[0])
            try:
                keeper.start()
                watch.start()
                keeper.wait_up(START_SECONDS)
                for number, planned in enumerate(draw(self._seed, self._rounds), 1):
                    done = _Round(up, keeper, watch, f"{self._seed}/{number}", self._rate)
                    found = done.run(number, planned)
                    self._balance(tables, up, keeper, done.traffic, found)
                    self.report.rounds.append(found)
                    self.report.problems += [f"round {number}: {problem}" for problem in found.problems]
                    self._say(found.line(self._rounds))
                    if found.problems:
                        return self.report
                keeper.stop()
                self.report.problems += _at_the_end(up, self._before)
            finally:
                keeper.stop()
                watch.stop()
        return self.report

    def _balance(self, tables: Tables, up: Stand, keeper: Keeper, traffic: Traffic, found: Round) -> None:
        counts = tables.count(up.published(), keeper.progress.get("duplicates", 0))
        self._accepted |= tables.accepted(traffic.began)
        found.problems += counts.problems()
        found.problems += lost(traffic.acknowledged, self._accepted, tables.dead(traffic.began))
        found.counts = Counts(
            *(getattr(counts, item.name) - getattr(self._before, item.name) for item in fields(Counts))
        )
        self._before = counts


class _Round:
    def __init__(self, up: Stand, keeper: Keeper, watch: Watch, seed: str, rate: int) -> None:
        self._up = up
        self._keeper = keeper
        self._watch = watch
        self._seed = seed
        self._failures: list[BaseException] = []
        self._scene = Scene(up, keeper, threading.Event())
        self.traffic = Traffic(up.topics, STREAM, f"{seed}/events", rate)

    def run(self, number: int, planned: list[Planned]) -> Round:
        """Publish and break until everything is recovered from, then wait until all is committed."""
        found = Round(number)
        starts, ends = self._keeper.starts, len(self._keeper.ends)
        self._start = time.monotonic()
        self.traffic.start()
        threads = []
        for item in planned:
            injected = Injected(item.kind, item.at)
            found.injected.append(injected)
            threads.append(threading.Thread(target=self._inject, args=(item, injected), name=item.kind))
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if self._failures:
                raise self._failures[0]
            self.traffic.check()
            for injected in found.injected:
                self._recover(injected, found)
        finally:
            self._scene.ended.set()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
            self.traffic.stop()
        end = time.monotonic()
        self._settle(found)
        found.available, found.watched = seconds_with(self._watch.signs, self._start, end)
        found.seconds = time.monotonic() - self._start
        found.starts = self._keeper.starts - starts
        found.ends = self._keeper.ends[ends:]
        found.problems += [f"the pipeline broke off: {end}" for end in found.ends if not end.startswith("noren: ")]
        return found

    def _inject(self, item: Planned, injected: Injected) -> None:
        try:
            if self._scene.ended.wait(max(0.0, self._start + item.at - time.monotonic())):
                return
            injected.began = round(time.monotonic() - self._start, 3)
            FAULTS[item.kind](self._scene, random.Random(f"{self._seed}/{item.kind}"))  # noqa: S311
            injected.ended = round(time.monotonic() - self._start, 3)
        except BaseException as error:  # noqa: BLE001  (handed to the main thread, which raises it)
            self._failures.append(error)

    def _recover(self, injected: Injected, found: Round) -> None:
        ended = self._start + injected.ended
        commit = self._watch.commit_after(ended, RECOVERY_SECONDS)
        if commit is None:
            found.problems.append(f"nothing was committed within {RECOVERY_SECONDS:.0f} s after {injected.kind}.")
        else:
            injected.recovered = round(commit - ended, 3)

    def _settle(self, found: Round) -> None:
        """Wait until everything that was published is accounted for and committed, under the newest policy."""
        published = self._up.published()
        seen, since = -1, time.monotonic()
        while True:
            progress = self._keeper.progress
            accounted = progress.get("accounted", 0)
            if accounted >= published and progress.get("committed") and progress.get("bundle") == self._up.bundle:
                return
            if accounted != seen:
                seen, since = accounted, time.monotonic()
            if time.monotonic() - since > STALL_SECONDS:
                found.problems.append(
                    f"the pipeline stands still: {accounted:,} of {published:,} messages are accounted for"
                    f"{'' if progress.get('committed') else ', not all committed'}; it runs policy bundle "
                    f"{progress.get('bundle')}, {self._up.bundle} is published."
                )
                return
            time.sleep(0.1)


def _at_the_end(up: Stand, counted: Counts) -> list[str]:
    """What a pipeline that ended in peace has left: an archive with every anonymized row once."""
    files = str(up.home / "archive" / STREAM / "**" / "*.parquet")
    rows, tokens = (
        pl.scan_parquet(files, missing_columns="insert", extra_columns="ignore", hive_partitioning=False)
        .select(pl.len(), pl.col("event_token").n_unique().alias("tokens"))
        .collect()
        .row(0)
    )
    if (rows, tokens) == (counted.anonymized, counted.anonymized):
        return []
    return [f"the archive has {rows:,} rows of {tokens:,} events; {counted.anonymized:,} are anonymized."]
