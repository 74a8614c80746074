"""BigQuery's documented access semantics, case by case: cases.yaml, for the engine, the gateway and BigQuery itself.

Datasets of a case get its number as a prefix, so that all of them live in one project.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from iam.columns import touched
from iam.engine import Action, Dataset, DatasetName, Kind, RowPolicy, Table, TableName, World
from iam.engine.from_files import policy_tag
from iam.entries import Entry
from iam.files import PolicyTag
from iam.groups import Group, Groups
from iam.references import view_sources

PROJECT = "noren-cases"
COLUMNS = ("a", "b", "secret")
ACTIONS = {
    "query": Action.QUERY,
    "list": Action.LIST_ROWS,
    "copy": Action.COPY,
    "dml": Action.CHANGE_ROWS,
    "metadata": Action.METADATA,
    "write": Action.WRITE,
    "own": Action.OWN,
}
ANA = "ana@example.com"
"""Who asks where a case does not say."""
JOBLESS = "eve@other.com"
"""Who may run no jobs."""
EMAIL = re.compile(r"[A-Za-z][\w.-]*@[\w.-]*\w")
NAME = re.compile(r"\b([a-zA-Z]+)\.([a-z]\w*)\b")
"""`d.t` in the cases' SQL and references."""
FILE = Path(__file__).with_name("cases.yaml")


@dataclass(frozen=True)
class Stage:
    """Where the cases are played. project: its id. prefix: of all datasets. people: an address of the cases -> the real
    one of somebody or of a group."""

    project: str = PROJECT
    prefix: str = ""
    people: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def file(self) -> dict[str, Any]:
        """cases.yaml, with the stage's names."""
        text = FILE.read_text("utf-8").replace("${p}", self.project)
        found: dict[str, Any] = yaml.safe_load(EMAIL.sub(lambda m: self.people.get(m[0].lower(), m[0]), text))
        return found

    @property
    def cast(self) -> dict[str, Any]:
        cast: dict[str, Any] = self.file["cast"]
        return cast

    @property
    def grants(self) -> tuple[Entry, ...]:
        """On the project. Real people have no domain of theirs: each but eve runs jobs by a grant of its own."""
        mapped = [real for email, real in self.people.items() if email != JOBLESS]
        jobs = [{"role": "roles/bigquery.jobUser", "userByEmail": real} for real in mapped]
        return tuple(map(Entry, (*self.cast["project"], *jobs)))

    def cases(self) -> Iterator["Case"]:
        for number, given in enumerate(self.file["cases"]):
            yield Case(number, given, self)

    def groups(self) -> Groups:
        return Groups(
            Group(name, "analysis", "", "", frozenset(said.get("parents", ())), frozenset(said["members"]))
            for name, said in self.cast["groups"].items()
        )

    def policy_tags(self) -> dict[str, Any]:
        return {
            tag["policyTag"]: policy_tag(
                PolicyTag(
                    tag["policyTag"],
                    "",
                    tuple(tag["readers"]),
                    {reader: mask["predefinedExpression"] for mask in tag["masked"] for reader in mask["readers"]},
                )
            )
            for tag in self.cast["policy_tags"]
        }

    def files(self) -> dict[str, list[dict[str, Any]]]:
        """File of iam/ -> its content, as the gateway reads it."""
        return {
            "groups.json": [
                {
                    "group": name,
                    "kind": "analysis",
                    "purpose": "Of the cases.",
                    "owner": "ada@example.com",
                    "parents": said.get("parents", []),
                    "members": said["members"],
                }
                for name, said in self.cast["groups"].items()
            ],
            "project.json": self.cast["project"],
            "policy_tags.json": self.cast["policy_tags"],
        }


@dataclass(frozen=True)
class Case:
    """One case. number: its place in the file."""

    number: int
    given: dict[str, Any]
    stage: Stage

    @property
    def name(self) -> str:
        return str(self.given["name"])

    @property
    def caller(self) -> str:
        return str(self.given.get("as") or self.stage.people.get(ANA, ANA))

    @property
    def do(self) -> str:
        return str(self.given.get("do", "query"))

    @property
    def served(self) -> bool:
        """Whether the gateway does what BigQuery does."""
        return "gateway" not in self.given

    def dataset(self, short: str) -> str:
        return f"{self.stage.prefix}c{self.number:03}_{short}"

    def full(self, name: str) -> str:
        """`c001_d.t` of `d.t`"""
        dataset, _, table = name.partition(".")
        return f"{self.dataset(dataset)}.{table}"

    def table(self, name: str) -> TableName:
        return TableName(self.stage.project, *self.full(name).split("."))

    def sql(self, text: str) -> str:
        """With names in full: only those of the case's own datasets."""
        known = set(self.given["datasets"])
        return NAME.sub(lambda m: f"`{self.stage.project}`.{self.full(m[0])}" if m[1] in known else m[0], text)

    @property
    def query(self) -> str:
        if "sql" in self.given:
            return self.sql(self.given["sql"])
        of = self.full(self.given["of"]) + ("()" if "routines" in self.given else "")
        return f"SELECT {', '.join(self.given.get('columns', ['*']))} FROM {of}"  # noqa: S608 - of our own cases

    @cached_property
    def access(self) -> dict[str, list[dict[str, Any]]]:
        """dataset -> its entries in BigQuery's shape."""
        return {
            self.dataset(name): [self._entry(e, name) for e in items] for name, items in self.given["datasets"].items()
        }

    def _entry(self, entry: dict[str, Any], dataset: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(json.dumps(entry).replace("${d}", self.dataset(dataset)))
        for kind, key in (("view", "tableId"), ("routine", "routineId")):
            if kind in found:
                home, _, name = found[kind].partition(".")
                found[kind] = {"projectId": self.stage.project, "datasetId": self.dataset(home), key: name}
        if "dataset" in found:
            reference = {"projectId": self.stage.project, "datasetId": self.dataset(found["dataset"])}
            found["dataset"] = {"dataset": reference, "targetTypes": found.pop("targetTypes")}
        return found

    @cached_property
    def views(self) -> dict[str, str]:
        return {self.full(name): self.sql(text) for name, text in self.given.get("views", {}).items()}

    @cached_property
    def tables(self) -> list[str]:
        """Plain tables that the case names."""
        text = json.dumps([self.given[key] for key in ("of", "sql", "views", "routines") if key in self.given])
        named = {m[0] for m in NAME.finditer(text) if m[1] in self.given["datasets"]}
        named -= {*self.given.get("views", {}), *self.given.get("routines", {})}
        return sorted(map(self.full, {name for name in named if name.split(".")[1] in ("t", "u")}))

    @property
    def denial(self) -> str:
        """The exact message that is expected; empty when it is allowed."""
        said = self.given.get("denied", "")
        if not said or said.startswith("Access Denied"):
            return self._filled(said, "d.t") if said else ""
        kind, _, on = said.partition(" ")
        return self._filled(self.stage.file["messages"][kind], on)

    def _filled(self, message: str, on: str) -> str:
        full = self.full(on) if "." in on else self.dataset(on)
        if on.count(".") == 2:
            full = f"{self.full(on.rpartition('.')[0])}.{on.rpartition('.')[2]}"
        return message.replace("{p}", self.stage.project).replace("{on}", full).replace("{d.t}", full)

    @cached_property
    def row_policies(self) -> dict[str, list[dict[str, Any]]]:
        return {self.full(name): policies for name, policies in self.given.get("row_policies", {}).items()}

    @cached_property
    def tags(self) -> dict[str, dict[str, str]]:
        return {self.full(name): tags for name, tags in self.given.get("tags", {}).items()}

    def world(self) -> World:
        """What the engine is given."""
        project = self.stage.project

        def name(full: str) -> TableName:
            return TableName(project, *full.split("."))

        tables = {
            name(full): Table(
                name(full),
                tags=self.tags.get(full, {}),
                row_policies=tuple(
                    RowPolicy(p["policy"], p["filter"], frozenset(p["grantees"]))
                    for p in self.row_policies.get(full, ())
                ),
            )
            for full in self.tables
        }
        for full, sql in self.views.items():
            touches = touched(sql, project, None, lambda _: COLUMNS)
            tables[name(full)] = Table(name(full), Kind.VIEW, view_sources(sql, project), touches=touches)
        for short, sql in self.given.get("routines", {}).items():
            tables[self.table(short)] = Table(self.table(short), Kind.ROUTINE, view_sources(self.sql(sql), project))
        datasets = {
            (home := DatasetName(project, dataset)): Dataset(home, tuple(map(Entry, entries)))
            for dataset, entries in self.access.items()
        }
        return World(
            project,
            self.stage.groups(),
            datasets,
            tables,
            self.stage.policy_tags(),
            {project: self.stage.grants},
        )
