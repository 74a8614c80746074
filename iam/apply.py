"""Writes the access files to live datasets: one read, one comparison and at most one patch a dataset.

Two owners of a dataset's access list lose each other's entries, and concurrent writers leave views unauthorized
(dbt-bigquery#126, #266): so a patch carries the etag that was read, and on 412 everything is read again. Datasets take
five updates in ten seconds: nothing is sent where nothing differs (terraform-provider-google#7224).

Two phases, because a view is built after its dataset exists and authorized after it is built: `grants_only` before the
build, everything after it. Row access policies come before authorizations: a table that was made again has lost its
own, and nobody is to see it whole through a view. The authorization of a view that was made again is taken away and
given anew, in two patches: a kill between them leaves a list that the next run completes.
"""

import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from dataflow.errors import NorenError
from iam.entries import Entry, entries
from iam.files import AccessFiles
from iam.live import Live
from iam.lockout import may_change
from iam.plan import (
    EVERYTHING,
    GRANTS_ONLY,
    NOTHING,
    Change,
    DatasetPlan,
    Memory,
    Settings,
    creation,
    new,
    plan,
    stated,
)
from iam.rows import apply_rows

if TYPE_CHECKING:
    from google.cloud import bigquery

ATTEMPTS = 20
"""Reads and writes of one dataset that lose against other writers before it is given up."""
PAUSE_SECONDS = 0.1


class Record(Protocol):
    """Where changes are written down, and what earlier ones were (`iam.record`)."""

    def memory(self) -> Memory:
        """What earlier runs left."""

    def intended(self, dataset: str, added: Iterable[Entry], removed: Iterable[Entry]) -> int:
        """Write down what is about to be sent; the line's number."""

    def rows(self, change: Change) -> None:
        """Write down a change of a row access policy that is about to be made."""

    def tags(self, change: Change) -> None:
        """Write down a change of a policy tag's readers, or of its columns, that is about to be made."""

    def lost(self, line: int) -> None:
        """What was intended was not done: another writer was first."""

    def authorized(self, dataset: str, views: Mapping[str, str]) -> None:
        """Key of a view's entry -> when that view was made, as it is authorized now."""


class Nowhere:
    """For a run that keeps no record: an additive list then loses nothing, and views made again are not noticed."""

    def memory(self) -> Memory:
        return NOTHING

    def intended(self, dataset: str, added: Iterable[Entry], removed: Iterable[Entry]) -> int:  # noqa: ARG002
        return 0

    def rows(self, change: Change) -> None:
        pass

    def tags(self, change: Change) -> None:
        pass

    def lost(self, line: int) -> None:
        pass

    def authorized(self, dataset: str, views: Mapping[str, str]) -> None:
        pass


def apply(
    client: "bigquery.Client",
    files: AccessFiles,
    *,
    grants_only: bool = False,
    dry_run: bool = False,
    settings: Settings | None = None,
    record: Record | None = None,
    say: Callable[[Change], None] = lambda _: None,
) -> list[Change]:
    """Make every live dataset's access list what the files say.

    grants_only: leave authorized views, datasets and routines as they are (the phase before the build).
    dry_run: read and compare, write nothing.
    settings: more than `grants_only` says; then that does not count.
    record: where changes are written down, before they are made.
    say: is given each change as soon as it is made.
    Raises NorenError when BigQuery refuses, or when other writers win ATTEMPTS times; earlier datasets stay changed,
    and another call goes on from there.
    """
    settings = settings or (GRANTS_ONLY if grants_only else EVERYTHING)
    record = record or Nowhere()
    run = _Run(Live(client), files, settings, record, record.memory(), dry_run)
    names = stated(files)
    run.live.read(names)
    if not settings.grants_only:
        run.live.look(entry for found in files.authorized.values() for entry in found)
    if not dry_run:
        run.check_rights()
    done = apply_rows(run.live, files, settings, dry_run=dry_run, intended=record.rows)
    for change in done:
        say(change)
    for dataset in names:
        changes = run.dataset(dataset)
        for change in changes:
            say(change)
        done.extend(changes)
    return done


class _Run:
    """One run over all datasets."""

    def __init__(
        self, live: Live, files: AccessFiles, settings: Settings, record: Record, memory: Memory, dry_run: bool
    ) -> None:
        self.live, self.files, self.settings = live, files, settings
        self.record, self.memory, self.dry_run = record, memory, dry_run

    def dataset(self, dataset: str) -> list[Change]:
        """The changes of one dataset, made (or not, in a dry run)."""
        settings, memory = self.settings, self.memory
        said: dict[Change, None] = {}
        for attempt in range(ATTEMPTS):
            resource = self.live.dataset(dataset)
            if resource is None:
                if (made := self._create(dataset)) is None:
                    continue
                said |= dict.fromkeys(made)
                if self.dry_run or dataset not in self.files.datasets:
                    return list(said)
                continue
            wanted = plan(self.files, dataset, resource.get("access", []), self.live.created, settings, memory)
            if self.dry_run or not wanted.differs:
                said |= dict.fromkeys(c for c in wanted.changes if self.dry_run or not c.changes)
                self._authorized(dataset, wanted)
                return list(said)
            line = self.record.intended(dataset, wanted.added, (*wanted.removed, *wanted.renewed))
            if not self.live.patch(dataset, wanted.access, resource["etag"]):
                self.record.lost(line)
                time.sleep(PAUSE_SECONDS * random.uniform(1, 2 + attempt))  # noqa: S311
                continue
            renewed = {str(entry) for entry in wanted.renewed}
            said |= dict.fromkeys(
                c
                for c in wanted.changes
                if c.changes and not (c.action == "add" and Change(dataset, "renew", c.what) in said)
            )
            if not renewed:
                said |= dict.fromkeys(c for c in wanted.changes if not c.changes)
                self._authorized(dataset, wanted)
                return list(said)
            settings, memory = _after_renewal(dataset, wanted, settings, memory)
        raise NorenError(f"dataset {dataset}: other writers changed it {ATTEMPTS} times in between: try again later.")

    def check_rights(self) -> None:
        """Raises NorenError, before anything is changed, when the applier may not change a list that differs."""
        identity = self.settings.identity
        if identity is None:
            return
        refused = []
        for dataset, resource in self.live.known().items():
            access = (resource or {}).get("access") or []
            if resource is None or may_change(self.files, entries(access), identity):
                continue
            if plan(self.files, dataset, access, self.live.created, self.settings, self.memory).differs:
                refused.append(dataset)
        if refused:
            raise NorenError(
                f"{identity} may not change the access lists of {', '.join(sorted(refused))}: it needs "
                "bigquery.datasets.update on each dataset that is read, so make it OWNER there. Nothing was changed."
            )

    def _create(self, dataset: str) -> list[Change] | None:
        """None when somebody else made it in the meantime."""
        if dataset not in self.files.datasets:
            return [
                Change(dataset, "skip", str(entry), "its dataset does not exist and has no file in iam/datasets/")
                for entry in (() if self.settings.grants_only else self.files.authorized[dataset])
            ]
        if self.dry_run:
            return creation(self.files, dataset, self.live.created, self.settings)
        changes = creation(self.files, dataset, self.live.created, replace(self.settings, grants_only=True))
        line = self.record.intended(dataset, self.files.datasets[dataset], ())
        if not self.live.create(new(self.files, dataset)):
            self.record.lost(line)
            return None
        self.live.forget()
        return changes

    def _authorized(self, dataset: str, wanted: DatasetPlan) -> None:
        """Write down as what each authorized view was known, where that is news."""
        if self.dry_run or self.settings.grants_only:
            return
        known = self.memory.views.get(dataset, {})
        here = frozenset(self.files.authorized.get(dataset, ()))
        live = (entry for entry in (*wanted.present, *wanted.added) if entry.kind == "view" and entry in here)
        views = {entry.key: made for entry in live if (made := self.live.created(entry)) is not None}
        if views and any(known.get(key) != made for key, made in views.items()):
            self.record.authorized(dataset, views)


def _after_renewal(dataset: str, wanted: DatasetPlan, settings: Settings, memory: Memory) -> tuple[Settings, Memory]:
    """What is renewed once is not renewed again in the same run, whoever adds it back."""
    views = {(entry.subject["datasetId"], entry.subject["tableId"]) for entry in wanted.renewed}
    keys = {entry.key for entry in wanted.renewed}
    known = {key: made for key, made in memory.views.get(dataset, {}).items() if key not in keys}
    return replace(settings, rebuilt=settings.rebuilt - views), replace(memory, views={**memory.views, dataset: known})
