"""The cases of cases.yaml, read for the engine and for the gateway.

Datasets of a case get its number as a prefix, so that all of them live in one project.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
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
NAME = re.compile(r"\b([a-zA-Z]+)\.([a-z]\w*)\b")
"""`d.t` in the cases' SQL and references."""
FILE = yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text("utf-8").replace("${p}", PROJECT))
CAST = FILE["cast"]


@dataclass(frozen=True)
class Case:
    """One case. number: its place in the file."""

    number: int
    given: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.given["name"])

    @property
    def caller(self) -> str:
        return str(self.given.get("as", "ana@example.com"))

    @property
    def do(self) -> str:
        return str(self.given.get("do", "query"))

    @property
    def served(self) -> bool:
        """Whether the gateway does what BigQuery does."""
        return "gateway" not in self.given

    def dataset(self, short: str) -> str:
        return f"c{self.number:03}_{short}"

    def full(self, name: str) -> str:
        """`c001_d.t` of `d.t`"""
        dataset, _, table = name.partition(".")
        return f"{self.dataset(dataset)}.{table}"

    def table(self, name: str) -> TableName:
        return TableName(PROJECT, *self.full(name).split("."))

    def sql(self, text: str) -> str:
        """With names in full: only those of the case's own datasets."""
        known = set(self.given["datasets"])
        return NAME.sub(lambda m: f"`{PROJECT}`.{self.full(m[0])}" if m[1] in known else m[0], text)

    @property
    def query(self) -> str:
        if "sql" in self.given:
            return self.sql(self.given["sql"])
        of = self.full(self.given["of"]) + ("()" if "routines" in self.given else "")
        return f"SELECT {', '.join(self.given.get('columns', ['*']))} FROM {of}"

    @cached_property
    def access(self) -> dict[str, list[dict[str, Any]]]:
        """dataset -> its entries in BigQuery's shape."""
        return {
            self.dataset(name): [self._entry(e, name) for e in items] for name, items in self.given["datasets"].items()
        }

    def _entry(self, entry: dict[str, Any], dataset: str) -> dict[str, Any]:
        found = json.loads(json.dumps(entry).replace("${d}", self.dataset(dataset)))
        for kind, key in (("view", "tableId"), ("routine", "routineId")):
            if kind in found:
                home, _, name = found[kind].partition(".")
                found[kind] = {"projectId": PROJECT, "datasetId": self.dataset(home), key: name}
        if "dataset" in found:
            reference = {"projectId": PROJECT, "datasetId": self.dataset(found["dataset"])}
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
        return self._filled(FILE["messages"][kind], on)

    def _filled(self, message: str, on: str) -> str:
        full = self.full(on) if "." in on else self.dataset(on)
        if on.count(".") == 2:
            full = f"{self.full(on.rpartition('.')[0])}.{on.rpartition('.')[2]}"
        return message.replace("{p}", PROJECT).replace("{on}", full).replace("{d.t}", full)

    @cached_property
    def row_policies(self) -> dict[str, list[dict[str, Any]]]:
        return {self.full(name): policies for name, policies in self.given.get("row_policies", {}).items()}

    @cached_property
    def tags(self) -> dict[str, dict[str, str]]:
        return {self.full(name): tags for name, tags in self.given.get("tags", {}).items()}

    def world(self) -> World:
        """What the engine is given."""

        def name(full: str) -> TableName:
            return TableName(PROJECT, *full.split("."))

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
            touches = touched(sql, PROJECT, None, lambda _: COLUMNS)
            tables[name(full)] = Table(name(full), Kind.VIEW, view_sources(sql, PROJECT), touches=touches)
        for short, sql in self.given.get("routines", {}).items():
            tables[self.table(short)] = Table(self.table(short), Kind.ROUTINE, view_sources(self.sql(sql), PROJECT))
        datasets = {
            (home := DatasetName(PROJECT, dataset)): Dataset(home, tuple(map(Entry, entries)))
            for dataset, entries in self.access.items()
        }
        return World(PROJECT, groups(), datasets, tables, policy_tags(), {PROJECT: tuple(map(Entry, CAST["project"]))})


def groups() -> Groups:
    return Groups(
        Group(name, "analysis", "", "", frozenset(said.get("parents", ())), frozenset(said["members"]))
        for name, said in CAST["groups"].items()
    )


def policy_tags() -> dict[str, Any]:
    tags = CAST["policy_tags"]
    return {
        tag["policyTag"]: policy_tag(
            PolicyTag(
                tag["policyTag"],
                "",
                tuple(tag["readers"]),
                {reader: mask["predefinedExpression"] for mask in tag["masked"] for reader in mask["readers"]},
            )
        )
        for tag in tags
    }


def files() -> dict[str, list[dict[str, Any]]]:
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
            for name, said in CAST["groups"].items()
        ],
        "project.json": CAST["project"],
        "policy_tags.json": CAST["policy_tags"],
    }


def cases() -> Iterator[Case]:
    for number, given in enumerate(FILE["cases"]):
        yield Case(number, given)
