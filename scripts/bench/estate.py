"""A large project to measure access with: 200 datasets, 2,000 views, 500 groups; the same for the same arguments.

    python -m scripts.bench.estate DIRECTORY

writes what `noren acl` reads: `iam/`, the models and sources of `dbt/`, and the manifest that dbt would make of them,
with compiled SQL, under `dbt/target/`. The shape is that of a company: domains with a dataset in each layer, views over
views that are authorized one by one, groups within groups. Contracts and policy are those of the repository.
"""

import argparse
import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataflow.project import Project

Json = dict[str, Any]

PROJECT = "noren-estate"
COLUMNS = {
    "user_token": "pseudonym",
    "day": "quasi_identifier",
    "area": "location",
    "screen": "internal",
    "amount": "sensitive",
}
"""column of every table -> what it tells"""
TABLES = 3
"""Tables of an anonymized dataset."""
MEMBERS = 5
"""Members of a group that are people."""
KINDS = {"raw": "administration", "anonymized": "analysis", "warehouse": "analysis", "marts": "business"}
"""layer -> the kind of group that it is granted to"""


@dataclass
class View:
    """A view of the estate: `dataset.table`, what it reads, and its SQL."""

    dataset: str
    table: str
    reads: tuple[tuple[str, str], ...]
    columns: tuple[str, ...] = tuple(COLUMNS)

    @property
    def sql(self) -> str:
        return self._select([f"`{PROJECT}`.`{dataset}`.`{table}`" for dataset, table in self.reads])

    @property
    def model(self) -> str:
        """As dbt takes it."""
        return self._select(
            [
                f"{{{{ source('{dataset}', '{table}') }}}}"
                if dataset.startswith("anonymized")
                else f"{{{{ ref('{table}') }}}}"
                for dataset, table in self.reads
            ]
        )

    def _select(self, names: list[str]) -> str:
        first = f"SELECT {', '.join(f'a.{column}' for column in self.columns)} FROM {names[0]} AS a"  # noqa: S608
        joined = (f" JOIN {name} AS b{n} ON a.user_token = b{n}.user_token" for n, name in enumerate(names[1:]))
        return first + "".join(joined)


@dataclass
class Estate:
    """groups: name -> (kind, parents, members). grants: dataset -> groups that read it."""

    views: list[View] = field(default_factory=list)
    sources: list[tuple[str, str]] = field(default_factory=list)
    groups: dict[str, tuple[str, list[str], list[str]]] = field(default_factory=dict)
    grants: dict[str, list[str]] = field(default_factory=dict)


def invent(datasets: int = 200, views: int = 2000, groups: int = 500, seed: int = 1) -> Estate:
    """An estate in memory."""
    chance, estate = random.Random(seed), Estate()  # noqa: S311  no secret
    domains = [f"d{n:03}" for n in range(max(1, datasets // 4))]
    people = [f"person{n:04}@example.com" for n in range(groups * 3)]
    names = [f"g{n:03}@example.com" for n in range(groups)]
    for number, name in enumerate(names):
        kind = ("administration", "analysis", "analysis", "business")[number % 4]
        parents = [names[(number - 4) // 2 // 4 * 4 + number % 4]] if number >= 8 else []
        estate.groups[name] = (kind, parents, sorted(chance.sample(people, MEMBERS)))
    by_kind = {kind: [name for name, group in estate.groups.items() if group[0] == kind] for kind in KINDS.values()}
    for domain in domains:
        for layer, kind in KINDS.items():
            estate.grants[f"{layer}__{domain}"] = sorted(chance.sample(by_kind[kind], min(4, len(by_kind[kind]))))
        estate.sources += [(f"anonymized__{domain}", f"events{n}") for n in range(TABLES)]
    below: dict[str, list[tuple[str, str]]] = {domain: [] for domain in domains}
    for number in range(views):
        domain = domains[number % len(domains)]
        deep = number >= views * 2 // 5 and below[domain]
        layer = "marts" if deep else "warehouse"
        given = below[domain] if deep else [(f"anonymized__{domain}", f"events{n}") for n in range(TABLES)]
        view = View(f"{layer}__{domain}", f"v{number:04}", tuple(chance.sample(given, min(len(given), 1 + number % 3))))
        estate.views.append(view)
        if not deep or number % 5 == 0:
            below[domain].append((view.dataset, view.table))
    return estate


def write(root: Path, estate: Estate) -> Project:
    """The project of an estate, in `root`."""
    here = Project.find(Path(__file__))
    for folder in ("dataflow/contracts", "iam/datasets", "iam/authorized_views", "dbt/target", "dbt/models/staging"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(here.policy, root / "dataflow" / "policy.yaml")
    for contract in here.contracts.glob("*.yaml"):
        shutil.copyfile(contract, root / "dataflow" / "contracts" / contract.name)
    shutil.copyfile(here.iam / "layers.yaml", root / "iam" / "layers.yaml")
    owner: Json = {"role": "OWNER", "userByEmail": f"acl-applier@{PROJECT}.iam.gserviceaccount.com"}
    for dataset, readers in estate.grants.items():
        entries: list[Json] = [owner, *({"role": "READER", "groupByEmail": group} for group in readers)]
        _dump(root / "iam" / "datasets" / f"{dataset}.json", entries)
    authorized: dict[str, set[tuple[str, str]]] = {}
    for view in estate.views:
        for dataset, _ in view.reads:
            authorized.setdefault(dataset, set()).add((view.dataset, view.table))
    for dataset, views in authorized.items():
        _dump(
            root / "iam" / "authorized_views" / f"{dataset}.json",
            [{"view": _reference(*view)} for view in sorted(views)],
        )
    _dump(root / "iam" / "groups.json", list(_groups(estate)))
    _dump(root / "iam" / "project.json", [{"role": "roles/bigquery.jobUser", "domain": "example.com"}])
    applier: Json = {"email": owner["userByEmail"], "purpose": "Applies the access lists.", "active": True}
    _dump(root / "iam" / "principals.json", [applier])
    (root / "dbt" / "target" / "manifest.json").write_text(json.dumps(manifest(estate)), "utf-8")
    _write_dbt(root / "dbt", here.dbt, estate)
    return Project(root, PROJECT)


def _write_dbt(root: Path, own: Path, estate: Estate) -> None:
    """Models and sources. own: the dbt project of the repository, whose profile and names of datasets hold here too."""
    shutil.copyfile(own / "profiles.yml", root / "profiles.yml")
    (root / "macros").mkdir(exist_ok=True)
    shutil.copyfile(own / "macros" / "generate_schema_name.sql", root / "macros" / "generate_schema_name.sql")
    datasets = sorted({view.dataset for view in estate.views})
    config = {"+materialized": "view", **{dataset: {"+schema": dataset} for dataset in datasets}}
    project = {
        "name": "noren",
        "version": "1.0.0",
        "config-version": 2,
        "profile": "noren",
        "models": {"noren": config},
    }
    (root / "dbt_project.yml").write_text(json.dumps(project, indent=1), "utf-8")
    for dataset in datasets:
        (root / "models" / dataset).mkdir(exist_ok=True)
    for view in estate.views:
        (root / "models" / view.dataset / f"{view.table}.sql").write_text(f"{view.model}\n", "utf-8")
    columns = [
        {"name": column, "data_type": "STRING", "config": {"meta": {"classification": word}}}
        for column, word in COLUMNS.items()
    ]
    tables: dict[str, list[Json]] = {}
    for dataset, table in estate.sources:
        tables.setdefault(dataset, []).append({"name": table, "columns": columns})
    sources = [{"name": dataset, "schema": dataset, "tables": found} for dataset, found in tables.items()]
    document = {"version": 2, "sources": sources}  # JSON is YAML
    (root / "models" / "estate.yml").write_text(json.dumps(document, indent=1), "utf-8")


def manifest(estate: Estate) -> Json:
    """As dbt writes it, with what access and lineage read of it."""
    built = {(view.dataset, view.table): f"model.noren.{view.table}" for view in estate.views}
    nodes = {
        built[view.dataset, view.table]: {
            "unique_id": built[view.dataset, view.table],
            "resource_type": "model",
            "package_name": "noren",
            "name": view.table,
            "alias": view.table,
            "database": PROJECT,
            "schema": view.dataset,
            "relation_name": f"`{PROJECT}`.`{view.dataset}`.`{view.table}`",
            "original_file_path": f"models/{view.dataset}/{view.table}.sql",
            "patch_path": None,
            "description": "",
            "language": "sql",
            "raw_code": view.sql,
            "compiled_code": view.sql,
            "config": {"materialized": "view"},
            "columns": {column: {"name": column, "description": "", "meta": {}} for column in view.columns},
            "depends_on": {"macros": [], "nodes": [built.get(read) or _source(read) for read in view.reads]},
        }
        for view in estate.views
    }
    sources = {
        _source(table): {
            "unique_id": _source(table),
            "resource_type": "source",
            "package_name": "noren",
            "name": table[1],
            "identifier": table[1],
            "database": PROJECT,
            "schema": table[0],
            "original_file_path": "models/staging/sources.yml",
            "description": "",
            "config": {},
            "columns": {column: {"name": column, "description": "", "meta": {}} for column in COLUMNS},
        }
        for table in estate.sources
    }
    return {"metadata": {"project_name": "noren"}, "nodes": nodes, "sources": sources, "macros": {}}


def _groups(estate: Estate) -> Iterator[Json]:
    for name, (kind, parents, members) in estate.groups.items():
        owner = "ada@example.com"
        yield {
            "group": name,
            "kind": kind,
            "purpose": "Of the estate.",
            "owner": owner,
            "parents": parents,
            "members": members,
        }


def _source(table: tuple[str, str]) -> str:
    return f"source.noren.{table[0]}.{table[1]}"


def _reference(dataset: str, table: str) -> Json:
    return {"projectId": PROJECT, "datasetId": dataset, "tableId": table}


def _dump(path: Path, items: list[Json]) -> None:
    """A JSON list with an item a line, as people keep these files."""
    lines = ",\n".join(f"  {json.dumps(item)}" for item in items)
    path.write_text(f"[\n{lines}\n]\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser("estate", description="A large project to measure access with.")
    parser.add_argument("directory", type=Path)
    for name, number in (("datasets", 200), ("views", 2000), ("groups", 500), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=number)
    options = parser.parse_args()
    estate = invent(options.datasets, options.views, options.groups, options.seed)
    project = write(options.directory, estate)
    counts = f"{len(estate.grants)} datasets, {len(estate.views)} views, {len(estate.groups)} groups"
    print(f"{project.root}: {counts}")  # noqa: T201


if __name__ == "__main__":
    main()
