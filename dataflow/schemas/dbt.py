"""dbt sources: the anonymized tables of every contract, as the models of `dbt/` read them.

One source a dataset, one table a stream. A column carries what the contract says it is (`classification`) and what the
policy does with it (`method`), so that documentation and lineage show both without a second schema.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from dataflow.contract import Contract, load_contracts
from dataflow.policy import Policy, load_policy
from dataflow.project import Project
from dataflow.schemas.columns import Column, Table
from dataflow.schemas.tables import anonymized_table

HEADER = "# Made by `noren contract render dbt` (and by `noren build`); edit the contract or the policy instead.\n"

FILE = Path("dbt", "models", "staging", "sources.yml")
"""Relative to the project's root."""

FRESHNESS = {"warn_after": {"count": 6, "period": "hour"}, "error_after": {"count": 24, "period": "hour"}}
"""`dbt source freshness`: since the newest receive time, which the policy may coarsen by an hour or a day."""


def files(project: Project) -> dict[Path, str]:
    """The sources file of a project: {path relative to its root: text}.

    Raises NorenError when a contract or the policy is wrong.
    """
    policy = load_policy(project.policy)
    return {FILE: sources(load_contracts(project.contracts).values(), policy)}


def sources(contracts: Iterable[Contract], policy: Policy) -> str:
    """The YAML of dbt's sources, in the order of the contracts (https://docs.getdbt.com/reference/source-properties)."""
    by_dataset: dict[str, list[dict[str, Any]]] = {}
    for contract in contracts:
        table = anonymized_table(contract, policy)
        by_dataset.setdefault(table.dataset, []).append(_table(contract, table))
    document = {
        "version": 2,
        "sources": [
            {
                "name": dataset,
                "schema": dataset,
                "description": "The pseudonymized lane: keyed tokens for identifiers, personal data still.",
                "config": {
                    "meta": {"lane": "pseudonymized"},
                    "loaded_at_field": "receive_time",
                    "freshness": FRESHNESS,
                },
                "tables": tables,
            }
            for dataset, tables in by_dataset.items()
        ],
    }
    return HEADER + yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _table(contract: Contract, table: Table) -> dict[str, Any]:
    return {
        "name": table.name,
        "description": table.description,
        "config": {"meta": {"contract": f"{contract.stream} {contract.version}", "partition_by": table.partition_by}},
        "columns": [entry for column in table.columns for entry in _columns(column)],
    }


def _columns(column: Column) -> Iterator[dict[str, Any]]:
    """A column and, for a struct, the columns below it under dotted names, which is how dbt knows nested ones."""
    entry: dict[str, Any] = {"name": column.path, "data_type": _type(column), "description": column.description}
    meta = {"classification": column.classification and column.classification.value, "method": column.method}
    if told := {key: value for key, value in meta.items() if value is not None}:
        entry["config"] = {"meta": told}
    yield entry
    for child in column.children:
        yield from _columns(child)


def _type(column: Column) -> str:
    """The GoogleSQL type, e.g. `STRUCT<latitude FLOAT64, longitude FLOAT64>`."""
    inner = ", ".join(f"{child.name} {_type(child)}" for child in column.children)
    scalar = f"STRUCT<{inner}>" if column.children else column.type.value
    return f"ARRAY<{scalar}>" if column.repeated else scalar


class _Dumper(yaml.SafeDumper):
    """Writes equal parts out in full instead of as anchors."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True
