"""The live datasets and views of the emulator, as the access engine wants to see them."""

import re
import threading
import time
from collections.abc import Callable
from typing import Any

from iam.engine import TableName
from iam.entries import Entry, entries
from iam.references import UnreadableSQLError, is_metadata, view_sources
from scripts.stack.gateway.upstream import Upstream, path

SECONDS = 1.0
"""How long an answer of the emulator is used again: a grant that was taken away directly there ends so much later."""
GATEWAY = "noren-gateway"
"""The caller of the gateway's own look-ups."""
MACRO = re.compile(r"(?<![\w.`])bq\.main\.(?=\w+\()")
"""The emulator keeps a view's definition with some functions under their name in its engine: scalar macros, all of
them. Taken off, the name is the one that was checked when the view was made."""


class LiveCatalogue:
    """iam.engine.Catalogue over the emulator's REST API, for one project.

    Answers are kept for SECONDS. `forget()` drops them: after every write, and before a refusal becomes final.
    """

    def __init__(self, upstream: Upstream, project: str) -> None:
        self.upstream, self.project = upstream, project
        self._kept: dict[str, tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def forget(self) -> None:
        with self._lock:
            self._kept.clear()

    def access(self, project: str, dataset: str) -> tuple[Entry, ...] | None:
        if project != self.project:
            return None
        resource = self._get(path("projects", project, "datasets", dataset))
        return None if resource is None else entries(resource.get("access") or [])

    def sources(self, table: TableName) -> frozenset[TableName] | None:
        """Raises UnreadableSQLError for a view whose definition is not known or not understood."""
        if is_metadata(table):
            return None
        if table.table.endswith("*"):
            return self._derived(table)
        resource = self.table(table)
        if resource is None:
            return None
        definition = resource.get("view") or resource.get("materializedView")
        if definition is None:
            if resource.get("type") not in ("TABLE", "SNAPSHOT"):
                raise UnreadableSQLError("A view whose definition is not known cannot be read.")
            return None
        return view_sources(MACRO.sub("", str(definition.get("query", ""))), table.project)

    def table(self, table: TableName) -> dict[str, Any] | None:
        """The table resource, or None."""
        return self._get(path("projects", table.project, "datasets", table.dataset, "tables", table.table))

    def _derived(self, wildcard: TableName) -> frozenset[TableName]:
        """What a wildcard matches that is no plain table: its rows need the rights of what they were made from."""
        listing = self._get(path("projects", wildcard.project, "datasets", wildcard.dataset, "tables")) or {}
        matching = (
            TableName(wildcard.project, wildcard.dataset, item["tableReference"]["tableId"])
            for item in listing.get("tables", [])
            if item.get("type") != "TABLE" and item["tableReference"]["tableId"].startswith(wildcard.table[:-1])
        )
        return frozenset(matching)

    def _get(self, where: str) -> dict[str, Any] | None:
        return self._remember(where, lambda: self._ask(where))

    def _ask(self, where: str) -> dict[str, Any] | None:
        response = self.upstream.send("GET", where, GATEWAY)
        if response.status_code == 404:
            return None
        response.raise_for_status()
        resource: dict[str, Any] = response.json()
        return resource

    def _remember(self, key: str, ask: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
        now = time.monotonic()
        with self._lock:
            until, value = self._kept.get(key, (0.0, None))
        if now >= until:
            value = ask()
            with self._lock:
                if len(self._kept) > 10_000:
                    self._kept.clear()
                self._kept[key] = (now + SECONDS, value)
        found: dict[str, Any] | None = value
        return found
