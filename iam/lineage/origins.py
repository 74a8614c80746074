"""Where lineage begins: the tables that contracts and policy make, and what each of their columns tells."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from iam.lineage.sensitivity import Sensitivity, after

if TYPE_CHECKING:  # a second of imports, which a project that did not change does not need
    from dataflow.contract import Contract, Field
    from dataflow.methods import Method
    from dataflow.policy import Policy
    from dataflow.schemas.columns import Column, Table

RAW = "raw__"
"""Datasets that only the anonymizer reads and writes."""

_OF_IDENTITY = "event_token"
_OF_TIME = frozenset({"event_time", "receive_time"})
_HOUSE = {"sealed": Sensitivity.SENSITIVE, "attributes.value": Sensitivity.QUASI_IDENTIFIER}
"""Columns of the house's own tables that are more than internal."""


class Origin(msgspec.Struct, frozen=True):
    """A column of a table that no model builds.

    field: `contract.field` that it is made of, or what it is in words. method: what was done to it, in words.
    classification: the contract's. sensitivity: what is left of it.
    """

    field: str
    method: str
    classification: str
    sensitivity: Sensitivity

    def __str__(self) -> str:
        """`app_event.location.latitude (location), coarsen_location (decimals 2: a grid of 1.1 km)`"""
        kind = f" ({self.classification})" if self.classification else ""
        return f"{self.field}{kind}" + (f", {self.method}" if self.method else "")


class Origins(msgspec.Struct):
    """The tables at the beginning.

    tables: `dataset.table` -> the shape of its columns (`Value.shape`). columns: the same -> path -> origin.
    """

    tables: dict[str, Any] = {}
    columns: dict[str, dict[str, Origin]] = {}

    def add(self, table: str, shape: Any, columns: Mapping[str, Origin]) -> None:
        self.tables[table] = shape
        self.columns[table] = dict(columns)


def origins(contracts: "Iterable[Contract]", policy: "Policy") -> Origins:
    """The tables of every contract, raw and anonymized, and the house's own."""
    from dataflow.schemas import anonymized_table, dead_letter_table, raw_table, unknown_field_table

    found = Origins()
    for contract in contracts:
        for table in (raw_table(contract), anonymized_table(contract, policy)):
            raw = table.dataset.startswith(RAW)
            found.add(table.id, _shape(table.columns), dict(_origins(contract, policy, table, raw)))
    for table in (dead_letter_table(), unknown_field_table()):
        columns = {
            leaf.path: Origin(f"{table.id}.{leaf.path}", "", "", _HOUSE.get(leaf.path, Sensitivity.INTERNAL))
            for leaf in table.leaves()
        }
        found.add(table.id, _shape(table.columns), columns)
    return found


def _shape(columns: "Iterable[Column]") -> dict[str, Any]:
    def shape(column: "Column") -> Any:
        inner = _shape(column.children) if column.children else None
        return [inner] if column.repeated else inner

    return {column.name: shape(column) for column in columns}


def _origins(contract: "Contract", policy: "Policy", table: "Table", raw: bool) -> Iterable[tuple[str, Origin]]:
    fields = {leaf.path: leaf for leaf in contract.leaves()}
    derived = {item.name: item for item in policy.stream(contract).derive}
    time = _own_time(contract, policy, fields, raw)
    for leaf in table.leaves():
        if leaf.path in fields:
            method = None if raw else policy.method(contract, fields[leaf.path])
            yield leaf.path, _of_field(contract, fields[leaf.path], method)
        elif leaf.path in derived and not raw:
            item = derived[leaf.path]
            yield leaf.path, _of_field(contract, fields[item.source], item.method)
        elif leaf.path == _OF_IDENTITY:
            names = " + ".join(f"{contract.stream}.{path}" for path in contract.identity)
            yield leaf.path, Origin(names, "token", "identifier", Sensitivity.PSEUDONYM)
        elif leaf.path in _OF_TIME:
            yield leaf.path, time
        else:
            yield leaf.path, Origin(f"{contract.stream} {leaf.path}", "", "", Sensitivity.INTERNAL)


def _own_time(contract: "Contract", policy: "Policy", fields: "Mapping[str, Field]", raw: bool) -> Origin:
    """event_time and receive_time, each as coarse as the contract's event time: one tells the other."""
    field = fields[contract.event_time]
    method = None if raw else policy.method(contract, field)
    if method is not None and method.name == "drop":
        return Origin(f"{contract.stream}.{field.path}", "", field.classification or "", Sensitivity.QUASI_IDENTIFIER)
    return _of_field(contract, field, method)


def _of_field(contract: "Contract", field: "Field", method: "Method | None") -> Origin:
    """method: None in the raw table."""
    from dataflow.methods.strength import describe

    name, classification = f"{contract.stream}.{field.path}", str(field.classification or "unclassified")
    if method is None:
        raw = Sensitivity(field.classification.value) if field.classification else Sensitivity.SENSITIVE
        return Origin(name, "raw", classification, raw)
    return Origin(name, describe(method), classification, after(method, field.classification))


def declared(name: str, columns: Iterable[tuple[str, str, str]]) -> tuple[Any, dict[str, Origin]]:
    """A table that dbt's YAML describes: its shape and origins.

    columns: (dotted name, GoogleSQL type, sensitivity). Raises ValueError for a word that is none.
    """
    shape: dict[str, Any] = {}
    found: dict[str, Origin] = {}
    rows = list(columns)
    parents = {path.rpartition(".")[0] for path, _, _ in rows}
    for path, kind, word in rows:
        place = _inside(shape, path.split(".")[:-1])
        inner: Any = {} if path in parents else None
        place[path.rpartition(".")[2]] = [inner] if kind.upper().startswith("ARRAY") else inner
        if path not in parents:
            found[path] = Origin(f"{name}.{path}", "", "declared", Sensitivity(word))
    return shape, found


def _inside(shape: dict[str, Any], steps: list[str]) -> dict[str, Any]:
    for step in steps:
        inner = shape.setdefault(step, {})
        shape = inner[0] if isinstance(inner, list) else inner
    return shape
