"""All cases, played on a real BigQuery and held against the engine."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from iam.engine import DatasetName, TableName, decide
from iam.verify.cases import ACTIONS, EMAIL, Case, Stage
from iam.verify.play import Answer, Player, SettingError

JOBS = "roles/bigquery.jobUser"
PUBLIC = ("allUsers", "allAuthenticatedUsers")
PAUSE = 5
"""Seconds between two questions: BigQuery takes a change of access for granted after seconds or minutes
(https://cloud.google.com/iam/docs/access-change-propagation)."""


class Outcome(StrEnum):
    """What came of a case."""

    SAME = "same"
    ALLOWS_MORE = "the engine allows what BigQuery denies"
    ALLOWS_LESS = "the engine denies what BigQuery allows"
    OTHER_ROWS = "other rows come than the case says"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Result:
    """case: its name. reason: why it was skipped, or what BigQuery said. expected: the engine's message of a denial."""

    case: str
    outcome: Outcome
    reason: str = ""
    expected: str = ""

    @property
    def differs(self) -> bool:
        return self.outcome not in (Outcome.SAME, Outcome.SKIPPED)


@dataclass(frozen=True)
class Means:
    """What can be played. people: the addresses of the cases that have a real one; None: all. public: whether datasets
    may be opened to everybody for a while. tags: names of policy tags that there are. gateway: the stack's gateway
    stands for BigQuery. groups, roles: whether the project has the cast's groups and grants."""

    people: frozenset[str] | None
    public: bool = False
    tags: frozenset[str] = frozenset()
    gateway: bool = False
    roles: bool = False


def unplayable(case: Case, means: Means, stage: Stage) -> str:
    """Why a case cannot be played here; empty when it can."""
    if means.gateway:
        return "" if case.served else "the gateway refuses it by design"
    original = next(c for c in Stage(stage.project).cases() if c.number == case.number)
    text = json.dumps({key: value for key, value in original.given.items() if key != "name"}) + original.caller
    if not means.public and any(f'"{word}"' in text for word in PUBLIC):
        return "opens a dataset to everybody; allow it with --public"
    if '"domain"' in text or "domain:" in text:
        return "speaks of a whole domain, which service accounts are not in"
    if "specialGroup" in text or (not means.roles and _roles(original) - {JOBS}):
        return "takes grants on the project"
    if means.people is not None:
        for email in (original.caller, *EMAIL.findall(text)):
            if email.lower() not in means.people and not email.startswith("ghosts@"):
                return f"needs somebody for {email.lower()}"
    for tags in original.given.get("tags", {}).values():
        if missing := sorted(set(tags.values()) - means.tags):
            return f"needs the policy tag {missing[0]}"
    return ""


def _roles(case: Case) -> set[str]:
    """Roles on the project that the cast gives the case's caller."""
    return {entry["role"] for entry in case.stage.cast["project"] if entry.get("userByEmail") == case.caller}


def expected(case: Case) -> str:
    """The engine's answer: the message of a denial, empty when it is allowed."""
    on, also = case.full(case.given["of"]), case.given.get("also")
    project = case.stage.project
    resource = TableName(project, *on.split(".")) if "." in case.given["of"] else DatasetName(project, on.rstrip("."))
    decisions = [decide(case.world(), case.caller, ACTIONS[case.do], resource, case.given.get("columns"))]
    if also:
        decisions.append(decide(case.world(), case.caller, ACTIONS[case.do], case.table(also)))
    return next((decision.denial for decision in decisions if not decision.allowed), "")


def verify(
    stage: Stage,
    player: Player,
    means: Means,
    *,
    patience: float = 0,
    threads: int = 1,
    wanted: Callable[[Case], bool] = lambda _: True,
    say: Callable[[Result], None] = lambda _: None,
) -> Iterator[Result]:
    """Play every case that can be played; one result each, in their order. What was made is in `player.made`: whoever
    calls throws it away.

    patience: seconds that an answer may take to become the expected one. wanted: which cases, of all.
    """

    def one(case: Case) -> Result:
        if why := unplayable(case, means, stage):
            return Result(case.name, Outcome.SKIPPED, why)
        try:
            player.set_up(case)
        except SettingError as error:
            return Result(case.name, Outcome.SKIPPED, f"BigQuery does not take its setting: {error}")
        return _asked(case, player, patience, stopped)

    stopped = threading.Event()
    pool = ThreadPoolExecutor(threads)
    try:
        for result in pool.map(one, filter(wanted, stage.cases())):
            say(result)
            yield result
    finally:
        stopped.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _asked(case: Case, player: Player, patience: float, stopped: threading.Event) -> Result:
    said = expected(case)
    until = time.monotonic() + patience
    while True:
        answer = player.ask(case)
        outcome = compared(case, said, answer)
        if outcome is Outcome.SAME or time.monotonic() >= until or stopped.wait(PAUSE):
            return Result(case.name, outcome, answer.message, said)


def compared(case: Case, said: str, answer: Answer) -> Outcome:
    """said: the engine's denial."""
    if answer.allowed and said:
        return Outcome.ALLOWS_LESS
    if not answer.allowed and not said:
        return Outcome.ALLOWS_MORE
    rows = case.given.get("allowed")
    if answer.allowed and answer.rows is not None and rows is not True and rows != answer.rows:
        return Outcome.OTHER_ROWS
    return Outcome.SAME
