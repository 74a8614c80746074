"""The live datasets and views of the emulator, as the access engine wants to see them."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from iam.columns import touched
from iam.engine import Dataset, DatasetName, Kind, RowPolicy, Table, TableName, World
from iam.entries import entries
from iam.references import UnreadableSQLError, is_metadata, view_sources
from scripts.stack.gateway.upstream import Upstream, path

SECONDS = 1.0
"""How long an answer of the emulator is used again: a grant that was taken away directly there ends so much later."""
GATEWAY = "noren-gateway"
"""The caller of the gateway's own look-ups."""
MACRO = re.compile(r"(?<![\w.`])bq\.main\.(?=\w+\()")
"""The emulator keeps a view's definition with some functions under their name in its engine: scalar macros, all of
them. Taken off, the name is the one that was checked when the view was made."""
KINDS = {
    "TABLE": Kind.TABLE,
    "SNAPSHOT": Kind.TABLE,
    "VIEW": Kind.VIEW,
    "MATERIALIZED_VIEW": Kind.MATERIALIZED_VIEW,
}


class Asked[K, V](Mapping[K, V]):
    """A mapping whose values are asked for one by one; it cannot be listed."""

    def __init__(self, ask: Callable[[K], V | None]) -> None:
        self._ask = ask

    def __getitem__(self, key: K) -> V:
        value = self._ask(key)
        if value is None:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[K]:
        raise TypeError("Live resources are asked for one by one.")

    def __len__(self) -> int:
        raise TypeError("Live resources are asked for one by one.")


class LiveCatalogue:
    """A world over the emulator's REST API, for one project.

    Answers are kept for SECONDS. `forget()` drops them: after every write, and before a refusal becomes final.
    """

    def __init__(self, upstream: Upstream, project: str) -> None:
        self.upstream, self.project = upstream, project
        self._kept: dict[str, tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def forget(self) -> None:
        with self._lock:
            self._kept.clear()

    def over(self, files: World) -> World:
        """The live datasets and tables, with the groups, policy tags and project grants of the files."""
        return replace(files, datasets=Asked(self.dataset), tables=Asked(self.facts))

    def dataset(self, name: DatasetName) -> Dataset | None:
        if name.project != self.project:
            return None
        resource = self._get(path("projects", name.project, "datasets", name.dataset))
        if resource is None:
            return None
        return Dataset(name, entries(resource.get("access") or []))

    def facts(self, name: TableName) -> Table | None:
        """What the engine asks of a table, view or wildcard. A definition that is not understood closes it."""
        if is_metadata(name):
            return None
        if name.table.endswith("*"):
            return self._wildcard(name)
        resource = self.table(name)
        if resource is None:
            return None
        kind = KINDS.get(str(resource.get("type")))
        if kind is None:
            return Table(name, Kind.VIEW, unreadable="A table of this type is not served by the local gateway.")
        definition = resource.get("view") or resource.get("materializedView")
        if kind is Kind.TABLE:
            return Table(name, kind, tags=tags(resource), row_policies=self._policies(name))
        if definition is None:
            return Table(name, kind, unreadable="A view whose definition is not known cannot be read.")
        sql = MACRO.sub("", str(definition.get("query", "")))
        try:
            reads = view_sources(sql, name.project)
        except UnreadableSQLError as error:
            return Table(name, kind, unreadable=str(error))
        tagged = any(tags(self.table(source) or {}) for source in reads)
        touches = touched(sql, name.project, None, self.columns) if tagged else {}
        return Table(name, kind, reads, tags=tags(resource), touches=touches)

    def table(self, table: TableName) -> dict[str, Any] | None:
        """The table resource, or None."""
        return self._get(path("projects", table.project, "datasets", table.dataset, "tables", table.table))

    def columns(self, name: TableName) -> tuple[str, ...]:
        """The names of a table's columns; none of a table that is missing."""
        fields = ((self.table(name) or {}).get("schema") or {}).get("fields") or []
        return tuple(field["name"] for field in fields)

    def _wildcard(self, name: TableName) -> Table:
        """What it matches, as things that it reads: views need the rights of what they are made from, and no row access
        policy is passed by (https://cloud.google.com/bigquery/docs/using-row-level-security-with-features)."""
        listing = self._get(path("projects", name.project, "datasets", name.dataset, "tables")) or {}
        matching = frozenset(
            TableName(name.project, name.dataset, item["tableReference"]["tableId"])
            for item in listing.get("tables", [])
            if item["tableReference"]["tableId"].startswith(name.table[:-1])
        )
        policies = tuple(policy for table in sorted(matching) for policy in self._policies(table))
        return Table(name, Kind.WILDCARD, matching, row_policies=policies)

    def _policies(self, table: TableName) -> tuple[RowPolicy, ...]:
        where = path("projects", table.project, "datasets", table.dataset, "tables", table.table)
        found = (self._get(f"{where}/rowAccessPolicies") or {}).get("rowAccessPolicies") or []
        return tuple(
            RowPolicy(
                str(policy.get("rowAccessPolicyReference", {}).get("policyId", "")),
                str(policy.get("filterPredicate", "")),
                frozenset(policy.get("grantees") or []),
            )
            for policy in found
        )

    def _get(self, where: str) -> dict[str, Any] | None:
        now = time.monotonic()
        with self._lock:
            until, value = self._kept.get(where, (0.0, None))
        if now >= until:
            value = self._ask(where)
            with self._lock:
                if len(self._kept) > 10_000:
                    self._kept.clear()
                self._kept[where] = (now + SECONDS, value)
        found: dict[str, Any] | None = value
        return found

    def _ask(self, where: str) -> dict[str, Any] | None:
        response = self.upstream.send("GET", where, GATEWAY)
        if response.status_code == 404:
            return None
        response.raise_for_status()
        resource: dict[str, Any] = response.json()
        return resource


def tags(resource: Mapping[str, Any]) -> dict[str, str]:
    """column -> policy tag; of a nested field, under the name of the column that it is in."""

    def within(field: dict[str, Any]) -> Iterator[str]:
        yield from (field.get("policyTags") or {}).get("names") or []
        for inner in field.get("fields") or []:
            yield from within(inner)

    fields = (resource.get("schema") or {}).get("fields") or []
    return {field["name"]: tag for field in fields for tag in list(within(field))[:1]}
