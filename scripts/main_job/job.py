"""The main job in order: grant, stream, build, authorize, ask; and whether all of it adds up."""

import datetime
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataflow import names
from dataflow.contract import Contract, load_contracts
from dataflow.errors import NorenError
from dataflow.project import Project
from scripts.main_job.checkins import checkins
from scripts.main_job.leaks import Scan, personal_values, scan
from scripts.main_job.pipeline import PipelineProcess
from scripts.main_job.questions import Answer, ask_everybody
from scripts.main_job.simulate import simulate
from scripts.stack.pubsub import statistics
from scripts.stack.streams import LocalTopics

if TYPE_CHECKING:
    from scripts.build.process import Process
    from scripts.stack.endpoints import Endpoints

type Say = Callable[[str], None]


@dataclass(frozen=True)
class Input:
    """What is published. description: in words, for the first line that is printed."""

    stream: str
    payloads: list[bytes]
    description: str


@dataclass
class Result:
    """What came out. problems: everything that does not add up, in words; empty when all is well."""

    published: int = 0
    raw: int = 0
    anonymized: int = 0
    dead: int = 0
    duplicates: int = 0
    seconds: float = 0.0
    events_per_second: float = 0.0
    unknown_fields: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    scanned: Scan | None = None
    problems: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """As `--summary` writes it."""
        return {
            "published": self.published,
            "raw": self.raw,
            "anonymized": self.anonymized,
            "dead": self.dead,
            "duplicates": self.duplicates,
            "seconds": round(self.seconds, 3),
            "events_per_second": round(self.events_per_second, 1),
            "who_saw_what": [answer.to_dict() for answer in self.answers],
            "dead_by_reason": self.reasons,
            "unknown_fields": self.unknown_fields,
            "values_scanned": self.scanned.values if self.scanned else 0,
            "problems": self.problems,
        }


def read_input(file: Path | None, events: int, seed: int) -> Input:
    """Check-ins from a file, or a simulated app. Raises NorenError when the file is not of its shape."""
    if file is not None:
        payloads = checkins(file)
        return Input("checkin", payloads, f"{len(payloads):,} check-ins of {file.name}")
    simulation = simulate(events, seed, datetime.datetime.now(datetime.UTC))
    return Input(
        "app_event",
        simulation.payloads,
        f"{len(simulation.payloads):,} simulated app events, among them {simulation.malformed} malformed, "
        f"{simulation.duplicates} sent twice and {simulation.late} late",
    )


class MainJob:
    """One run on a stack that is up and empty.

    say: is given a line for each stage when it is done.
    show: is given the pipeline's progress while events stream.
    """

    def __init__(
        self, project: Project, stack: "Endpoints", source: Input, say: Say, show: Callable[[Any], None]
    ) -> None:
        self._project = project
        self._stack = stack
        self._source = source
        self._say = say
        self._show = show
        self._contracts = load_contracts(project.contracts)
        self._contract: Contract = self._contracts[source.stream]
        self._client = stack.warehouse_client()
        self.result = Result()

    def run(self, dbt: "Process | None" = None) -> Result:
        """All stages. dbt: a loaded dbt (`scripts.build.process.prepared`), so that its start-up overlaps ours."""
        started = time.monotonic()
        self.grant(grants_only=True)
        self.stream()
        self.build(dbt)
        self.grant(grants_only=False)
        self.ask()
        self.scan()
        self.result.seconds = time.monotonic() - started
        return self.result

    def grant(self, *, grants_only: bool) -> None:
        """Apply the access files as the applier, through the gateway."""
        from iam.apply import apply
        from iam.files import load
        from scripts.stack.callers import caller_client

        files = load(self._project)
        client = caller_client(self._stack, f"acl-applier@{self._stack.project_id}.iam.gserviceaccount.com")
        changes = apply(client, files, grants_only=grants_only)
        if grants_only:
            created = sum(change.action == "create" for change in changes)
            self._say(f"grant      {created} datasets made and granted from {len(files.datasets)} files")
            return
        views = sum(change.action == "add" for change in changes)
        self._say(f"authorize  {views} views authorized along the chain")
        self.result.problems += [f"authorize: {change}" for change in changes if change.action == "skip"]

    def stream(self) -> None:
        """Publish everything, run the pipeline beside it, and count what became of the events."""
        payloads = self._source.payloads
        with LocalTopics(self._stack.project_id, self._stack.pubsub) as topics:
            topics.ensure(self._contracts.values())
            pipeline = PipelineProcess(self._source.stream, self._stack.home.root, self._project.root)
            try:
                publisher = threading.Thread(target=topics.publish, args=(self._source.stream, payloads))
                publisher.start()
                publisher.join()
                topic = topics.topic(self._source.stream)
                self.result.published = statistics(self._stack.pubsub)["topics"][topic]["published"]
                progress = pipeline.wait_for(self.result.published, self._show)
            finally:
                pipeline.stop()
        self._count(progress)

    def _count(self, progress: dict[str, Any]) -> None:
        result = self.result
        result.raw = self._rows(f"{names.raw(self._contract.domain)}.{self._contract.stream}")
        result.anonymized = self._rows(f"{names.anonymized(self._contract.domain)}.{self._contract.stream}")
        result.dead = self._rows(".".join(names.DEAD_LETTERS))
        result.duplicates = progress["duplicates"]
        result.reasons = progress["reasons"]
        result.unknown_fields = progress["unknown_fields"]
        result.events_per_second = progress["accounted"] / progress["seconds"]
        self._say(
            f"stream     {result.published:,} published = {result.raw:,} raw + {result.dead:,} dead "
            f"+ {result.duplicates:,} duplicates; {result.anonymized:,} anonymized; "
            f"{result.events_per_second:,.0f} events/s"
        )
        if result.reasons:
            reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(result.reasons.items()))
            self._say(f"           dead letters: {reasons}")
        if result.published != len(self._source.payloads):
            result.problems.append(
                f"{len(self._source.payloads):,} sent but {result.published:,} accepted by the broker"
            )
        if result.published != result.raw + result.dead + result.duplicates:
            result.problems.append("published is not raw + dead + duplicates")
        if result.raw != result.anonymized:
            result.problems.append("raw is not anonymized")

    def _rows(self, table: str) -> int:
        return int(next(iter(self._client.query_and_wait(f"SELECT COUNT(*) FROM {table}")))[0])  # noqa: S608

    def build(self, dbt: "Process | None") -> None:
        """Build warehouse and marts through the gateway, as the service identity dbt."""
        from scripts.build.build import build

        done = build(self._project, home=self._stack.home.root, process=dbt)
        if done.exit_code:
            failed = [node.name for node in done.nodes if node.failed]
            raise NorenError(f"dbt: {', '.join(failed)}: {done.error or 'failed'}; see noren build.")
        self._say(f"build      {len(done.nodes)} views by dbt, in {done.seconds:.1f} s")

    def ask(self) -> None:
        """The same questions by people of different groups."""
        self.result.answers = ask_everybody(self._stack, self._source.stream)
        for answer in self.result.answers:
            if not answer.expected:
                got = answer.error or f"{len(answer.rows or [])} rows"
                self.result.problems.append(f"{answer.member} asked {answer.table} and got {got}")

    def scan(self) -> None:
        """Look for raw values behind the curtain."""
        found = self.result.scanned = scan(self._client, personal_values(self._contract, self._source.payloads))
        self._say(
            f"scan       {found.values:,} values of {len(found.tables)} tables: "
            f"{len(found.leaks) or 'none'} of the {found.sought:,} raw values found"
        )
        self.result.problems += [f"raw {leak.field} stands in {leak.table}.{leak.column}" for leak in found.leaks]
