"""Every change of an access list on record, before it is made: who, what, when, from which git revision.

The same lines tell later runs what this tool itself added (an additive list loses only that) and which view it was
that was authorized (one that was made again needs it anew).
"""

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from dataflow.errors import NorenError
from dataflow.ledger import Ledger, user
from dataflow.objects import Objects
from dataflow.project import Project
from dataflow.yaml_file import read_yaml
from iam.entries import Entry
from iam.plan import Change, Memory

LEDGER = "access"
PLACE = "NOREN_LEDGER"
"""Variable with the place of the ledgers, before the one in iam/ledger.yaml."""


class LedgerRecord:
    """`iam.apply.Record` on a ledger.

    who: the person or service identity that acts. revision: of the files, as git has it; `+` at its end says that they
    differ from it; empty outside of git.
    """

    def __init__(self, ledger: Ledger, who: str, revision: str) -> None:
        self.ledger, self._who, self._revision = ledger, who, revision

    def memory(self) -> Memory:
        lines = list(self.ledger.entries())
        lost = {line.details["line"] for line in lines if line.kind == "access.lost"}
        ours: dict[str, set[str]] = {}
        views: dict[str, dict[str, str]] = {}
        for line in lines:
            dataset = line.details.get("dataset", "")
            if line.kind == "access.intended" and line.number not in lost:
                here = ours.setdefault(dataset, set())
                here.difference_update(Entry(entry).key for entry in line.details["removed"])
                here.update(Entry(entry).key for entry in line.details["added"])
            elif line.kind == "access.authorized":
                views.setdefault(dataset, {}).update(line.details["views"])
        return Memory({dataset: frozenset(keys) for dataset, keys in ours.items()}, views)

    def intended(self, dataset: str, added: Iterable[Entry], removed: Iterable[Entry]) -> int:
        details = {
            "dataset": dataset,
            "added": [entry.canonical for entry in added],
            "removed": [entry.canonical for entry in removed],
            "revision": self._revision,
        }
        return self.ledger.append("access.intended", self._who, details).number

    def rows(self, change: Change) -> None:
        self.ledger.append("access.rows", self._who, {**change.as_json(), "revision": self._revision})

    def tags(self, change: Change) -> None:
        """Write down a change of a policy tag's readers, or of its columns, that is about to be made."""
        self.ledger.append("access.tags", self._who, {**change.as_json(), "revision": self._revision})

    def lost(self, line: int) -> None:
        self.ledger.append("access.lost", self._who, {"line": line})

    def authorized(self, dataset: str, views: Mapping[str, str]) -> None:
        self.ledger.append("access.authorized", self._who, {"dataset": dataset, "views": dict(views)})


def record_of(project: Project, ledgers: Objects) -> LedgerRecord:
    """The record of a project's changes in the store `ledgers`, for whoever runs this process."""
    return LedgerRecord(Ledger(ledgers, LEDGER), user(), revision(project.root))


def place_of_ledgers(project: Project) -> str:
    """Where the ledgers of a project in the cloud lie, as `open_objects` takes it: `NOREN_LEDGER`, else `place` of
    iam/ledger.yaml, else a directory below `.noren/`. A directory is of the project's root.

    Raises NorenError when the file is wrong.
    """
    if place := os.environ.get(PLACE):
        return _absolute(project, place)
    file = project.iam / "ledger.yaml"
    content = read_yaml(file, "iam/ledger.yaml") if file.exists() else {"place": ".noren/ledger/${project}"}
    if not isinstance(content, dict) or set(content) != {"place"} or not isinstance(content["place"], str):
        raise NorenError(
            "iam/ledger.yaml: must be one line, `place:` with a directory, gs://BUCKET/PREFIX or "
            "bigquery://PROJECT.DATASET.TABLE."
        )
    return _absolute(project, content["place"].replace("${project}", project.id))


def _absolute(project: Project, place: str) -> str:
    return place if "://" in place else str(project.root / place)


def revision(root: Path) -> str:
    """The commit of the files of iam/, with `+` when they differ from it; empty where there is no git."""
    commit, status = (_git(root, *words) for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--", "iam")))
    return f"{commit}{'+' * bool(status)}" if commit else ""


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)  # noqa: S603, S607
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
